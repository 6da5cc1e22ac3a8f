//! Agreements in force and ended, on both sides.

use super::{Tx, page, statements};
use crate::{
    dialect::Sql::Same,
    error::StoreError,
    value::{Row, json, vals},
};
use fondaco_core::{
    agreement::Agreement,
    decision::Rules,
    ids::NegotiationId,
    negotiation::Role,
    participant::{Declarations, Slug},
    policy::Policy,
    price::Payment,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

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
}

/// Which agreements of a participant to list, newest first.
#[derive(Clone, Debug)]
pub struct AgreementFilter {
    /// Only of this side.
    pub role: Option<Role>,
    /// Only about this dataset.
    pub dataset: Option<String>,
    /// Leave out what has ended.
    pub in_force_only: bool,
    /// Go on after this agreement's id.
    pub after: Option<String>,
    /// Most rows.
    pub limit: u32,
}

statements! {
    INSERT = Same("INSERT INTO agreement (participant, id, role, dataset, digest, created_at, ended_at, end_reason, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING");
    DIGEST = Same("SELECT digest FROM agreement WHERE participant = $1 AND id = $2");
    GET = Same("SELECT body, ended_at, end_reason FROM agreement WHERE participant = $1 AND id = $2");
    LOCK = Same("SELECT body, ended_at, end_reason FROM agreement WHERE participant = $1 AND id = $2 FOR UPDATE");
    CREATED = Same("SELECT created_at FROM agreement WHERE participant = $1 AND id = $2");
    LIST = Same("SELECT body, ended_at, end_reason FROM agreement WHERE participant = $1 AND ($2 = '' OR role = $2) AND ($3 = '' OR dataset = $3) AND ($4 = 0 OR ended_at IS NULL) AND (created_at, id) < ($5, $6) ORDER BY created_at DESC, id DESC LIMIT $7");
    SET_BODY = Same("UPDATE agreement SET body = $3 WHERE participant = $1 AND id = $2");
    END = Same("UPDATE agreement SET ended_at = $3, end_reason = $4 WHERE participant = $1 AND id = $2 AND ended_at IS NULL");
}

fn read(row: &Row) -> Result<AgreementRow, StoreError> {
    let mut found: AgreementRow = row.json(0)?;
    found.ended_at = row.opt_at(1)?;
    found.end_reason = row.opt_string(2)?;
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
            json(row)?
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

    /// By its id, to change what is kept beside it: it stays as read until the transaction ends.
    pub fn agreement_lock(&mut self, participant: &Slug, id: &str) -> Result<Option<AgreementRow>, StoreError> {
        self.first(LOCK, vals![participant.as_str(), id], read)
    }

    /// Newest first.
    pub fn agreement_list(&mut self, participant: &Slug, filter: &AgreementFilter) -> Result<Vec<AgreementRow>, StoreError> {
        let (before, id) = match filter.after.as_deref() {
            None => (i64::MAX, ""),
            Some(after) => match self.first(CREATED, vals![participant.as_str(), after], |row| row.int(0))? {
                Some(at) => (at, after),
                // No cursor of ours.
                None => return Ok(Vec::new()),
            },
        };
        let params = vals![
            participant.as_str(),
            filter.role.map_or("", Role::as_str),
            filter.dataset.as_deref().unwrap_or_default(),
            filter.in_force_only,
            before,
            id,
            page(filter.limit)
        ];
        self.list(LIST, params, read)
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

    /// Ends an agreement; false when it had ended or is unknown.
    pub fn agreement_end(&mut self, participant: &Slug, id: &str, now: Timestamp, reason: &str) -> Result<bool, StoreError> {
        Ok(self.execute(END, vals![participant.as_str(), id, now, reason])? == 1)
    }
}
