//! `/p/{slug}/connections`: where sources lie outside the node's machine.
//!
//! A secret goes in and never comes out. A changed connection needs its secret again, always: who may change the address
//! but does not know the secret could otherwise have it sent elsewhere.

use super::{
    answer::{self, Answer},
    flash::Notice,
    guard::{Form, Room, SignedIn},
    words,
};
use crate::app::{App, publish::SourceAccess};
use axum::{
    extract::{Path, Query, State},
    http::StatusCode,
};
use fondaco_console::{
    Text,
    fields::Problems,
    pages::{CheckResult, ConnectionForm, ConnectionPage, ConnectionRow, ConnectionsPage, LastCheck},
};
use fondaco_core::{
    Code, Error, Result,
    connection::{Connection, Secret, Target, Tls, check_name},
};
use serde::Deserialize;
use url::Url;

/// The port of PostgreSQL where none is said.
const POSTGRES_PORT: &str = "5432";
/// The region of services that have none.
const REGION: &str = "us-east-1";

/// Which kind is added.
#[derive(Debug, Deserialize)]
pub struct Asked {
    #[serde(default)]
    kind: String,
}

/// The connections.
pub async fn list(State(app): State<App>, room: Room) -> Answer {
    answer::html(&page(&app, room, None).await?)
}

async fn page(app: &App, room: Room, checked: Option<CheckResult>) -> Result<ConnectionsPage> {
    let connections = app.connections(&room.participant.slug).await?;
    let row = |c: &Connection| ConnectionRow {
        name: c.name.clone(),
        kind: c.target.kind().to_owned(),
        place: c.target.place(),
        changed: words::when(c.created_at),
        checked: c
            .last_check
            .as_ref()
            .map(|check| LastCheck { at: words::when(check.at), problem: check.outcome.as_ref().err().map(words::problem) }),
    };
    Ok(ConnectionsPage { connections: connections.iter().map(row).collect(), checked, layout: room.layout })
}

/// The form of a new one.
pub async fn add(room: Room, Query(asked): Query<Asked>) -> Answer {
    let form = match asked.kind.as_str() {
        "postgres" => ConnectionForm { kind: asked.kind, port: POSTGRES_PORT.to_owned(), ..ConnectionForm::default() },
        _ => ConnectionForm { kind: "s3".to_owned(), region: REGION.to_owned(), path_style: true, ..ConnectionForm::default() },
    };
    answer::html(&ConnectionPage { layout: room.layout, form, existing: false, problems: Problems::default() })
}

/// The form of one that there is.
pub async fn show(State(app): State<App>, room: Room, Path((_, name)): Path<(String, String)>) -> Answer {
    let connection = find(&app, &room, &name).await?.ok_or_else(|| Error::not_found("This connection"))?;
    let form = form_of(&connection);
    answer::html(&ConnectionPage { layout: room.layout, form, existing: true, problems: Problems::default() })
}

async fn find(app: &App, room: &Room, name: &str) -> Result<Option<Connection>> {
    Ok(app.connections(&room.participant.slug).await?.into_iter().find(|c| c.name == name))
}

fn form_of(connection: &Connection) -> ConnectionForm {
    let name = connection.name.clone();
    match &connection.target {
        Target::S3 { endpoint, region, bucket, path_style, access_key_id } => ConnectionForm {
            kind: "s3".to_owned(),
            name,
            endpoint: endpoint.as_ref().map(|e| e.as_str().trim_end_matches('/').to_owned()).unwrap_or_default(),
            region: region.clone(),
            bucket: bucket.clone(),
            path_style: *path_style,
            access_key_id: access_key_id.clone().unwrap_or_default(),
            ..ConnectionForm::default()
        },
        Target::Postgres { host, port, database, user, tls } => ConnectionForm {
            kind: "postgres".to_owned(),
            name,
            host: host.clone(),
            port: port.to_string(),
            database: database.clone(),
            user: user.clone(),
            plain: *tls == Tls::Disable,
            ..ConnectionForm::default()
        },
    }
}

/// Takes the form: adds it or replaces it, and tries it.
pub async fn save(State(app): State<App>, room: Room, signed_in: SignedIn, sent: Form) -> Answer {
    let (form, secret) = read(&sent);
    let existing = sent.get("existing").is_some();
    let (target, mut problems) = target(&form);
    let there = find(&app, &room, &form.name).await?;
    if check_name(&form.name).is_err() {
        problems.add("name", Text::say("connections-problem-name"));
    } else if !existing && there.is_some() {
        problems.add("name", Text::say("connections-problem-taken"));
    }
    if existing && there.as_ref().is_none_or(|c| c.target.kind() != form.kind) {
        return Err(Error::not_found("This connection").into());
    }
    if let Some(field) = missing_secret(&form, &secret) {
        problems.add(field, Text::say(if existing { "connections-problem-secret" } else { "connections-problem-needed" }));
    }
    let (Some(target), true) = (target, problems.is_empty()) else {
        return answer::with_status(StatusCode::BAD_REQUEST, &ConnectionPage { layout: room.layout, form, existing, problems });
    };
    let access = SourceAccess { operator: signed_in.person.user.admin };
    if let Err(why) = app.by(room.decider()).connection_put(&room.participant, &form.name, target, secret, access).await {
        if why.code() == Code::Internal {
            return Err(why.into());
        }
        problems.add("", words::problem(&why));
        return answer::with_error(&ConnectionPage { layout: room.layout, form, existing, problems }, &why);
    }
    let checked = try_out(&app, &room, &form.name).await?;
    answer::html(&page(&app, room, Some(checked)).await?)
}

/// Tries one.
pub async fn check(State(app): State<App>, room: Room, Path((_, name)): Path<(String, String)>) -> Answer {
    if find(&app, &room, &name).await?.is_none() {
        return Err(Error::not_found("This connection").into());
    }
    let checked = try_out(&app, &room, &name).await?;
    answer::html(&page(&app, room, Some(checked)).await?)
}

async fn try_out(app: &App, room: &Room, name: &str) -> Result<CheckResult> {
    Ok(match app.connection_check(&room.participant, name).await {
        Ok(said) => CheckResult { name: name.to_owned(), works: true, detail: Text::plain(said) },
        Err(why) if why.code() == Code::Internal => return Err(why),
        Err(why) => CheckResult { name: name.to_owned(), works: false, detail: words::problem_and_advice(&why) },
    })
}

/// Forgets one.
pub async fn remove(State(app): State<App>, room: Room, Path((_, name)): Path<(String, String)>) -> Answer {
    app.by(room.decider()).connection_remove(&room.participant.slug, &name).await?;
    answer::see_other(&app, &format!("{}/connections", room.base()), Some(Notice::ConnectionRemoved))
}

/// What the form says, and its secrets.
fn read(sent: &Form) -> (ConnectionForm, Secret) {
    let text = |name: &str| sent.get(name).unwrap_or_default().to_owned();
    // Passwords may begin with a space.
    let secret = |name: &str| sent.exact(name).filter(|s| !s.is_empty()).map(str::to_owned);
    let form = ConnectionForm {
        kind: if text("kind") == "postgres" { "postgres".to_owned() } else { "s3".to_owned() },
        name: text("name"),
        endpoint: text("endpoint"),
        region: text("region"),
        bucket: text("bucket"),
        path_style: sent.get("path-style").is_some(),
        access_key_id: text("access-key-id"),
        host: text("host"),
        port: text("port"),
        database: text("database"),
        user: text("database-user"),
        plain: sent.get("plain").is_some(),
    };
    let secret = if form.kind == "s3" {
        Secret { secret_access_key: secret("secret-access-key"), session_token: secret("session-token"), password: None }
    } else {
        Secret { password: secret("password"), ..Secret::default() }
    };
    (form, secret)
}

/// The field of a secret that is needed and was not typed. A database may need none.
fn missing_secret(form: &ConnectionForm, secret: &Secret) -> Option<&'static str> {
    let keyed = form.kind == "s3" && !form.access_key_id.is_empty();
    match (keyed, secret.secret_access_key.is_some()) {
        (true, false) => Some("secret-access-key"),
        (false, true) => Some("access-key-id"),
        _ => None,
    }
}

/// Where it leads, and what is wrong with that.
fn target(form: &ConnectionForm) -> (Option<Target>, Problems) {
    let mut problems = Problems::default();
    let mut needed = |field: &str, value: &str| {
        if value.is_empty() {
            problems.add(field, Text::say("connections-problem-needed"));
        }
        value.to_owned()
    };
    let target = if form.kind == "s3" {
        let (region, bucket) = (needed("region", &form.region), needed("bucket", &form.bucket));
        let endpoint = Some(form.endpoint.as_str()).filter(|e| !e.is_empty()).map(Url::parse);
        let plain = |u: &Url| {
            matches!(u.scheme(), "http" | "https")
                && u.username().is_empty()
                && u.password().is_none()
                && u.query().is_none()
                && u.fragment().is_none()
        };
        let endpoint = match endpoint {
            None => None,
            Some(Ok(url)) if plain(&url) => Some(url),
            Some(_) => {
                problems.add("endpoint", Text::say("connections-problem-endpoint"));
                None
            }
        };
        let access_key_id = Some(form.access_key_id.clone()).filter(|k| !k.is_empty());
        Target::S3 { endpoint, region, bucket, path_style: form.path_style, access_key_id }
    } else {
        let host = needed("host", &form.host);
        let (database, user) = (needed("database", &form.database), needed("database-user", &form.user));
        let port = if form.port.is_empty() { POSTGRES_PORT } else { &form.port };
        let port = port.parse::<u16>().ok().filter(|p| *p > 0);
        if port.is_none() {
            problems.add("port", Text::say("connections-problem-port"));
        }
        let tls = if form.plain { Tls::Disable } else { Tls::Require };
        Target::Postgres { host, port: port.unwrap_or_default(), database, user, tls }
    };
    (problems.is_empty().then_some(target), problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(fields: &[(&str, &str)]) -> Form {
        Form::parse(url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish().as_bytes())
    }

    #[test]
    fn forms_are_read_and_checked() {
        for (fields, wrong) in [
            (&[("kind", "s3"), ("region", "r"), ("bucket", "b")][..], &[][..]),
            (&[("kind", "s3"), ("region", "r")], &["bucket"]),
            (&[("kind", "s3"), ("region", "r"), ("bucket", "b"), ("endpoint", "ftp://x")], &["endpoint"]),
            (&[("kind", "s3"), ("region", "r"), ("bucket", "b"), ("endpoint", "http://u:p@x")], &["endpoint"]),
            (&[("kind", "postgres"), ("host", "h"), ("database", "d"), ("database-user", "u")], &[]),
            (&[("kind", "postgres"), ("host", "h"), ("database", "d"), ("database-user", "u"), ("port", "0")], &["port"]),
            (&[("kind", "postgres")], &["host", "database", "database-user"]),
        ] {
            let (target, problems) = target(&read(&sent(fields)).0);
            assert_eq!(problems.0.iter().map(|p| p.field.as_str()).collect::<Vec<_>>(), wrong, "{fields:?}");
            assert_eq!(target.is_some(), wrong.is_empty());
        }
    }

    #[test]
    fn secrets_are_asked_for_with_their_key() {
        for (key, secret, wrong) in
            [("", "", None), ("a", "s", None), ("a", "", Some("secret-access-key")), ("", "s", Some("access-key-id"))]
        {
            let (form, secret) = read(&sent(&[("kind", "s3"), ("access-key-id", key), ("secret-access-key", secret)]));
            assert_eq!(missing_secret(&form, &secret), wrong);
        }
        let (form, secret) = read(&sent(&[("kind", "postgres"), ("password", " x"), ("secret-access-key", "s")]));
        assert_eq!((secret.password.as_deref(), secret.secret_access_key.as_deref()), (Some(" x"), None));
        assert_eq!(missing_secret(&form, &secret), None);
    }

    #[test]
    fn a_connection_comes_back_as_its_form() {
        let (form, _) = read(&sent(&[
            ("kind", "s3"),
            ("name", "lake"),
            ("endpoint", "https://s3.example.org"),
            ("region", "r"),
            ("bucket", "b"),
            ("path-style", "yes"),
        ]));
        let target = target(&form).0.expect("a target");
        let connection: Connection = serde_json::from_value({
            let mut value = serde_json::to_value(&target).expect("json");
            value["participant"] = "acme".into();
            value["name"] = "lake".into();
            value["createdAt"] = serde_json::to_value(fondaco_core::time::Timestamp::from_micros(1)).expect("json");
            value
        })
        .expect("reads");
        assert_eq!(form_of(&connection), form);
    }
}
