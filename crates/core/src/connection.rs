//! Connections: where a participant's sources lie outside the node's machine, and how they are reached.
//!
//! The settings here are shown to the participant's people; the secret part is kept sealed by the node, is never shown
//! again, and never leaves the node for a counterparty.

use crate::{
    error::{Error, Result},
    participant::Slug,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use url::Url;

/// Longest name of a connection: it stands in addresses and menus.
pub const CONNECTION_NAME_MAX_CHARS: usize = 60;
/// Longest of the other texts: a bucket, a host, a key.
pub const SETTING_MAX_CHARS: usize = 1_000;
/// Longest secret: session tokens of clouds have a few thousand characters.
pub const SECRET_MAX_CHARS: usize = 16_000;
/// Longest reason of a failed trial that is kept: sources answer in a sentence or two.
pub const CHECK_REASON_MAX_CHARS: usize = 1_000;
/// Most connections of a participant.
pub const CONNECTIONS_MAX: u32 = 200;

/// A named connection of a participant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    /// Whose it is.
    pub participant: Slug,
    /// Its name: letters, digits, `-`, `_`.
    pub name: String,
    /// Where it leads.
    #[serde(flatten)]
    pub target: Target,
    /// Whether an operator of the node made it: then it may lead into private networks.
    #[serde(default)]
    pub operator: bool,
    /// When it was made or last changed.
    pub created_at: Timestamp,
    /// How the last trial went since then; kept beside the document, since it changes without it.
    #[serde(skip)]
    pub last_check: Option<Check>,
}

/// A trial of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// When it ended.
    pub at: Timestamp,
    /// Whether it worked, or why not.
    pub outcome: Result<()>,
}

/// Where a connection leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum Target {
    /// S3 or what speaks its protocol.
    S3 {
        /// The service's address; absent for AWS itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        endpoint: Option<Url>,
        /// The region.
        region: String,
        /// The bucket.
        bucket: String,
        /// Whether the bucket stands in the path and not in the host name.
        #[serde(default)]
        path_style: bool,
        /// The public half of the key; absent for open buckets.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        access_key_id: Option<String>,
    },
    /// A PostgreSQL database.
    Postgres {
        /// Host name or address.
        host: String,
        /// Port.
        #[serde(default = "postgres_port")]
        port: u16,
        /// Database.
        database: String,
        /// User; should have the right to read and no other.
        user: String,
        /// Whether the connection must be encrypted.
        #[serde(default)]
        tls: Tls,
    },
}

const fn postgres_port() -> u16 {
    5432
}

/// Encryption of a database connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// Encrypted and verified; the default.
    #[default]
    Require,
    /// In the clear: for a database on the same machine or in a network of one's own.
    Disable,
}

/// The secret part. Its `Debug` shows nothing.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Secret {
    /// S3: the secret half of the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_access_key: Option<String>,
    /// S3: the token of temporary credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_token: Option<String>,
    /// PostgreSQL: the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Target {
    /// `s3` or `postgres`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::S3 { .. } => "s3",
            Self::Postgres { .. } => "postgres",
        }
    }

    /// Where it leads, for people: `s3://bucket at https://…`, `postgres://user@host:port/database`.
    pub fn place(&self) -> String {
        match self {
            Self::S3 { endpoint: Some(endpoint), bucket, .. } => {
                format!("s3://{bucket} at {}", endpoint.as_str().trim_end_matches('/'))
            }
            Self::S3 { endpoint: None, region, bucket, .. } => format!("s3://{bucket} at AWS {region}"),
            Self::Postgres { host, port, database, user, .. } => format!("postgres://{user}@{host}:{port}/{database}"),
        }
    }

    /// Checks the texts and that the secret is of this kind.
    ///
    /// # Errors
    /// [`crate::Code::Invalid`] naming the setting.
    pub fn check(&self, secret: &Secret) -> Result<()> {
        let text = |name: &str, value: &str| {
            if value.is_empty() || value.chars().count() > SETTING_MAX_CHARS || value.chars().any(char::is_control) {
                return Err(Error::invalid(format!("\"{name}\" is a text of 1 to {SETTING_MAX_CHARS} characters.")));
            }
            Ok(())
        };
        for value in [&secret.secret_access_key, &secret.session_token, &secret.password].into_iter().flatten() {
            if value.is_empty() || value.chars().count() > SECRET_MAX_CHARS || value.contains('\0') {
                return Err(Error::invalid(format!("A secret has 1 to {SECRET_MAX_CHARS} characters.")));
            }
        }
        match self {
            Self::S3 { endpoint, region, bucket, access_key_id, .. } => {
                text("region", region)?;
                text("bucket", bucket)?;
                if bucket.contains('/') {
                    return Err(Error::invalid("A bucket is named without a path; the path belongs to the product's source."));
                }
                if let Some(id) = access_key_id {
                    text("accessKeyId", id)?;
                }
                if access_key_id.is_some() != secret.secret_access_key.is_some() {
                    return Err(Error::invalid(
                        "\"accessKeyId\" and \"secretAccessKey\" are given together, or neither for an open bucket.",
                    ));
                }
                if secret.password.is_some() {
                    return Err(Error::invalid("\"password\" belongs to a database, not to S3."));
                }
                if let Some(url) = endpoint {
                    let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
                    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() || !plain {
                        return Err(Error::invalid("\"endpoint\" is an http or https address without user, query or fragment."));
                    }
                }
            }
            Self::Postgres { host, database, user, .. } => {
                text("host", host)?;
                text("database", database)?;
                text("user", user)?;
                if host.starts_with('/') {
                    return Err(Error::invalid("\"host\" is a name or an address; sockets are not supported."));
                }
                if secret.secret_access_key.is_some() || secret.session_token.is_some() {
                    return Err(Error::invalid("A database has a \"password\", not keys."));
                }
            }
        }
        Ok(())
    }
}

/// Checks the name of a connection.
///
/// # Errors
/// [`crate::Code::Invalid`].
pub fn check_name(name: &str) -> Result<()> {
    let ok = !name.is_empty()
        && name.len() <= CONNECTION_NAME_MAX_CHARS
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if ok {
        Ok(())
    } else {
        Err(Error::invalid(format!("A connection's name has 1 to {CONNECTION_NAME_MAX_CHARS} letters, digits, hyphens or underscores.")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn target(value: serde_json::Value) -> Target {
        serde_json::from_value(value).expect("reads")
    }

    #[test]
    fn settings_are_read_and_checked() {
        let s3 = target(
            json!({"kind": "s3", "endpoint": "http://127.0.0.1:9000", "region": "us-east-1", "bucket": "b", "pathStyle": true, "accessKeyId": "a"}),
        );
        assert_eq!(s3.place(), "s3://b at http://127.0.0.1:9000");
        let secret = Secret { secret_access_key: Some("s".into()), ..Secret::default() };
        s3.check(&secret).expect("good");
        assert!(s3.check(&Secret::default()).is_err(), "half a key");
        let pg = target(json!({"kind": "postgres", "host": "db.example.org", "database": "d", "user": "u"}));
        assert_eq!(pg.place(), "postgres://u@db.example.org:5432/d");
        assert!(pg.check(&secret).is_err(), "keys are no password");
        pg.check(&Secret { password: Some("p".into()), ..Secret::default() }).expect("good");
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }

    #[test]
    fn names_are_plain() {
        for (name, ok) in [("lake", true), ("lake-1_x", true), ("", false), ("a b", false), ("a/b", false)] {
            assert_eq!(check_name(name).is_ok(), ok, "{name}");
        }
    }
}
