//! Participants of this node: made with a key of their own.

use super::{App, bounded};
use crate::identity::keys::SigningKey;
use fondaco_core::{
    Code, Error, Result,
    decision::RuleSet,
    participant::{Did, NAME_MAX_CHARS, Participant, Slug},
};
use fondaco_store::KeyRow;

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
    /// Adds a participant and its first signing key.
    ///
    /// # Errors
    /// [`Code::Conflict`] when the slug is taken.
    pub async fn participant_add(&self, new: NewParticipant) -> Result<Participant> {
        let slug = Slug::parse(&new.slug)?;
        let name = new.name.trim().to_owned();
        if name.is_empty() {
            return Err(Error::invalid("A participant needs a name."));
        }
        bounded("name", &name, NAME_MAX_CHARS)?;
        if let Some(country) = &new.country {
            check_country(country)?;
        }
        let now = self.now();
        let did = Did::web(&self.config.public.url, &slug)?;
        let key = SigningKey::generate()?;
        let row = KeyRow {
            participant: slug.clone(),
            kid: key.kid().to_owned(),
            sealed_private: self.sealer.seal(&key_context(&slug), key.pkcs8()),
            public_jwk: key.public_jwk().clone(),
            created_at: now,
            retired_at: None,
        };
        let participant = Participant { slug, did, name, country: new.country, rules: RuleSet::default(), created_at: now };
        let stored = participant.clone();
        self.store
            .tx("participant.add", move |tx| -> Result<()> {
                if tx.participant_get(&stored.slug)?.is_some() {
                    return Err(Error::new(Code::Conflict, format!("The participant \"{}\" exists already.", stored.slug)));
                }
                tx.participant_insert(&stored)?;
                tx.key_insert(&row)?;
                Ok(())
            })
            .await?;
        Ok(participant)
    }

    /// A participant of this node.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub async fn participant(&self, slug: &str) -> Result<Participant> {
        let slug = Slug::parse(slug).map_err(|_| Error::not_found("The participant"))?;
        self.store
            .read("participant.get", move |tx| -> Result<_> { Ok(tx.participant_get(&slug)?) })
            .await?
            .ok_or_else(|| Error::not_found("The participant"))
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
