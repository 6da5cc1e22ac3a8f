//! Changing who may sign in: names, memberships, passwords, removal.
//!
//! Whoever gets another password or is removed loses their sessions with it, so that nothing goes on under an old password or
//! for somebody who is gone. What somebody may do is read anew with each request, so a change of it needs no end of sessions.
//! A node always keeps one administrator.

use super::{
    App, bounded,
    people::{self, LOGIN_ATTEMPTS_MAX, LOGIN_WINDOW, Person},
};
use crate::{
    identity::{password::PASSWORD_MAX_BYTES, session},
    secrets::entropy::random_text,
};
use fondaco_core::{
    Code, Error, Result,
    ids::UserId,
    participant::{NAME_MAX_CHARS, Slug},
};
use fondaco_store::{LoginAttempt, Memberships, Tx, UserRow};
use serde_json::json;
use zeroize::Zeroizing;

/// Most people listed.
pub const USERS_MAX: u32 = 1_000;
/// Random bytes of a password that the node chooses: 96 bits.
const CHOSEN_BYTES: usize = 12;

/// What to change about a person; `None` leaves it.
#[derive(Clone, Debug, Default)]
pub struct UserChange {
    /// Their name.
    pub name: Option<String>,
    /// Whether they run the node.
    pub admin: Option<bool>,
    /// All the participants they may act for; they audit none of these any more.
    pub participants: Option<Vec<Slug>>,
    /// All the participants they audit; they act for none of these any more.
    pub audits: Option<Vec<Slug>>,
}

impl UserChange {
    /// Somebody's participants after it; `None` when it is not about them. Who is named in one list leaves the other.
    fn memberships(&self, before: &Memberships) -> Option<Memberships> {
        let without = |all: &[Slug], named: &Option<Vec<Slug>>| -> Vec<Slug> {
            all.iter().filter(|slug| named.as_ref().is_none_or(|named| !named.contains(slug))).cloned().collect()
        };
        match (self.participants.clone(), self.audits.clone()) {
            (None, None) => None,
            (Some(acts_for), Some(audits)) => Some(Memberships { acts_for, audits }),
            (Some(acts_for), None) => Some(Memberships { audits: without(&before.audits, &self.participants), acts_for }),
            (None, Some(audits)) => Some(Memberships { acts_for: without(&before.acts_for, &self.audits), audits }),
        }
    }
}

/// Somebody who can sign in, and their participants.
pub type Account = (UserRow, Memberships);

/// Refuses what would leave the node without an administrator.
fn keep_an_admin(tx: &mut Tx, id: &UserId) -> Result<()> {
    let admins = tx.admins_lock()?;
    if admins.len() == 1 && admins.contains(id) {
        return Err(Error::new(Code::Conflict, "This is the last administrator. Make somebody else one first."));
    }
    Ok(())
}

fn account(tx: &mut Tx, id: &UserId) -> Result<Account> {
    let user = tx.user_get(id)?.ok_or_else(|| Error::not_found("The person"))?;
    let memberships = tx.memberships(id)?;
    Ok((user, memberships))
}

impl App {
    /// A password as the node chooses one.
    pub fn password_chosen(&self) -> String {
        random_text::<CHOSEN_BYTES>(&*self.entropy)
    }

    /// Everybody who can sign in, by login; at most [`USERS_MAX`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn users(&self) -> Result<Vec<Account>> {
        self.store
            .read("user.list", |tx| -> Result<_> {
                let users = tx.user_list(None, USERS_MAX)?;
                users.into_iter().map(|user| Ok((tx.memberships(&user.id)?, user))).map(|r| r.map(|(p, u)| (u, p))).collect()
            })
            .await
    }

    /// The person with a login.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub async fn user_by_login(&self, login: &str) -> Result<UserRow> {
        let login = login.trim().to_lowercase();
        let found = self.store.read("user.get", move |tx| -> Result<_> { Ok(tx.user_by_login(&login)?) }).await?;
        found.ok_or_else(|| Error::not_found("The person"))
    }

    /// Somebody, and their participants.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub async fn account(&self, id: &UserId) -> Result<Account> {
        let id = id.clone();
        self.store.read("user.get", move |tx| account(tx, &id)).await
    }

    /// Changes a person's name, participants, or whether they run the node.
    ///
    /// # Errors
    /// [`Code::NotFound`]; [`Code::Conflict`] for the last administrator.
    pub async fn user_change(&self, id: &UserId, change: UserChange) -> Result<Account> {
        bounded("name", change.name.as_deref().unwrap_or_default(), NAME_MAX_CHARS)?;
        let (app, id) = (self.clone(), id.clone());
        self.store
            .tx("user.change", move |tx| -> Result<_> {
                if change.admin == Some(false) {
                    keep_an_admin(tx, &id)?;
                }
                let (user, before) = account(tx, &id)?;
                let was = people::detail(&user, &before);
                let (admin, memberships) = (change.admin.unwrap_or(user.admin), change.memberships(&before));
                people::check(admin, memberships.as_ref().unwrap_or(&before))?;
                let name = change.name.map_or(user.name, |name| name.trim().to_owned());
                tx.user_update(&id, &name, admin)?;
                if let Some(memberships) = memberships {
                    tx.memberships_clear(&id)?;
                    people::join(tx, &id, &memberships)?;
                }
                // What came of it: a name in one list leaves the other, and nobody may have asked for that.
                let (user, of) = account(tx, &id)?;
                let is = people::detail(&user, &of);
                if is != was {
                    app.note_administration(tx, None, "user-changed", id.as_str(), &is)?;
                }
                Ok((user, of))
            })
            .await
    }

    /// Removes a person and ends their sessions.
    ///
    /// # Errors
    /// [`Code::NotFound`]; [`Code::Conflict`] for the last administrator.
    pub async fn user_remove(&self, id: &UserId) -> Result<()> {
        let (app, id) = (self.clone(), id.clone());
        self.store
            .tx("user.remove", move |tx| -> Result<()> {
                keep_an_admin(tx, &id)?;
                tx.sessions_end(&id, None)?;
                let (user, _) = account(tx, &id)?;
                app.note_administration(tx, None, "user-removed", id.as_str(), &json!({"login": user.login}))?;
                if tx.user_delete(&id)? { Ok(()) } else { Err(Error::not_found("The person")) }
            })
            .await
    }

    /// Gives a person another password, as an administrator, and ends their sessions.
    ///
    /// # Errors
    /// [`Code::NotFound`]; [`Code::Invalid`] for a password that is too short or too long.
    pub async fn user_set_password(&self, id: &UserId, secret: &str) -> Result<()> {
        self.store_password(id, secret, None).await
    }

    /// Changes one's own password. Other sessions end; the one it is done in goes on.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`] when the old password is wrong, [`Code::TooMany`] when that was tried too often.
    pub async fn password_change(&self, person: &Person, session: &str, old: &str, new: &str) -> Result<()> {
        let (now, key) = (self.now(), format!("password:{}", person.user.id));
        let attempt = {
            let key = key.clone();
            let attempt = move |tx: &mut Tx| -> Result<_> { Ok(tx.login_attempt(&key, now, LOGIN_WINDOW, LOGIN_ATTEMPTS_MAX)?) };
            self.store.tx("password.attempt", attempt).await?
        };
        if let LoginAttempt::Throttled { until } = attempt {
            let minutes = (until.since(now).0 / 60_000_000).max(0) + 1;
            return Err(Error::new(Code::TooMany, format!("Too many attempts. Try again in {minutes} minutes.")));
        }
        let hash = Some(person.user.password_hash.as_str());
        if old.len() > PASSWORD_MAX_BYTES || !self.passwords.verify(Zeroizing::new(old.to_owned()), hash).await? {
            return Err(Error::new(Code::Unauthenticated, "The old password is wrong."));
        }
        self.store_password(&person.user.id, new, session::hash(session)).await?;
        self.store.tx("password.done", move |tx| -> Result<()> { Ok(tx.login_clear(&key)?) }).await
    }

    async fn store_password(&self, id: &UserId, secret: &str, keep: Option<String>) -> Result<()> {
        let hash = self.passwords.hash(Zeroizing::new(secret.to_owned()), &*self.entropy).await?;
        let (app, id) = (self.clone(), id.clone());
        self.store
            .tx("user.password", move |tx| -> Result<()> {
                if !tx.user_set_password(&id, &hash)? {
                    return Err(Error::not_found("The person"));
                }
                tx.sessions_end(&id, keep.as_deref())?;
                app.note_administration(tx, None, "password-set", id.as_str(), &json!({}))
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slugs(all: &[&str]) -> Vec<Slug> {
        all.iter().map(|s| Slug::parse(s).expect("a slug")).collect()
    }

    #[test]
    fn who_is_named_in_one_list_leaves_the_other() {
        let before = || Memberships { acts_for: slugs(&["acme", "beta"]), audits: slugs(&["gamma"]) };
        let change = |participants: Option<&[&str]>, audits: Option<&[&str]>| {
            let change = UserChange { participants: participants.map(slugs), audits: audits.map(slugs), ..UserChange::default() };
            change.memberships(&before())
        };
        assert_eq!(change(None, None), None);
        assert_eq!(change(None, Some(&["acme"])), Some(Memberships { acts_for: slugs(&["beta"]), audits: slugs(&["acme"]) }));
        assert_eq!(change(Some(&["gamma"]), None), Some(Memberships { acts_for: slugs(&["gamma"]), audits: slugs(&[]) }));
        assert_eq!(change(Some(&[]), None), Some(Memberships { acts_for: slugs(&[]), audits: slugs(&["gamma"]) }));
        let both = change(Some(&["acme"]), Some(&["acme"])).expect("a change");
        assert!(people::check(false, &both).is_err(), "an auditor decides nothing");
        assert!(people::check(false, &before()).is_ok());
        assert!(people::check(true, &before()).is_err(), "an administrator acts for all");
        assert!(people::check(true, &Memberships { audits: Vec::new(), ..before() }).is_ok());
    }
}
