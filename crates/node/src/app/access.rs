//! Access to data: from a bearer token to a grant, call by call.

use super::{
    App, agreement_life,
    gate::Watch,
    idempotency::{Key, once},
};
use crate::http::request_log;
use fondaco_core::{
    Code, Error, Result,
    ids::TransferId,
    negotiation::Role,
    participant::{Declarations, Did, Slug},
    policy::{Constraint, Denial, Facts, Permit, Policy, SetOperator, Verdict},
    product::{Product, ProductRef, ProductState},
    time::Timestamp,
    transfer::Transfer,
};
use fondaco_store::{AgreementRow, Tx, Usage};

/// Versions that are looked at for the one of a time, from the newest on: years of a daily table.
const VERSIONS_LOOKED_AT: usize = 1_000;

/// Facts that own their texts; see [`facts`].
#[derive(Clone, Debug)]
pub struct OwnedFacts {
    now: Timestamp,
    recipient: String,
    agreed_at: Timestamp,
    spatial: Option<String>,
    purpose: Vec<String>,
    used: Usage,
    version: u32,
    paid: bool,
}

impl OwnedFacts {
    /// Before there is an agreement nothing is owed.
    #[must_use]
    pub fn before_agreement(self) -> Self {
        Self { paid: true, ..self }
    }

    /// The borrowed form that policies are evaluated with.
    pub fn as_facts(&self) -> Facts<'_> {
        Facts {
            now: self.now,
            recipient: &self.recipient,
            agreed_at: self.agreed_at,
            spatial: self.spatial.as_deref(),
            purpose: &self.purpose,
            reads: self.used.reads,
            volume: self.used.volume,
            version: self.version,
            paid: self.paid,
        }
    }
}

/// The facts about the consumer of an agreement, after some use. Its provider alone knows whether the price was paid.
pub fn facts_of(policy: &Policy, row: &AgreementRow, now: Timestamp, used: Usage) -> OwnedFacts {
    let paid = row.role == Role::Consumer || row.payment.is_some();
    let consumer = &row.agreement.assignee;
    OwnedFacts { paid, ..facts(policy, consumer, &row.declared, &row.dataset, row.agreement.timestamp, now, used) }
}

/// What a denial is answered with.
pub fn denied(denial: &Denial) -> Error {
    if denial.is_unpaid() { Error::new(Code::Unpaid, denial.reason.clone()) } else { Error::new(Code::PolicyDenied, denial.to_string()) }
}

/// The facts about a consumer under a policy; a price counts as not paid.
///
/// Who declares no purpose but asks for terms that name the permitted ones has declared those: the request repeats
/// the constraint, and the agreement that both sides hold contains it. A connector that is not ours can say it no other way.
pub fn facts(
    policy: &Policy,
    recipient: &Did,
    declared: &Declarations,
    dataset: &str,
    agreed_at: Timestamp,
    now: Timestamp,
    used: Usage,
) -> OwnedFacts {
    let purpose = if declared.purpose.is_empty() { purposes_in_terms(policy) } else { declared.purpose.clone() };
    // A dataset that is not one of ours has no version: terms that name one then deny.
    let version = ProductRef::parse_dataset_id(dataset).map_or(0, |r| r.version);
    OwnedFacts { now, recipient: recipient.to_string(), agreed_at, spatial: declared.spatial.clone(), purpose, used, version, paid: false }
}

fn purposes_in_terms(policy: &Policy) -> Vec<String> {
    let mut constraints = policy.permissions.iter().flat_map(|p| &p.constraints);
    constraints
        .find_map(|c| match c {
            Constraint::Purpose { op: SetOperator::Eq | SetOperator::IsAnyOf, values } => Some(values.clone()),
            _ => None,
        })
        .unwrap_or_default()
}

/// What the terms give of a product.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The product version: the agreed one, or the newest where the terms include later versions.
    pub product: Product,
    /// The bounds.
    pub permit: Permit,
}

/// What an agreement's terms give its consumer now, of the version that was agreed on and the newest on offer.
///
/// # Errors
/// [`Code::PolicyDenied`], [`Code::Unpaid`], [`Code::PolicyUnsupported`].
pub fn shown_to(row: &AgreementRow, agreed: Product, latest: Option<Product>, used: Usage, now: Timestamp, for_what: Use) -> Result<Shown> {
    let policy = row
        .policy
        .as_ref()
        .ok_or_else(|| Error::new(Code::PolicyUnsupported, "The agreement's policy cannot be enforced by this node."))?;
    let verdict = |used: Usage| policy.evaluate(&facts_of(policy, row, now, used).as_facts());
    // Of several permissions the first that has a read left begins it. Where none has, `admit_read` refuses it; what is no
    // read, and the files of the one that was the last, may still be had.
    let begun = Some(verdict(used)).filter(|v| for_what == Use::Begins && matches!(v, Verdict::Permit(_)));
    match begun.unwrap_or_else(|| verdict(Usage { reads: used.reads.saturating_sub(1), ..used })) {
        Verdict::Permit(permit) => {
            let latest = latest.filter(|l| permit.later_versions && l.reference.version > agreed.reference.version);
            Ok(Shown { product: latest.unwrap_or(agreed), permit })
        }
        Verdict::Deny(denial) => Err(denied(&denial)),
    }
}

/// Access that is open right now.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The transfer, as provider.
    pub transfer: Transfer,
    /// Its agreement.
    pub agreement: AgreementRow,
    /// The product version: the agreed one, or the newest where the terms include later versions.
    pub product: Product,
    /// The version that was agreed on.
    pub agreed: ProductRef,
    /// The bounds.
    pub permit: Permit,
    /// For streams: closes when access does.
    pub watch: Watch,
}

/// What a grant is for: of several permissions, each counts on its own how many reads there were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// A read that is not counted yet.
    Begins,
    /// A part of the latest read that was counted.
    Continues,
}

/// A grant of all of what the product is.
fn whole(grant: Grant) -> Result<Grant> {
    if grant.permit.view.is_whole() {
        return Ok(grant);
    }
    Err(Error::new(Code::PolicyUnsupported, "The agreement's policy cannot be enforced by this node."))
}

impl App {
    /// The grant a bearer token gives at this participant's share.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`] for a token that is not ours; [`Code::AccessEnded`], [`Code::PolicyDenied`] or [`Code::Unpaid`] when
    /// access is not open now.
    pub async fn grant_by_token(&self, slug: &Slug, token: &str) -> Result<Grant> {
        let transfer = self.access_tokens.verify_at(slug, token, self.now())?;
        whole(self.granted(slug, &transfer, Use::Begins).await?)
    }

    /// The grant of a transfer, for what belongs to a read that was counted: checked in the database, for this call. For
    /// who gives all of what the product is: terms that hide something are refused.
    ///
    /// # Errors
    /// As [`App::grant_by_token`].
    pub async fn grant(&self, slug: &Slug, transfer: &TransferId) -> Result<Grant> {
        whole(self.granted(slug, transfer, Use::Continues).await?)
    }

    /// The grant of a transfer, for who begins a read of what the permit's view shows of a table, and nothing else.
    ///
    /// # Errors
    /// As [`App::grant_by_token`].
    pub async fn grant_with_view(&self, slug: &Slug, transfer: &TransferId) -> Result<Grant> {
        self.granted(slug, transfer, Use::Begins).await
    }

    /// The same, for what belongs to the latest read that was counted.
    ///
    /// # Errors
    /// As [`App::grant_by_token`].
    pub async fn grant_of_read(&self, slug: &Slug, transfer: &TransferId) -> Result<Grant> {
        self.granted(slug, transfer, Use::Continues).await
    }

    async fn granted(&self, slug: &Slug, transfer: &TransferId, for_what: Use) -> Result<Grant> {
        // Before the check, so that a closing in between is not missed.
        let closed = self.gate.watch(transfer);
        let (slug, id, now) = (slug.clone(), transfer.clone(), self.now());
        let of = slug.clone();
        let found = self
            .store
            .read("access.grant", move |tx| -> Result<_> {
                let ended = |why: &str| Error::new(Code::AccessEnded, why);
                let t = tx
                    .transfer_get(&slug, &id)?
                    .filter(|t| t.role == Role::Provider)
                    .ok_or_else(|| ended("The transfer does not exist any more."))?;
                let row = tx.agreement_get(&slug, &t.agreement_id)?.ok_or_else(|| ended("The agreement does not exist any more."))?;
                if let Err(e) = agreement_life::in_force(tx, &row, now)? {
                    return Ok(Err((t, e)));
                }
                if !t.state.is_open() {
                    let e = ended(&format!("Access is closed: the transfer is {}.", t.state.name()));
                    return Ok(Err((t, e)));
                }
                let reference = ProductRef::parse_dataset_id(&t.dataset);
                let product = match reference {
                    Some(r) => tx.product_get(&slug, &r)?,
                    None => None,
                }
                .ok_or_else(|| ended("The product does not exist any more."))?;
                let used = tx.usage(&slug, &t.agreement_id)?;
                let includes_later = row.policy.as_ref().is_some_and(Policy::mentions_versions);
                let latest = if includes_later { tx.product_latest(&slug, &product.reference.id)? } else { None };
                Ok(Ok((t, row, product, latest, used)))
            })
            .await?;
        let (transfer, agreement, product, latest, used) = match found {
            Ok(found) => found,
            Err((t, e)) => {
                request_log::note_peer(t.peer.did.as_str());
                self.note_refused(&of, &t.agreement_id, e.code().as_str()).await?;
                return Err(e);
            }
        };
        request_log::note_peer(transfer.peer.did.as_str());
        let agreed = product.reference.clone();
        let Shown { product, permit } = match shown_to(&agreement, product, latest, used, now, for_what) {
            Ok(shown) => shown,
            Err(e) => {
                self.note_refused(&of, &agreement.agreement.id, &rule_of(&e)).await?;
                return Err(e);
            }
        };
        let notice = agreement.life.notice.as_ref().map(|n| n.ends_at);
        let watch = Watch::new(closed, [permit.until, notice].into_iter().flatten().min());
        Ok(Grant { transfer, agreement, product, agreed, permit, watch })
    }

    /// The same grant about another version, where the terms include it: any from the agreed one to the newest.
    ///
    /// # Errors
    /// When the database fails. A version that is not included leaves the grant as it is.
    pub async fn grant_at_version(&self, grant: Grant, version: u32) -> Result<Grant> {
        if !(grant.agreed.version..grant.product.reference.version).contains(&version) {
            return Ok(grant);
        }
        let (slug, reference) = (grant.transfer.participant.clone(), ProductRef { id: grant.agreed.id.clone(), version });
        let found = self.store.read("access.version", move |tx| -> Result<_> { Ok(tx.product_get(&slug, &reference)?) }).await?;
        // A later version that was withdrawn is not delivered; the agreed one always is.
        let found = found.filter(|p| p.reference == grant.agreed || p.state == ProductState::Published);
        Ok(Grant { product: found.unwrap_or_else(|| grant.product.clone()), ..grant })
    }

    /// The same grant about the newest version at a time, of those that the terms include; `None` when none is as old.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn grant_at_time(&self, grant: Grant, at: Timestamp) -> Result<Option<Grant>> {
        let (slug, agreed, newest) = (grant.transfer.participant.clone(), grant.agreed.clone(), grant.product.reference.version);
        let found = self
            .store
            .read("access.version_at", move |tx| -> Result<_> {
                for version in (agreed.version..=newest).rev().take(VERSIONS_LOOKED_AT) {
                    let product = tx.product_get(&slug, &ProductRef { id: agreed.id.clone(), version })?;
                    // As in `grant_at_version`.
                    let delivered = |p: &Product| p.reference == agreed || p.state == ProductState::Published;
                    if let Some(product) = product.filter(|p| p.created_at <= at && delivered(p)) {
                        return Ok(Some(product));
                    }
                }
                Ok(None)
            })
            .await?;
        Ok(found.map(|product| Grant { product, ..grant }))
    }

    /// Counts one read for a download of files, and remembers for a day that it was counted.
    ///
    /// # Errors
    /// As [`App::admit_read`].
    pub async fn admit_download(&self, grant: &Grant) -> Result<()> {
        self.admit_download_unless(grant, false).await
    }

    /// Counts one read for a download of files, unless one was counted for the same version and transfer within the last
    /// day: files fetched one by one, or continued, belong together.
    ///
    /// # Errors
    /// As [`App::admit_read`].
    pub async fn admit_within_a_day(&self, grant: &Grant) -> Result<()> {
        self.admit_download_unless(grant, true).await
    }

    async fn admit_download_unless(&self, grant: &Grant, counted_lately: bool) -> Result<()> {
        let (slug, id, limit) = (grant.transfer.participant.clone(), grant.transfer.agreement_id.clone(), grant.permit.reads_max);
        // Kept with the answers to repeated requests, which are forgotten after a day as well.
        let of = format!("{}/{}", grant.transfer.id, grant.product.reference.version);
        let mark = Key::new(&format!("download:{slug}"), &of, "files.read", &id)?;
        let admitted = self
            .store
            .tx("access.admit_download", move |tx| -> Result<()> {
                let admit = |tx: &mut Tx| tx.reads_admit(&slug, &id, limit)?.map(drop).ok_or_else(|| used_up(limit));
                if counted_lately {
                    once(tx, Some(&mark), admit, |()| String::new())?;
                } else {
                    admit(tx)?;
                    once(tx, Some(&mark), |_| Ok(()), |()| String::new())?;
                }
                Ok(())
            })
            .await;
        if admitted.as_ref().is_err_and(|e| e.code() == Code::PolicyDenied) {
            self.refused_count(grant).await?;
        }
        admitted
    }

    /// Counts one read of the whole product version, if one is left. One conditional statement: never one too many.
    ///
    /// # Errors
    /// [`Code::PolicyDenied`] when all agreed reads are used.
    pub async fn admit_read(&self, grant: &Grant) -> Result<u64> {
        let (slug, id, limit) = (grant.transfer.participant.clone(), grant.transfer.agreement_id.clone(), grant.permit.reads_max);
        let admitted = self.store.tx("access.admit", move |tx| -> Result<_> { Ok(tx.reads_admit(&slug, &id, limit)?) }).await?;
        match admitted {
            Some(reads) => Ok(reads),
            None => self.refused_count(grant).await.and(Err(used_up(grant.permit.reads_max))),
        }
    }

    async fn refused_count(&self, grant: &Grant) -> Result<()> {
        let rule = format!("{} count", Code::PolicyDenied.as_str());
        self.note_refused(&grant.transfer.participant, &grant.transfer.agreement_id, &rule).await
    }

    /// Gives a read back whose answer could not be made.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn give_back_read(&self, grant: &Grant) -> Result<()> {
        let (slug, id) = (grant.transfer.participant.clone(), grant.transfer.agreement_id.clone());
        self.store.tx("access.give_back", move |tx| -> Result<_> { Ok(tx.reads_give_back(&slug, &id)?) }).await
    }
}

/// The rule by which a use was refused: the code, with the constraint that a denial names at its end.
fn rule_of(e: &Error) -> String {
    let constraint = e.message().trim_end_matches('.').strip_suffix(')').and_then(|text| text.rsplit_once('('));
    match constraint {
        Some((_, name)) if name.len() <= 32 && name.bytes().all(|b| b.is_ascii_alphanumeric()) => format!("{} {name}", e.code()),
        _ => e.code().as_str().to_owned(),
    }
}

fn used_up(limit: Option<u64>) -> Error {
    let limit = limit.unwrap_or_default();
    Error::new(Code::PolicyDenied, format!("All {limit} agreed reads are used. (count)"))
}
