//! People who sign in, and the participants they act for.

use super::{Tx, page, statements};
use crate::{
    dialect::Sql::Same,
    error::StoreError,
    value::{Row, vals},
};
use fondaco_core::{ids::UserId, participant::Slug, time::Timestamp};

/// A person.
#[derive(Clone, PartialEq, Eq)]
pub struct UserRow {
    /// Their id.
    pub id: UserId,
    /// What they type to sign in; unique.
    pub login: String,
    /// Their name.
    pub name: String,
    /// Argon2id, in PHC form.
    pub password_hash: String,
    /// Whether they run the node.
    pub admin: bool,
    /// When they were added.
    pub created_at: Timestamp,
}

impl std::fmt::Debug for UserRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserRow").field("id", &self.id).field("login", &self.login).finish_non_exhaustive()
    }
}

/// The participants of a person; each stands in one of the two lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memberships {
    /// Those they act for.
    pub acts_for: Vec<Slug>,
    /// Those of which they read everything as an auditor, and change nothing.
    pub audits: Vec<Slug>,
}

statements! {
    INSERT = Same("INSERT INTO user_account (id, login, name, password_hash, admin, created_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING");
    GET = Same("SELECT id, login, name, password_hash, admin, created_at FROM user_account WHERE id = $1");
    BY_LOGIN = Same("SELECT id, login, name, password_hash, admin, created_at FROM user_account WHERE login = $1");
    LIST = Same("SELECT id, login, name, password_hash, admin, created_at FROM user_account WHERE login > $1 ORDER BY login LIMIT $2");
    SET_PASSWORD = Same("UPDATE user_account SET password_hash = $2 WHERE id = $1");
    UPDATE = Same("UPDATE user_account SET name = $2, admin = $3 WHERE id = $1");
    DELETE = Same("DELETE FROM user_account WHERE id = $1");
    LOCK_ADMINS = Same("SELECT id FROM user_account WHERE admin = 1 FOR UPDATE");
    LEAVE = Same("DELETE FROM membership WHERE user_id = $1");
    JOIN = Same("INSERT INTO membership (user_id, participant, auditor) VALUES ($1, $2, $3) ON CONFLICT (user_id, participant) DO UPDATE SET auditor = excluded.auditor");
    MEMBERSHIPS = Same("SELECT participant, auditor FROM membership WHERE user_id = $1 ORDER BY participant");
}

fn read(row: &Row) -> Result<UserRow, StoreError> {
    Ok(UserRow {
        id: UserId::from_stored(row.text(0)?),
        login: row.string(1)?,
        name: row.string(2)?,
        password_hash: row.string(3)?,
        admin: row.flag(4)?,
        created_at: row.at(5)?,
    })
}

impl Tx {
    /// Adds a person.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the login is taken.
    pub fn user_insert(&mut self, user: &UserRow) -> Result<(), StoreError> {
        let params =
            vals![user.id.as_str(), user.login.as_str(), user.name.as_str(), user.password_hash.as_str(), user.admin, user.created_at];
        self.insert(INSERT, params, "the user")
    }

    /// By id.
    pub fn user_get(&mut self, id: &UserId) -> Result<Option<UserRow>, StoreError> {
        self.first(GET, vals![id.as_str()], read)
    }

    /// By login.
    pub fn user_by_login(&mut self, login: &str) -> Result<Option<UserRow>, StoreError> {
        self.first(BY_LOGIN, vals![login], read)
    }

    /// By login, after `after`.
    pub fn user_list(&mut self, after: Option<&str>, limit: u32) -> Result<Vec<UserRow>, StoreError> {
        self.list(LIST, vals![after.unwrap_or_default(), page(limit)], read)
    }

    /// Replaces the password's hash; false when there is no such person.
    pub fn user_set_password(&mut self, id: &UserId, password_hash: &str) -> Result<bool, StoreError> {
        Ok(self.execute(SET_PASSWORD, vals![id.as_str(), password_hash])? == 1)
    }

    /// Replaces a person's name and whether they run the node; false when there is no such person.
    pub fn user_update(&mut self, id: &UserId, name: &str, admin: bool) -> Result<bool, StoreError> {
        Ok(self.execute(UPDATE, vals![id.as_str(), name, admin])? == 1)
    }

    /// Removes a person, who must have no sessions left; false when there is no such person.
    pub fn user_delete(&mut self, id: &UserId) -> Result<bool, StoreError> {
        self.memberships_clear(id)?;
        Ok(self.execute(DELETE, vals![id.as_str()])? == 1)
    }

    /// Those who run the node. Until this transaction ends nobody else changes one of them.
    pub fn admins_lock(&mut self) -> Result<Vec<UserId>, StoreError> {
        self.list(LOCK_ADMINS, vals![], |row| Ok(UserId::from_stored(row.text(0)?)))
    }

    /// Lets a person act for nobody.
    pub fn memberships_clear(&mut self, user: &UserId) -> Result<(), StoreError> {
        self.execute(LEAVE, vals![user.as_str()]).map(drop)
    }

    /// Lets a person act for a participant, or only read everything of it as an auditor.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when one of them does not exist.
    pub fn membership_set(&mut self, user: &UserId, participant: &Slug, auditor: bool) -> Result<(), StoreError> {
        self.execute(JOIN, vals![user.as_str(), participant.as_str(), auditor]).map(drop)
    }

    /// Whom a person acts for, and whom they audit.
    pub fn memberships(&mut self, user: &UserId) -> Result<Memberships, StoreError> {
        let rows = self.list(MEMBERSHIPS, vals![user.as_str()], |row| Ok((row.parsed(0, Slug::parse)?, row.flag(1)?)))?;
        let mut memberships = Memberships::default();
        for (slug, auditor) in rows {
            if auditor { memberships.audits.push(slug) } else { memberships.acts_for.push(slug) }
        }
        Ok(memberships)
    }
}
