//! People and programs that use this node: sign-in, sessions, API tokens.

use super::{
    App, bounded,
    idempotency::{Key, Once, once},
};
use crate::{
    http::request_log,
    identity::{
        api_token,
        password::PASSWORD_MAX_BYTES,
        session::{self, SESSION_LIFE},
    },
};
use fondaco_core::{
    Code, Error, Result,
    ids::{TokenId, UserId},
    participant::Slug,
    time::Micros,
};
use fondaco_store::{ApiTokenRow, LoginAttempt, Memberships, SessionRow, Tx, UserRow};
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// Failed sign-ins per login name within [`LOGIN_WINDOW`]; the one after is refused unseen.
pub const LOGIN_ATTEMPTS_MAX: u32 = 10;
/// The window in which failed sign-ins count.
pub const LOGIN_WINDOW: Micros = Micros::from_secs(15 * 60);
/// Longest login name.
pub const LOGIN_MAX_CHARS: usize = 100;

/// Somebody who signed in.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Who.
    pub user: UserRow,
    /// The secret that names the session; its hash is what is stored.
    pub session: String,
}

/// The person behind a request.
#[derive(Clone, Debug)]
pub struct Person {
    /// Who.
    pub user: UserRow,
    /// The participants whose rooms they may enter, all of them for an administrator.
    pub participants: Vec<Slug>,
    /// Those of them in which they read as an auditor, and change nothing.
    pub audits: Vec<Slug>,
    /// Their session's CSRF token.
    pub csrf: String,
}

/// Refuses participants that somebody would both act for and audit: an auditor decides nothing of what they check. An
/// administrator acts for all.
///
/// # Errors
/// [`Code::Invalid`].
pub fn check(admin: bool, of: &Memberships) -> Result<()> {
    if admin && !of.audits.is_empty() {
        return Err(Error::invalid("An administrator acts for every participant, and audits none."));
    }
    match of.acts_for.iter().find(|slug| of.audits.contains(slug)) {
        Some(slug) => Err(Error::invalid(format!("Nobody both acts for a participant and audits it: \"{slug}\"."))),
        None => Ok(()),
    }
}

/// Who somebody is and what they may do, for the leaf of a change.
pub fn detail(user: &UserRow, of: &Memberships) -> Value {
    json!({"login": user.login, "name": user.name, "admin": user.admin, "participants": of.acts_for, "audits": of.audits})
}

/// Lets a person act for participants, and audit others.
///
/// # Errors
/// [`Code::NotFound`] for a participant that does not exist.
pub fn join(tx: &mut Tx, id: &UserId, of: &Memberships) -> Result<()> {
    let acts_for = of.acts_for.iter().map(|slug| (slug, false));
    for (slug, auditor) in acts_for.chain(of.audits.iter().map(|slug| (slug, true))) {
        if tx.participant_get(slug)?.is_none() {
            return Err(Error::not_found(format!("The participant {slug}")));
        }
        tx.membership_set(id, slug, auditor)?;
    }
    Ok(())
}

/// What a program may do.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its token.
    pub token: ApiTokenRow,
}

impl Program {
    /// Whether it may act for a participant.
    pub fn reaches(&self, slug: &Slug) -> bool {
        self.token.participant.as_ref().is_none_or(|p| p == slug)
    }
}

impl App {
    /// Adds a person.
    ///
    /// # Errors
    /// [`Code::Conflict`] when the login is taken.
    pub async fn user_add(
        &self,
        login: &str,
        name: &str,
        secret: &str,
        admin: bool,
        of: Memberships,
        key: Option<Key>,
    ) -> Result<Once<UserRow>> {
        check(admin, &of)?;
        let login = login.trim().to_lowercase();
        if login.is_empty() || login.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(Error::invalid("A login is a name or mail address without spaces."));
        }
        bounded("login", &login, LOGIN_MAX_CHARS)?;
        bounded("name", name, fondaco_core::participant::NAME_MAX_CHARS)?;
        let password_hash = self.passwords.hash(Zeroizing::new(secret.to_owned()), &*self.entropy).await?;
        let now = self.now();
        let user = UserRow {
            id: UserId::generate(now, &*self.entropy),
            login,
            name: name.trim().to_owned(),
            password_hash,
            admin,
            created_at: now,
        };
        let app = self.clone();
        self.store
            .tx("user.add", move |tx| {
                let add = |tx: &mut Tx| {
                    if tx.user_by_login(&user.login)?.is_some() {
                        return Err(Error::new(Code::Conflict, format!("The login \"{}\" exists already.", user.login)));
                    }
                    tx.user_insert(&user)?;
                    app.note_administration(tx, None, "user-added", user.id.as_str(), &detail(&user, &of))?;
                    join(tx, &user.id, &of)?;
                    Ok(user)
                };
                once(tx, key.as_ref(), add, |u| u.login.clone())
            })
            .await
    }

    /// Signs a person in. Unknown logins cost the same time as wrong passwords.
    ///
    /// # Errors
    /// [`Code::TooMany`] when throttled, [`Code::Unauthenticated`] otherwise.
    pub async fn sign_in(&self, login: &str, secret: &str) -> Result<SignedIn> {
        let login: String = login.trim().to_lowercase().chars().take(LOGIN_MAX_CHARS).collect();
        let now = self.now();
        let key = format!("login:{login}");
        let (throttle_key, wanted) = (key.clone(), login.clone());
        let (attempt, user) = self
            .store
            .tx("login.attempt", move |tx| -> Result<_> {
                let attempt = tx.login_attempt(&throttle_key, now, LOGIN_WINDOW, LOGIN_ATTEMPTS_MAX)?;
                Ok((attempt, tx.user_by_login(&wanted)?))
            })
            .await?;
        if let LoginAttempt::Throttled { until } = attempt {
            let minutes = (until.since(now).0 / 60_000_000).max(0) + 1;
            return Err(Error::new(Code::TooMany, format!("Too many attempts for this login. Try again in {minutes} minutes.")));
        }
        let wrong = || Error::new(Code::Unauthenticated, "The login or the password is wrong.");
        if secret.len() > PASSWORD_MAX_BYTES {
            return Err(wrong());
        }
        let hash = user.as_ref().map(|u| u.password_hash.as_str());
        if !self.passwords.verify(Zeroizing::new(secret.to_owned()), hash).await? {
            return Err(wrong());
        }
        let user = user.ok_or_else(wrong)?;
        let begun = session::begin(&*self.entropy);
        let row = SessionRow {
            id_hash: begun.id_hash,
            user: user.id.clone(),
            csrf: begun.csrf,
            created_at: now,
            expires_at: now.plus(SESSION_LIFE),
        };
        self.store
            .tx("login.done", move |tx| -> Result<()> {
                tx.login_clear(&key)?;
                tx.session_insert(&row)?;
                Ok(())
            })
            .await?;
        request_log::note_account(user.id.as_str());
        Ok(SignedIn { user, session: begun.id.to_string() })
    }

    /// The person a session belongs to.
    ///
    /// # Errors
    /// When the database fails; `None` when the session is unknown or over.
    pub async fn person(&self, session: &str) -> Result<Option<Person>> {
        let Some(hash) = session::hash(session) else { return Ok(None) };
        let now = self.now();
        let person = self
            .store
            .read("session.get", move |tx| -> Result<_> {
                let Some(row) = tx.session_get(&hash, now)? else { return Ok(None) };
                let Some(user) = tx.user_get(&row.user)? else { return Ok(None) };
                let (participants, audits) = if user.admin {
                    (tx.participant_list(None, PARTICIPANTS_SHOWN)?.into_iter().map(|p| p.slug).collect(), Vec::new())
                } else {
                    let Memberships { mut acts_for, audits } = tx.memberships(&user.id)?;
                    acts_for.extend(audits.iter().cloned());
                    (acts_for, audits)
                };
                Ok(Some(Person { user, participants, audits, csrf: row.csrf }))
            })
            .await?;
        if let Some(person) = &person {
            request_log::note_account(person.user.id.as_str());
        }
        Ok(person)
    }

    /// Ends a session.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sign_out(&self, session: &str) -> Result<()> {
        let Some(hash) = session::hash(session) else { return Ok(()) };
        self.store.tx("session.delete", move |tx| -> Result<_> { Ok(tx.session_delete(&hash)?) }).await.map(drop)
    }

    /// Makes an API token. The token itself is returned once and stored only as a hash.
    ///
    /// # Errors
    /// When the name is too long.
    pub async fn token_create(
        &self,
        name: &str,
        participant: Option<Slug>,
        write: bool,
        key: Option<Key>,
    ) -> Result<Once<(ApiTokenRow, String)>> {
        bounded("name", name, fondaco_core::participant::NAME_MAX_CHARS)?;
        if name.trim().is_empty() {
            return Err(Error::invalid("A token needs a name, so that you know later what it is for."));
        }
        let now = self.now();
        let token = api_token::generate(&*self.entropy);
        let row = ApiTokenRow {
            id: TokenId::generate(now, &*self.entropy),
            hash: token.hash,
            participant,
            write,
            name: name.trim().to_owned(),
            created_at: now,
            revoked_at: None,
            last_used_at: None,
        };
        let (app, made) = (self.clone(), (row, token.text.to_string()));
        self.store
            .tx("token.create", move |tx| {
                let create = |tx: &mut Tx| {
                    tx.api_token_insert(&made.0)?;
                    let row = &made.0;
                    let detail = json!({"name": row.name, "write": row.write});
                    app.note_administration(tx, row.participant.as_ref(), "token-made", row.id.as_str(), &detail)?;
                    Ok(made)
                };
                once(tx, key.as_ref(), create, |(row, _)| row.id.to_string())
            })
            .await
    }

    /// Revokes a token of a participant.
    ///
    /// # Errors
    /// [`Code::NotFound`] when the participant has no such token.
    pub async fn token_revoke(&self, slug: &Slug, id: &TokenId) -> Result<ApiTokenRow> {
        let (app, slug, id, now) = (self.clone(), slug.clone(), id.clone(), self.now());
        self.store
            .tx("token.revoke", move |tx| -> Result<_> {
                let find = |tx: &mut Tx| -> Result<_> { Ok(tx.api_token_list(Some(&slug))?.into_iter().find(|row| row.id == id)) };
                let row = find(tx)?.ok_or_else(|| Error::not_found("The token"))?;
                tx.api_token_revoke(&id, now)?;
                if row.revoked_at.is_none() {
                    app.note_administration(tx, Some(&slug), "token-revoked", id.as_str(), &json!({"name": row.name}))?;
                }
                find(tx)?.ok_or_else(|| Error::not_found("The token"))
            })
            .await
    }

    /// The program behind a token.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`].
    pub async fn program(&self, token: &str) -> Result<Program> {
        let wrong = || {
            Error::new(Code::Unauthenticated, "The API token is not valid. Make one with: fondaco token create --name NAME --scope read")
        };
        let hash = api_token::hash(token).ok_or_else(wrong)?;
        let now = self.now();
        let row = self
            .store
            .read("token.get", move |tx| -> Result<_> { Ok(tx.api_token_by_hash(&hash)?) })
            .await?
            .filter(|row| row.revoked_at.is_none())
            .ok_or_else(wrong)?;
        request_log::note_token(row.id.as_str());
        // The last use is a hint for people; once a minute is fine enough and keeps reads from writing.
        if row.last_used_at.is_none_or(|at| now.since(at) > Micros::from_secs(60)) {
            let id = row.id.clone();
            self.store.tx("token.touch", move |tx| -> Result<_> { Ok(tx.api_token_touch(&id, now)?) }).await?;
        }
        Ok(Program { token: row })
    }
}

/// Most participants offered in the console's switcher; beyond that one goes by address.
pub const PARTICIPANTS_SHOWN: u32 = 200;
