//! Agreements in force and ended, on both sides.

use super::{
    Tx, page, statements,
    usage::{Usage, usage},
};
use crate::{
    dialect::Sql::Same,
    error::StoreError,
    value::{Row, count, json, vals},
};
use fondaco_core::{
    agreement::Agreement,
    decision::Rules,
    ids::NegotiationId,
    life::{Life, LifeTerms, Phase},
    negotiation::Role,
    participant::{Declarations, Did, Slug},
    policy::Policy,
    price::Payment,
    product::ProductId,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// The kind of job that looks at the agreements of a participant whose time has come. Whoever writes a `due_at` that is
/// the participant's first writes such a job with it.
pub const AGREEMENT_DUE: &str = "agreement.due";

/// An agreement as one side keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgreementRow {
    /// Whose it is here.
    pub participant: Slug,
    /// Our side.
    pub role: Role,
    /// The document.
    pub agreement: Agreement,
    /// The negotiation it came from.
    pub negotiation_id: NegotiationId,
    /// The dataset.
    pub dataset: String,
    /// What the consumer declared.
    #[serde(default)]
    pub declared: Declarations,
    /// The policy this node enforces (provider).
    #[serde(default)]
    pub policy: Option<Policy>,
    /// The rules that decide about its transfers.
    #[serde(default)]
    pub rules: Rules,
    /// Since when it is no longer in force.
    #[serde(default)]
    pub ended_at: Option<Timestamp>,
    /// Why.
    #[serde(default)]
    pub end_reason: Option<String>,
    /// When it was recorded here.
    pub created_at: Timestamp,
    /// That its price was paid (provider).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<Payment>,
    /// What became of it; kept in columns of its own.
    #[serde(skip)]
    pub life: Life,
    /// Grows with each change of [`AgreementRow::life`].
    #[serde(skip)]
    pub revision: u64,
    /// The negotiation that is to renew it (consumer).
    #[serde(skip)]
    pub renewing: Option<NegotiationId>,
}

impl AgreementRow {
    /// The other side.
    pub const fn peer(&self) -> &Did {
        match self.role {
            Role::Provider => &self.agreement.assignee,
            Role::Consumer => &self.agreement.assigner,
        }
    }

    /// What its terms say about its life.
    pub fn terms(&self) -> LifeTerms {
        LifeTerms::of(self.policy.as_ref(), self.agreement.timestamp, self.agreement.assignee.as_str())
    }
}

/// Which agreements of a participant to list, newest first.
#[derive(Clone, Debug)]
pub struct AgreementFilter {
    /// Only of this side.
    pub role: Option<Role>,
    /// Only about this dataset.
    pub dataset: Option<String>,
    /// Only with this other side.
    pub peer: Option<Did>,
    /// Only where it stands here.
    pub phase: Option<Phase>,
    /// Go on after this agreement's id.
    pub after: Option<String>,
    /// Most rows.
    pub limit: u32,
}

statements! {
    INSERT = Same("INSERT INTO agreement (participant, id, role, dataset, digest, created_at, ended_at, end_reason, body, state, due_at, life, life_revision, peer_did) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, $13) ON CONFLICT DO NOTHING");
    DIGEST = Same("SELECT digest FROM agreement WHERE participant = $1 AND id = $2");
    GET = Same("SELECT body, ended_at, end_reason, life, life_revision, renewing FROM agreement WHERE participant = $1 AND id = $2");
    LOCK = Same("SELECT body, ended_at, end_reason, life, life_revision, renewing FROM agreement WHERE participant = $1 AND id = $2 FOR UPDATE");
    CREATED = Same("SELECT created_at FROM agreement WHERE participant = $1 AND id = $2");
    LIST = Same("SELECT a.body, a.ended_at, a.end_reason, a.life, a.life_revision, a.renewing, COALESCE(u.reads, 0), COALESCE(u.requests, 0), COALESCE(u.row_count, 0), COALESCE(u.volume, 0) FROM agreement a LEFT JOIN agreement_usage u ON u.participant = a.participant AND u.agreement_id = a.id WHERE a.participant = $1 AND ($2 = '' OR a.role = $2) AND ($3 = '' OR a.dataset = $3) AND (a.created_at, a.id) < ($4, $5) ORDER BY a.created_at DESC, a.id DESC LIMIT $6");
    LIST_OF_STATE = Same("SELECT a.body, a.ended_at, a.end_reason, a.life, a.life_revision, a.renewing, COALESCE(u.reads, 0), COALESCE(u.requests, 0), COALESCE(u.row_count, 0), COALESCE(u.volume, 0) FROM agreement a LEFT JOIN agreement_usage u ON u.participant = a.participant AND u.agreement_id = a.id WHERE a.participant = $1 AND a.state = $7 AND ($2 = '' OR a.role = $2) AND ($3 = '' OR a.dataset = $3) AND (a.created_at, a.id) < ($4, $5) ORDER BY a.created_at DESC, a.id DESC LIMIT $6");
    LIST_WITH_PEER = Same("SELECT a.body, a.ended_at, a.end_reason, a.life, a.life_revision, a.renewing, COALESCE(u.reads, 0), COALESCE(u.requests, 0), COALESCE(u.row_count, 0), COALESCE(u.volume, 0) FROM agreement a LEFT JOIN agreement_usage u ON u.participant = a.participant AND u.agreement_id = a.id WHERE a.participant = $1 AND a.peer_did = $7 AND ($8 = '' OR a.state = $8) AND ($2 = '' OR a.role = $2) AND ($3 = '' OR a.dataset = $3) AND (a.created_at, a.id) < ($4, $5) ORDER BY a.created_at DESC, a.id DESC LIMIT $6");
    SET_BODY = Same("UPDATE agreement SET body = $3 WHERE participant = $1 AND id = $2");
    SET_LIFE = Same("UPDATE agreement SET state = $3, due_at = $4, life = $5, ended_at = $6, end_reason = $7, life_revision = life_revision + 1 WHERE participant = $1 AND id = $2 AND life_revision = $8");
    DUE = Same("SELECT id FROM agreement WHERE participant = $1 AND due_at <= $2 ORDER BY due_at, id LIMIT $3");
    NEXT_DUE = Same("SELECT MIN(due_at) FROM agreement WHERE participant = $1 AND due_at IS NOT NULL");
    TIMED = Same("SELECT id FROM agreement WHERE participant = $1 AND role = 'consumer' AND due_at IS NOT NULL AND id > $2 ORDER BY id LIMIT $3");
    OF_PRODUCT = Same("SELECT id FROM agreement WHERE participant = $1 AND role = 'provider' AND (dataset = $2 OR (dataset >= $3 AND dataset < $4)) AND state <> 'ended' AND state <> 'expired' AND id > $5 ORDER BY id LIMIT $6");
    RENEW = Same("UPDATE agreement SET renewing = $3 WHERE participant = $1 AND id = $2 AND role = 'consumer' AND COALESCE(renewing, '') = $4");
    RENEWED_BY = Same("SELECT id FROM agreement WHERE participant = $1 AND renewing = $2");
    LOCK_OWNER = Same("SELECT slug FROM participant WHERE slug = $1 FOR NO KEY UPDATE");
}

fn read(row: &Row) -> Result<AgreementRow, StoreError> {
    let mut found: AgreementRow = row.json(0)?;
    found.ended_at = row.opt_at(1)?;
    found.end_reason = row.opt_string(2)?;
    found.life = row.json(3)?;
    found.revision = row.count(4)?;
    found.renewing = row.opt_string(5)?.map(NegotiationId::from_stored);
    Ok(found)
}

impl Tx {
    /// Records an agreement. True: it is new; false: this very agreement was recorded before, and stays as it is.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the participant has another document under that id.
    pub fn agreement_insert(&mut self, row: &AgreementRow) -> Result<bool, StoreError> {
        let params = vals![
            row.participant.as_str(),
            row.agreement.id.as_str(),
            row.role.as_str(),
            row.dataset.as_str(),
            row.agreement.digest.as_str(),
            row.created_at,
            row.ended_at,
            row.end_reason.as_deref(),
            json(row)?,
            row.life.phase().as_str(),
            row.life.due_at(&row.terms()),
            json(&row.life)?,
            row.peer().as_str()
        ];
        if self.inserted(INSERT, params)? {
            return Ok(true);
        }
        let known = self.first(DIGEST, vals![row.participant.as_str(), row.agreement.id.as_str()], |found| found.string(0))?;
        if known.as_ref() == Some(&row.agreement.digest) {
            Ok(false)
        } else {
            Err(StoreError::Conflict("another agreement has this id".into()))
        }
    }

    /// By its id.
    pub fn agreement_get(&mut self, participant: &Slug, id: &str) -> Result<Option<AgreementRow>, StoreError> {
        self.first(GET, vals![participant.as_str(), id], read)
    }

    /// By its id, to change it: nobody else changes it until this transaction ends.
    pub fn agreement_lock(&mut self, participant: &Slug, id: &str) -> Result<Option<AgreementRow>, StoreError> {
        self.first(LOCK, vals![participant.as_str(), id], read)
    }

    /// Newest first.
    pub fn agreement_list(&mut self, participant: &Slug, filter: &AgreementFilter) -> Result<Vec<AgreementRow>, StoreError> {
        Ok(self.agreement_list_counted(participant, filter)?.into_iter().map(|(row, _)| row).collect())
    }

    /// Newest first, with what was used so far: one query, however many there are.
    pub fn agreement_list_counted(
        &mut self,
        participant: &Slug,
        filter: &AgreementFilter,
    ) -> Result<Vec<(AgreementRow, Usage)>, StoreError> {
        let (before, id) = match filter.after.as_deref() {
            None => (i64::MAX, ""),
            Some(after) => match self.first(CREATED, vals![participant.as_str(), after], |row| row.int(0))? {
                Some(at) => (at, after),
                // No cursor of ours.
                None => return Ok(Vec::new()),
            },
        };
        let (role, dataset) = (filter.role.map_or("", Role::as_str), filter.dataset.as_deref().unwrap_or_default());
        let counted = |row: &Row| Ok((read(row)?, usage(row, 6)?));
        let mut params = vals![participant.as_str(), role, dataset, before, id, page(filter.limit)].to_vec();
        let phase = filter.phase.map(Phase::as_str);
        let sql = match (&filter.peer, phase) {
            (Some(peer), phase) => {
                params.extend_from_slice(vals![peer.as_str(), phase.unwrap_or_default()]);
                LIST_WITH_PEER
            }
            (None, Some(phase)) => {
                params.extend_from_slice(vals![phase]);
                LIST_OF_STATE
            }
            (None, None) => LIST,
        };
        self.list(sql, &params, counted)
    }

    /// Replaces the rules that decide about an agreement's transfers. The agreement itself never changes. `row` is of
    /// [`Tx::agreement_lock`].
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when there is no such agreement.
    pub fn agreement_set_rules(&mut self, row: &AgreementRow, rules: &Rules) -> Result<(), StoreError> {
        self.agreement_set(&AgreementRow { rules: rules.clone(), ..row.clone() })
    }

    /// Records that its price was paid. `row` is of [`Tx::agreement_lock`].
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when there is no such agreement.
    pub fn agreement_set_payment(&mut self, row: &AgreementRow, payment: &Payment) -> Result<(), StoreError> {
        self.agreement_set(&AgreementRow { payment: Some(payment.clone()), ..row.clone() })
    }

    fn agreement_set(&mut self, row: &AgreementRow) -> Result<(), StoreError> {
        match self.execute(SET_BODY, vals![row.participant.as_str(), row.agreement.id.as_str(), json(row)?])? {
            0 => Err(StoreError::Conflict("the agreement does not exist".into())),
            _ => Ok(()),
        }
    }

    /// Notes what became of an agreement; false when it changed since `row` was read. One conditional statement, so that
    /// of two changes at once one is made anew.
    pub fn agreement_set_life(&mut self, row: &AgreementRow, life: &Life) -> Result<bool, StoreError> {
        let over = life.over.as_ref();
        let params = vals![
            row.participant.as_str(),
            row.agreement.id.as_str(),
            life.phase().as_str(),
            life.due_at(&row.terms()),
            json(life)?,
            over.map(|o| o.at),
            over.and_then(|o| o.reason.as_deref()),
            count(row.revision)
        ];
        Ok(self.execute(SET_LIFE, params)? == 1)
    }

    /// Holds back others who plan what happens to the participant's agreements next, until this transaction ends.
    pub fn agreements_plan(&mut self, participant: &Slug) -> Result<(), StoreError> {
        self.first(LOCK_OWNER, vals![participant.as_str()], |_| Ok(())).map(drop)
    }

    /// Agreements to which something happens by `now`, the first first.
    pub fn agreements_due(&mut self, participant: &Slug, now: Timestamp, limit: u32) -> Result<Vec<String>, StoreError> {
        self.list(DUE, vals![participant.as_str(), now, page(limit)], |row| row.string(0))
    }

    /// When something happens to one of the agreements next.
    pub fn agreements_next_due(&mut self, participant: &Slug) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.first(NEXT_DUE, vals![participant.as_str()], |row| row.opt_at(0))?.flatten())
    }

    /// Agreements of a consumer that something will happen to, by id.
    pub fn agreements_timed(&mut self, participant: &Slug, after: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        self.list(TIMED, vals![participant.as_str(), after, page(limit)], |row| row.string(0))
    }

    /// A provider's agreements about a product, whatever version, that are not over, by id.
    pub fn agreements_of_product(
        &mut self,
        participant: &Slug,
        product: &ProductId,
        after: &str,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        // A version's dataset is `id` or `id:2`; `;` is what follows `:`.
        let (from, to) = (format!("{product}:"), format!("{product};"));
        let params = vals![participant.as_str(), product.as_str(), from, to, after, page(limit)];
        self.list(OF_PRODUCT, params, |row| row.string(0))
    }

    /// Says which negotiation is to renew an agreement, in place of an earlier one; false when that is not the one
    /// (`before`) that was there. One conditional statement: no agreement is renewed twice.
    pub fn agreement_renew(
        &mut self,
        participant: &Slug,
        id: &str,
        by: &NegotiationId,
        before: Option<&NegotiationId>,
    ) -> Result<bool, StoreError> {
        let before = before.map_or("", NegotiationId::as_str);
        Ok(self.execute(RENEW, vals![participant.as_str(), id, by.as_str(), before])? == 1)
    }

    /// The agreement that a negotiation is to renew.
    pub fn agreement_renewed_by(&mut self, participant: &Slug, negotiation: &NegotiationId) -> Result<Option<String>, StoreError> {
        self.first(RENEWED_BY, vals![participant.as_str(), negotiation.as_str()], |row| row.string(0))
    }
}
