//! Participants of this node: made with a key of their own.

use super::{
    App, agreement_renewal, bounded, evidence,
    idempotency::{Key, Once, once},
};
use crate::identity::keys::SigningKey;
use fondaco_core::{
    Code, Error, Result,
    decision::{RuleSet, Rules},
    participant::{Did, NAME_MAX_CHARS, Participant, Slug},
};
use fondaco_store::{KeyRow, Tx};
use serde_json::json;

/// A new participant, as asked for.
#[derive(Clone, Debug)]
pub struct NewParticipant {
    /// Its short name.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// ISO 3166-1 alpha-2, if declared.
    pub country: Option<String>,
}

/// What sealed participant keys are bound to.
pub fn key_context(slug: &Slug) -> String {
    format!("participant-key:{slug}")
}

fn check_name(name: &str) -> Result<String> {
    let name = name.trim();
    if name.is_empty() {
        return Err(Error::invalid("A participant needs a name."));
    }
    bounded("name", name, NAME_MAX_CHARS)?;
    Ok(name.to_owned())
}

/// Checks a country code.
///
/// # Errors
/// [`Code::Invalid`].
pub fn check_country(code: &str) -> Result<()> {
    if code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase()) {
        return Ok(());
    }
    Err(Error::invalid("A country is an ISO 3166-1 alpha-2 code in capitals, for example \"CN\"."))
}

impl App {
    /// Changes a participant's name or country; `None` leaves it as it is. Agreements made keep what was declared for them.
    ///
    /// # Errors
    /// [`Code::Invalid`].
    pub async fn participant_change(
        &self,
        participant: &Participant,
        name: Option<String>,
        country: Option<String>,
    ) -> Result<Participant> {
        let mut changed = participant.clone();
        if let Some(name) = name {
            changed.name = check_name(&name)?;
        }
        if let Some(country) = country {
            check_country(&country)?;
            changed.country = Some(country);
        }
        let stored = changed.clone();
        let (app, differs) = (self.clone(), changed != *participant);
        self.store
            .tx("participant.change", move |tx| -> Result<()> {
                tx.participant_update(&stored)?;
                if differs {
                    let detail = json!({"name": stored.name, "country": stored.country});
                    app.note_administration(tx, Some(&stored.slug), "participant-changed", stored.slug.as_str(), &detail)?;
                }
                Ok(())
            })
            .await?;
        Ok(changed)
    }

    /// Adds a participant and its first signing key.
    ///
    /// # Errors
    /// [`Code::Conflict`] when the slug is taken.
    pub async fn participant_add(&self, new: NewParticipant, key: Option<Key>) -> Result<Participant> {
        let slug = Slug::parse(&new.slug)?;
        let name = check_name(&new.name)?;
        if let Some(country) = &new.country {
            check_country(country)?;
        }
        let now = self.now();
        let did = Did::web(&self.config.public.url, &slug)?;
        let signing = SigningKey::generate()?;
        let row = KeyRow {
            participant: slug.clone(),
            kid: signing.public_jwk().thumbprint(),
            sealed_private: self.sealer.seal(&key_context(&slug), signing.pkcs8(), &*self.entropy)?,
            public_jwk: serde_json::to_value(signing.public_jwk()).map_err(Error::internal_failure)?,
            created_at: now,
            retired_at: None,
        };
        let participant = Participant { slug, did, name, country: new.country, rules: RuleSet::default(), created_at: now };
        let app = self.clone();
        let done = self
            .store
            .tx("participant.add", move |tx| {
                let add = |tx: &mut Tx| {
                    if tx.participant_get(&participant.slug)?.is_some() {
                        return Err(Error::new(Code::Conflict, format!("The participant \"{}\" exists already.", participant.slug)));
                    }
                    tx.participant_insert(&participant)?;
                    tx.key_insert(&row)?;
                    let detail = evidence::participant_detail(&participant);
                    app.note_administration(tx, Some(&participant.slug), "participant-added", participant.slug.as_str(), &detail)?;
                    app.note_key(tx, &participant.did, &row)?;
                    Ok(participant)
                };
                once(tx, key.as_ref(), add, |p| p.slug.to_string())
            })
            .await?;
        match done {
            Once::Done(participant) => Ok(participant),
            Once::Before(slug) => self.participant(&slug).await,
        }
    }

    /// Checks that the webhooks of rules are addresses we may call.
    ///
    /// # Errors
    /// [`Code::AddressRefused`].
    pub fn check_webhooks(&self, rules: &Rules) -> Result<()> {
        rules.urls().try_for_each(|url| self.url(url).map(drop))
    }

    /// Sets what a participant does of its own accord as a consumer. Processes that run keep the rules they began with.
    ///
    /// # Errors
    /// [`Code::Invalid`] for a list that is too long.
    pub async fn participant_set_rules(&self, participant: &Participant, rules: RuleSet) -> Result<Participant> {
        rules.check()?;
        rules.all().try_for_each(|rules| self.check_webhooks(rules))?;
        let updated = Participant { rules, ..participant.clone() };
        let stored = updated.clone();
        let (app, changed, now) = (self.clone(), participant.rules != updated.rules, self.now());
        self.store
            .tx("participant.rules", move |tx| -> Result<_> {
                // Agreements that end by time follow the rules of the day.
                if changed {
                    agreement_renewal::plan_anew(tx, &stored.slug, "", now)?;
                    let detail = evidence::rules_detail(&stored.rules);
                    app.note_administration(tx, Some(&stored.slug), "rules-set", stored.slug.as_str(), &detail)?;
                }
                Ok(tx.participant_update(&stored)?)
            })
            .await?;
        Ok(updated)
    }

    /// A participant of this node.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub async fn participant(&self, slug: &str) -> Result<Participant> {
        let slug = Slug::parse(slug).map_err(|_| Error::not_found("The participant"))?;
        self.store.participant(&slug).await?.ok_or_else(|| Error::not_found("The participant"))
    }

    /// The key a participant signs with now.
    ///
    /// # Errors
    /// When it has none, or it cannot be opened with this node's master key.
    pub async fn signing_key(&self, slug: &Slug) -> Result<SigningKey> {
        if let Some(key) = self.keys.get(slug).await {
            return Ok(key);
        }
        let wanted = slug.clone();
        let rows = self.store.read("key.active", move |tx| -> Result<_> { Ok(tx.keys_active(&wanted)?) }).await?;
        let row = rows.into_iter().next_back().ok_or_else(|| Error::internal_failure(format!("{slug} has no active key")))?;
        let pkcs8 = self.sealer.open(&key_context(slug), &row.sealed_private)?;
        let key = SigningKey::from_pkcs8(&pkcs8)?;
        self.keys.insert(slug.clone(), key.clone()).await;
        Ok(key)
    }
}
