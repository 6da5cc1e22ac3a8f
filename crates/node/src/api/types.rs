//! What the API says: one type per thing, made from the core's values.

use super::versions::{VersionBody, versions};
use crate::app::{
    agreement_signatures,
    agreements::{AgreementView, peer_of},
    cause::{Cause, Exchange},
    damage::DamagedFile,
    peers::RemoteDataset,
    preview::Preview,
    products::{Listing, shown_content},
};
use fondaco_core::{
    agreement::Agreement,
    decision::{Action, RuleSet, Rules},
    life::Stop,
    negotiation::{Ending, Negotiation, Role, State},
    participant::Participant,
    policy::{Constraint, Permission, Policy},
    time::Timestamp,
    transfer::{self, Transfer},
};
use fondaco_store::{AgreementRow, Event, SignatureRow, Usage, UsageRecord};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// A participant.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ParticipantBody {
    slug: String,
    did: String,
    name: String,
    /// ISO 3166-1 alpha-2.
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<String>,
    /// Its decision rules as consumer.
    #[schema(value_type = serde_json::Value)]
    rules: RuleSet,
    created_at: String,
}

impl From<&Participant> for ParticipantBody {
    fn from(p: &Participant) -> Self {
        Self {
            slug: p.slug.to_string(),
            did: p.did.to_string(),
            name: p.name.clone(),
            country: p.country.clone(),
            rules: p.rules.clone(),
            created_at: p.created_at.to_rfc3339(),
        }
    }
}

/// An offer.
#[derive(Debug, Serialize, ToSchema)]
pub struct OfferBody {
    id: String,
    /// The ODRL rules.
    odrl: Value,
    /// The same in words.
    terms: Vec<String>,
    /// Of our own offers: their decision rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    rules: Option<Rules>,
}

/// A product version of ours.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProductBody {
    id: String,
    version: u32,
    /// Its `@id` in catalogues.
    dataset_id: String,
    kind: String,
    /// `published` or `withdrawn`.
    state: String,
    title: String,
    description: String,
    keywords: Vec<String>,
    /// `license`, `contactPoint`, `accrualPeriodicity`, `language`.
    #[schema(value_type = serde_json::Value)]
    listing: fondaco_core::product::Listing,
    /// What could be better about the listing, and why it matters.
    remarks: Vec<super::publications::RemarkBody>,
    publish_profile: bool,
    /// What it was made from: agreements and product versions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    derived_from: Vec<String>,
    created_at: String,
    /// For a table: `schema`, `rows`, `sizeBytes`, `fileCount`, the first `files`, `profile`, and for CSV `inferred`.
    content: Value,
    offers: Vec<OfferBody>,
    /// Files that are not delivered, because they are not what was published any more. Only of a product that is shown alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    damaged: Option<Vec<DamagedFileBody>>,
    /// The emergency stop of all its versions: `at`, `reason`. Only of a product that is shown alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    stop: Option<Value>,
}

/// A file that is not what was published any more.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DamagedFileBody {
    /// Its name in the product.
    file: String,
    /// What is wrong.
    why: String,
    /// When an attempt to deliver it found that.
    found_at: String,
}

impl ProductBody {
    /// With what was found at its files.
    pub fn with_damage(listing: &Listing, found: Vec<DamagedFile>) -> Self {
        let body = |d: DamagedFile| DamagedFileBody { file: d.file, why: d.why, found_at: d.found_at.to_rfc3339() };
        Self { damaged: Some(found.into_iter().map(body).collect()), ..listing.into() }
    }
}

impl ProductBody {
    /// With its emergency stop.
    #[must_use]
    pub fn with_stop(self, stop: Option<Stop>) -> Self {
        Self { stop: stop.map(|s| json!(s)), ..self }
    }
}

impl From<&Listing> for ProductBody {
    fn from(listing: &Listing) -> Self {
        let p = &listing.product;
        let described =
            fondaco_core::listing::Described { title: &p.title, description: &p.description, keywords: &p.keywords, listing: &p.listing };
        let offers = listing
            .offers
            .iter()
            .map(|o| OfferBody { id: o.id.to_string(), odrl: o.odrl.clone(), terms: o.policy.sentences(), rules: Some(o.rules.clone()) })
            .collect();
        Self {
            id: p.reference.id.to_string(),
            version: p.reference.version,
            dataset_id: p.reference.dataset_id(),
            kind: p.kind.as_str().into(),
            state: match p.state {
                fondaco_core::product::ProductState::Published => "published".into(),
                fondaco_core::product::ProductState::Withdrawn => "withdrawn".into(),
            },
            title: p.title.clone(),
            description: p.description.clone(),
            keywords: p.keywords.clone(),
            derived_from: p.derived_from.clone(),
            listing: p.listing.clone(),
            remarks: described.remarks().into_iter().map(Into::into).collect(),
            publish_profile: p.publish_profile,
            created_at: p.created_at.to_rfc3339(),
            content: shown_content(listing),
            offers,
            damaged: None,
            stop: None,
        }
    }
}

/// A dataset in a peer's catalogue.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatasetBody {
    id: String,
    title: String,
    description: String,
    keywords: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    /// An SPDX expression or a web address.
    #[serde(skip_serializing_if = "Option::is_none")]
    license: Option<String>,
    /// A mail or web address.
    #[serde(skip_serializing_if = "Option::is_none")]
    contact_point: Option<String>,
    /// How often it is renewed.
    #[serde(skip_serializing_if = "Option::is_none")]
    accrual_periodicity: Option<String>,
    /// BCP 47 tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    language: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<Value>,
    formats: Vec<String>,
    offers: Vec<OfferBody>,
}

impl From<RemoteDataset> for DatasetBody {
    fn from(d: RemoteDataset) -> Self {
        let value = |key: &str| d.extension.get(key).filter(|v| !v.is_null()).cloned();
        Self {
            kind: d.text("kind").map(str::to_owned),
            rows: d.number("rows"),
            size_bytes: d.number("sizeBytes"),
            schema: value("schema"),
            profile: value("profile"),
            id: d.id,
            title: d.title,
            description: d.description,
            keywords: d.keywords,
            version: d.version,
            license: d.license,
            contact_point: d.contact_point,
            accrual_periodicity: d.accrual_periodicity,
            language: d.language,
            formats: d.formats,
            offers: d.offers.into_iter().map(|o| OfferBody { id: o.id, odrl: o.odrl, terms: o.terms, rules: None }).collect(),
        }
    }
}

/// Something that happened.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventBody {
    at: String,
    /// A participant id.
    actor: String,
    kind: String,
    text: String,
    /// Why this side did it: `by` is `person`, `rule` (with `at` and `action`), `webhook`, `terms`, `agreement`, or `exchange` with the message
    /// that could not be delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    cause: Option<Value>,
    /// The same in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<String>,
}

impl From<&Event> for EventBody {
    fn from(e: &Event) -> Self {
        let cause = Cause::of(&e.detail);
        Self {
            at: e.at.to_rfc3339(),
            actor: e.actor.clone(),
            kind: e.kind.clone(),
            text: e.text.clone(),
            because: cause.as_ref().map(Cause::words),
            cause: cause.as_ref().map(Cause::to_json),
        }
    }
}

/// Why a process ended or is suspended.
#[derive(Debug, Serialize, ToSchema)]
pub struct EndingBody {
    /// `consumer` or `provider`.
    by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    reasons: Vec<String>,
}

fn ending(by: Role, ending: &Ending) -> EndingBody {
    EndingBody { by: by.as_str().into(), code: ending.code.clone(), reasons: ending.reasons.clone() }
}

/// A negotiation.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NegotiationBody {
    id: String,
    /// The same as `id`.
    negotiation_id: String,
    /// Our side.
    role: String,
    /// Its DSP state.
    state: String,
    peer: String,
    peer_pid: Option<String>,
    dataset: String,
    /// The terms on the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    offer: Option<OfferBody>,
    /// Once the agreement is in force.
    agreement_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ending: Option<EndingBody>,
    created_at: String,
    updated_at: String,
    /// The steps that our side may take now, as the API calls them.
    steps: Vec<&'static str>,
    /// Whether nothing goes on until our side takes a step.
    waits_for_us: bool,
    /// Grows with each step; send it along with a step to take it only while nothing moved on.
    revision: u64,
    /// The versions of the terms, the first first; in lists they are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    versions: Vec<VersionBody>,
    /// Why the next message has not been delivered yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery_problem: Option<String>,
    /// The exchange in which it was not: `message`, `method`, `url`, `status`, `answer`, `attempts`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    delivery_exchange: Option<Exchange>,
    /// When a rule decides, if nobody does before.
    #[serde(skip_serializing_if = "Option::is_none")]
    decides_at: Option<String>,
    /// The timeline; in lists it is left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    events: Vec<EventBody>,
}

/// The name of a step in addresses and commands.
fn step_name(action: Action) -> Option<&'static str> {
    Some(match action {
        Action::Agree => "agree",
        Action::Offer => "offer",
        Action::Finalize => "finalize",
        Action::Accept => "accept",
        Action::Counter => "counter",
        Action::Verify => "verify",
        Action::Terminate => "terminate",
        _ => return None,
    })
}

impl NegotiationBody {
    /// The same, with the exchange in which its next message was not delivered.
    #[must_use]
    pub fn tried(self, delivery_exchange: Option<Exchange>) -> Self {
        Self { delivery_exchange, ..self }
    }
    /// In the list of those that wait.
    pub fn waiting(n: &Negotiation, decides_at: Option<Timestamp>) -> Self {
        Self::new(n, &[], None, decides_at)
    }

    /// In a list, without its timeline.
    pub fn listed(n: &Negotiation) -> Self {
        Self::new(n, &[], None, None)
    }

    /// With its timeline.
    pub fn new(n: &Negotiation, events: &[Event], delivery_problem: Option<String>, decides_at: Option<Timestamp>) -> Self {
        let offer = n.state.terms().map(|t| OfferBody {
            id: t.offer_id.clone(),
            terms: Policy::from_odrl(&t.odrl).map(|p| p.sentences()).unwrap_or_default(),
            odrl: t.odrl.clone(),
            rules: None,
        });
        Self {
            id: n.id.to_string(),
            negotiation_id: n.id.to_string(),
            role: n.role.as_str().into(),
            state: n.state.name().into(),
            peer: n.peer.did.to_string(),
            peer_pid: n.peer.pid.clone(),
            dataset: n.dataset.clone(),
            offer,
            agreement_id: match &n.state {
                State::Finalized { agreement } => Some(agreement.id.clone()),
                _ => None,
            },
            ending: match &n.state {
                State::Terminated { by, ending: e } => Some(ending(*by, e)),
                _ => None,
            },
            created_at: n.created_at.to_rfc3339(),
            updated_at: n.updated_at.to_rfc3339(),
            steps: n.steps().iter().copied().filter_map(step_name).collect(),
            waits_for_us: n.is_our_turn(),
            revision: n.revision,
            versions: if events.is_empty() { Vec::new() } else { versions(n, events) },
            delivery_problem,
            delivery_exchange: None,
            decides_at: decides_at.map(Timestamp::to_rfc3339),
            events: events.iter().map(EventBody::from).collect(),
        }
    }
}

/// A transfer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferBody {
    id: String,
    /// The same as `id`.
    transfer_id: String,
    role: String,
    state: String,
    peer: String,
    peer_pid: Option<String>,
    agreement_id: String,
    dataset: String,
    format: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ending: Option<EndingBody>,
    created_at: String,
    updated_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery_problem: Option<String>,
    /// The exchange in which it was not: `message`, `method`, `url`, `status`, `answer`, `attempts`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    delivery_exchange: Option<Exchange>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    events: Vec<EventBody>,
}

impl TransferBody {
    /// The same, with the exchange in which its next message was not delivered.
    #[must_use]
    pub fn tried(self, delivery_exchange: Option<Exchange>) -> Self {
        Self { delivery_exchange, ..self }
    }
    /// With its timeline.
    pub fn new(t: &Transfer, events: &[Event], delivery_problem: Option<String>) -> Self {
        Self {
            id: t.id.to_string(),
            transfer_id: t.id.to_string(),
            role: t.role.as_str().into(),
            state: t.state.name().into(),
            peer: t.peer.did.to_string(),
            peer_pid: t.peer.pid.clone(),
            agreement_id: t.agreement_id.clone(),
            dataset: t.dataset.clone(),
            format: t.format.clone(),
            ending: match &t.state {
                transfer::State::Suspended { by, ending: e, .. } | transfer::State::Terminated { by, ending: e } => Some(ending(*by, e)),
                _ => None,
            },
            created_at: t.created_at.to_rfc3339(),
            updated_at: t.updated_at.to_rfc3339(),
            delivery_problem,
            delivery_exchange: None,
            events: events.iter().map(EventBody::from).collect(),
        }
    }
}

/// An agreement.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgreementBody {
    id: String,
    role: String,
    peer: String,
    dataset: String,
    assigner: String,
    assignee: String,
    /// When it was made.
    timestamp: String,
    /// SHA-256 of the document's RFC 8785 form: the same on both sides.
    digest: String,
    /// The agreement as it went over the wire.
    document: Value,
    terms: Vec<String>,
    /// `active`, `ending` (notice was given), `stopped` (by the provider, for now), `ended` or `expired`.
    state: String,
    /// When it ends: by notice, or by its own terms.
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_at: Option<String>,
    /// The notice that was given: `by`, `at`, `endsAt`, `reason`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    notice: Option<Value>,
    /// The emergency stop: `at`, `reason`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    stop: Option<Value>,
    /// The notice by which either side may end it, as an ISO 8601 duration; without one neither side may.
    #[serde(skip_serializing_if = "Option::is_none")]
    notice_period: Option<String>,
    /// Since when it is no longer in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_reason: Option<String>,
    /// Reads counted (provider).
    reads: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reads_max: Option<u64>,
    /// What was delivered so far (provider).
    usage: UsageBody,
    /// What it costs, once: `80.00 CNY`.
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<String>,
    /// That the price was recorded as paid (provider): `reference` and `at`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    payment: Option<Value>,
    negotiation_id: String,
    /// What the consumer declared of itself: `spatial`, `purpose`.
    declared: Value,
    transfers: Vec<String>,
    /// The agreement that this one renews.
    #[serde(skip_serializing_if = "Option::is_none")]
    renewal_of: Option<String>,
    /// The agreement that renews this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    renewed_by: Option<String>,
    /// When a rule renews it (consumer).
    #[serde(skip_serializing_if = "Option::is_none")]
    renews_at: Option<String>,
    /// What became of it after signing, oldest first; left out of lists.
    events: Vec<EventBody>,
    /// Who signed it; left out of lists.
    signatures: Vec<SignatureBody>,
    created_at: String,
}

impl AgreementBody {
    /// From a row and its count, without transfers.
    pub fn of_row(row: &AgreementRow, used: Usage) -> Self {
        let policy = row.policy.clone().or_else(|| Policy::from_odrl(&row.agreement.document).ok());
        let (life, life_terms) = (&row.life, row.terms());
        let over = life.phase().is_over();
        Self {
            id: row.agreement.id.clone(),
            role: row.role.as_str().into(),
            peer: peer_of(row).to_string(),
            dataset: row.dataset.clone(),
            assigner: row.agreement.assigner.to_string(),
            assignee: row.agreement.assignee.to_string(),
            timestamp: row.agreement.timestamp.to_rfc3339(),
            digest: row.agreement.digest.clone(),
            document: row.agreement.document.clone(),
            terms: policy.as_ref().map(Policy::sentences).unwrap_or_default(),
            state: life.phase().as_str().into(),
            ends_at: life.ends(&life_terms).filter(|_| !over).map(Timestamp::to_rfc3339),
            notice: life.notice.as_ref().map(|n| json!(n)),
            stop: life.stopped().filter(|_| !over).map(|s| json!(s)),
            notice_period: life_terms.notice.map(|n| n.as_str().to_owned()),
            ended_at: row.ended_at.map(Timestamp::to_rfc3339),
            end_reason: row.end_reason.clone(),
            reads: used.reads,
            usage: UsageBody {
                requests: used.requests,
                rows: used.rows,
                bytes: used.volume,
                bytes_max: policy.as_ref().and_then(bytes_max),
            },
            reads_max: policy.as_ref().and_then(reads_max),
            price: policy.as_ref().and_then(|p| p.price).map(|price| price.to_string()),
            payment: row.payment.as_ref().map(|p| json!({"reference": p.reference, "at": p.at})),
            negotiation_id: row.negotiation_id.to_string(),
            declared: json!(row.declared),
            transfers: Vec::new(),
            renewal_of: life.renewal_of.clone(),
            renewed_by: life.renewed_by.clone(),
            renews_at: life.renew_at.map(Timestamp::to_rfc3339),
            events: Vec::new(),
            signatures: Vec::new(),
            created_at: row.created_at.to_rfc3339(),
        }
    }
}

/// A signature of an agreement: a JWT by the party's key, whose claim `agreement` names the document by id and SHA-256.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignatureBody {
    /// Whose it is.
    by: String,
    /// When it was made or arrived here.
    at: String,
    /// Whether it is right, by its key and for this very document.
    valid: bool,
    /// The token, in compact form.
    jws: String,
    /// The public key that it was checked with.
    public_jwk: Value,
}

impl SignatureBody {
    fn new(row: &SignatureRow, agreement: &Agreement) -> Self {
        Self {
            by: row.signer.to_string(),
            at: row.signed_at.to_rfc3339(),
            valid: agreement_signatures::is_valid(row, agreement),
            jws: row.jws.clone(),
            public_jwk: serde_json::from_str(&row.key).unwrap_or_default(),
        }
    }
}

impl From<&AgreementView> for AgreementBody {
    fn from(view: &AgreementView) -> Self {
        let transfers = view.transfers.iter().map(|t| t.id.to_string()).collect();
        let events = view.events.iter().map(EventBody::from).collect();
        let signatures = view.signatures.iter().map(|s| SignatureBody::new(s, &view.row.agreement)).collect();
        let body = Self { transfers, events, signatures, ..Self::of_row(&view.row, view.used) };
        match &view.product_stop {
            // Nothing is admitted from the moment the product is stopped; its agreements follow one by one.
            Some(stop) if body.ended_at.is_none() => {
                Self { state: "stopped".into(), stop: body.stop.or_else(|| Some(json!(stop))), ..body }
            }
            _ => body,
        }
    }
}

/// The reads a policy permits, when it limits them.
pub fn reads_max(policy: &Policy) -> Option<u64> {
    let counts = policy.permissions.iter().flat_map(|p| &p.constraints).filter_map(|c| match c {
        Constraint::Count { limit } => Some(*limit),
        _ => None,
    });
    counts.max()
}

/// The bytes a policy permits, when it limits them.
fn bytes_max(policy: &Policy) -> Option<u64> {
    let volumes = policy.permissions.iter().flat_map(|p| &p.constraints).filter_map(|c| match c {
        Constraint::Volume { limit } => Some(*limit),
        _ => None,
    });
    volumes.max()
}

/// What was delivered under an agreement.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageBody {
    /// Requests that bytes were given for.
    requests: u64,
    /// Rows of the files they were of, each file once per query.
    rows: u64,
    /// Bytes given, with those that are on their way.
    bytes: u64,
    /// The bytes agreed on, where there is a limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_max: Option<u64>,
}

/// What was delivered of one file for one query, however many requests fetched it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageRecordBody {
    id: String,
    transfer_id: String,
    /// The query or listing that led to it.
    query_id: String,
    /// The file, by the id it is listed with.
    file_id: String,
    requests: u64,
    rows: u64,
    bytes: u64,
    /// The first request.
    first_at: String,
    /// The last request.
    last_at: String,
}

impl From<&UsageRecord> for UsageRecordBody {
    fn from(record: &UsageRecord) -> Self {
        Self {
            id: record.id.clone(),
            transfer_id: record.key.transfer_id.clone(),
            query_id: record.key.query_id.clone(),
            file_id: record.key.file_id.clone(),
            requests: record.requests,
            rows: record.rows,
            bytes: record.bytes,
            first_at: record.first_at.to_rfc3339(),
            last_at: record.last_at.to_rfc3339(),
        }
    }
}

/// The parameters of lists of processes.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
pub struct ListQuery {
    /// Only in this state.
    pub state: Option<String>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// Most rows, 1 to 200.
    pub limit: Option<u32>,
}

/// How long to wait for a process to get somewhere.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
pub struct WaitQuery {
    /// Answer once the process is settled, or after this many seconds (at most 60).
    pub wait: Option<u32>,
}

/// Why.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReasonBody {
    /// A reason for the other side.
    pub reason: Option<String>,
}

impl ReasonBody {
    /// The reason, bounded.
    ///
    /// # Errors
    /// When it is too long.
    pub fn checked(self) -> fondaco_core::Result<Option<String>> {
        let reason = self.reason.map(|r| r.trim().to_owned()).filter(|r| !r.is_empty());
        if let Some(reason) = &reason {
            crate::app::bounded("reason", reason, 2_000)?;
        }
        Ok(reason)
    }
}

/// The first rows of a table as the other side sees them.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreviewBody {
    /// The terms by which they are seen.
    terms: Vec<String>,
    /// The columns that are seen.
    columns: Vec<String>,
    /// The rows, by column: a value that is missing is missing, a long text is cut.
    #[schema(value_type = Vec<Object>)]
    rows: Vec<Map<String, Value>>,
    /// Fewer rows than asked for were found at the beginning of the table; there may be more further on.
    looked_at_beginning: bool,
    /// Where it is set no rows are seen, but aggregates over so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    min_group_size: Option<u32>,
    /// There is no agreement yet, so hashes are under a key that is thrown away: under an agreement they are others.
    sample_hashes: bool,
}

impl From<Preview> for PreviewBody {
    fn from(p: Preview) -> Self {
        Self {
            terms: Policy::free(vec![Permission { constraints: p.terms }]).sentences(),
            columns: p.columns,
            rows: p.rows,
            looked_at_beginning: p.looked_at_beginning,
            min_group_size: p.min_group_size,
            sample_hashes: p.sample_hashes,
        }
    }
}
