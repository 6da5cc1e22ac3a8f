//! `/api/v1/users`: people who sign in to the console.

use super::{Body, KeyHeader, Segments, auth::Caller};
use crate::{
    app::{App, idempotency::Once, people_change::UserChange},
    http::problem::{ApiResult, Problem},
};
use axum::{Json, extract::State, http::StatusCode};
use fondaco_core::{Error, Result, participant::Slug};
use fondaco_store::{Memberships, UserRow};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A person.
#[derive(Serialize, ToSchema)]
pub struct UserBody {
    id: String,
    login: String,
    name: String,
    admin: bool,
    /// Participants they may act for; an administrator acts for all.
    participants: Vec<String>,
    /// Participants of which they read everything as an auditor, and change nothing.
    audits: Vec<String>,
    /// Only in the answer that made them, and only when the node chose it.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

fn slugs(all: &[String]) -> Result<Vec<Slug>> {
    all.iter().map(|s| Slug::parse(s)).collect()
}

fn body(user: &UserRow, of: &Memberships) -> UserBody {
    let named = |slugs: &[Slug]| slugs.iter().map(ToString::to_string).collect();
    UserBody {
        id: user.id.to_string(),
        login: user.login.clone(),
        name: user.name.clone(),
        admin: user.admin,
        participants: named(&of.acts_for),
        audits: named(&of.audits),
        password: None,
    }
}

/// People.
#[derive(Serialize, ToSchema)]
pub struct UsersBody {
    users: Vec<UserBody>,
}

/// A person to add.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUserBody {
    login: String,
    #[serde(default)]
    name: String,
    /// At least 12 characters; chosen by the node when left out.
    #[serde(default)]
    password: Option<String>,
    #[serde(default)]
    admin: bool,
    #[serde(default)]
    participants: Vec<String>,
    /// Participants of which they read everything as an auditor, and change nothing.
    #[serde(default)]
    audits: Vec<String>,
}

/// List people.
#[utoipa::path(get, path = "/api/v1/users", tag = "users", responses((status = 200, body = UsersBody)))]
pub async fn list(State(app): State<App>, caller: Caller) -> ApiResult<Json<UsersBody>> {
    caller.whole_node()?;
    let users = app.users().await?;
    Ok(Json(UsersBody { users: users.iter().map(|(user, of)| body(user, of)).collect() }))
}

/// Add a person.
#[utoipa::path(post, path = "/api/v1/users", tag = "users", request_body = NewUserBody,
    params(("Idempotency-Key" = Option<String>, Header)), responses((status = 201, body = UserBody), (status = 409, body = Problem)))]
pub async fn add(
    State(app): State<App>,
    caller: Caller,
    key: KeyHeader,
    Body(new): Body<NewUserBody>,
) -> ApiResult<(StatusCode, Json<UserBody>)> {
    caller.whole_node()?;
    let key = key.key(&caller, "users.add", &new)?;
    let of = Memberships { acts_for: slugs(&new.participants)?, audits: slugs(&new.audits)? };
    let chosen = new.password.is_none().then(|| app.password_chosen());
    let secret = new.password.as_deref().or(chosen.as_deref()).unwrap_or_default();
    match app.by(caller.decider()).user_add(&new.login, &new.name, secret, new.admin, of.clone(), key).await? {
        Once::Done(user) => Ok((StatusCode::CREATED, Json(UserBody { password: chosen, ..body(&user, &of) }))),
        Once::Before(login) => {
            let found = app
                .store
                .read("user.get", move |tx| -> Result<_> {
                    let Some(user) = tx.user_by_login(&login)? else { return Ok(None) };
                    let of = tx.memberships(&user.id)?;
                    Ok(Some(body(&user, &of)))
                })
                .await?;
            Ok((StatusCode::CREATED, Json(found.ok_or_else(|| Error::not_found("The person"))?)))
        }
    }
}

/// What to change about a person; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserChangeBody {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    admin: Option<bool>,
    /// All the participants they may act for; they audit none of these any more.
    #[serde(default)]
    participants: Option<Vec<String>>,
    /// All the participants they audit; they act for none of these any more.
    #[serde(default)]
    audits: Option<Vec<String>>,
}

/// Change a person. The last administrator stays one.
#[utoipa::path(patch, path = "/api/v1/users/{login}", tag = "users", params(("login" = String, Path)), request_body = UserChangeBody,
    responses((status = 200, body = UserBody), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    path: Segments,
    Body(change): Body<UserChangeBody>,
) -> ApiResult<Json<UserBody>> {
    caller.whole_node()?;
    let user = app.user_by_login(path.get("login")).await?;
    let participants = change.participants.as_deref().map(slugs).transpose()?;
    let audits = change.audits.as_deref().map(slugs).transpose()?;
    let change = UserChange { name: change.name, admin: change.admin, participants, audits };
    let (user, of) = app.by(caller.decider()).user_change(&user.id, change).await?;
    Ok(Json(body(&user, &of)))
}

/// Remove a person and end their sessions. The last administrator stays.
#[utoipa::path(delete, path = "/api/v1/users/{login}", tag = "users", params(("login" = String, Path)),
    responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn remove(State(app): State<App>, caller: Caller, path: Segments) -> ApiResult<StatusCode> {
    caller.whole_node()?;
    let user = app.user_by_login(path.get("login")).await?;
    app.by(caller.decider()).user_remove(&user.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A password to set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordBody {
    /// At least 12 characters; chosen by the node when left out.
    #[serde(default)]
    password: Option<String>,
}

/// Give a person another password and end their sessions.
#[utoipa::path(post, path = "/api/v1/users/{login}/password", tag = "users", params(("login" = String, Path)), request_body = PasswordBody,
    responses((status = 200, body = UserBody), (status = 404, body = Problem)))]
pub async fn set_password(
    State(app): State<App>,
    caller: Caller,
    path: Segments,
    Body(new): Body<PasswordBody>,
) -> ApiResult<Json<UserBody>> {
    caller.whole_node()?;
    let user = app.user_by_login(path.get("login")).await?;
    let chosen = new.password.is_none().then(|| app.password_chosen());
    let secret = new.password.as_deref().or(chosen.as_deref()).unwrap_or_default();
    app.by(caller.decider()).user_set_password(&user.id, secret).await?;
    let (user, of) = app.account(&user.id).await?;
    Ok(Json(UserBody { password: chosen, ..body(&user, &of) }))
}
