//! Who calls the admin API, and how far they reach.

use crate::{
    app::{App, cause::Decider, people::Program, publish::SourceAccess},
    http::{bearer, problem::ApiError},
};
use axum::{
    extract::{FromRequestParts, MatchedPath, Path},
    http::{Method, request::Parts},
};
use fondaco_core::{
    Code, Error, Result,
    participant::{Participant, Slug},
};
use std::collections::HashMap;

/// A caller with a valid token; a writing method needs a token that may write.
pub struct Caller {
    program: Program,
}

impl Caller {
    /// Its id, for the scope of idempotency keys.
    pub fn id(&self) -> &str {
        self.program.token.id.as_str()
    }
    /// As whom it decides.
    pub fn decider(&self) -> Decider {
        let token = &self.program.token;
        Decider { account: None, token: Some(if token.name.is_empty() { token.id.to_string() } else { token.name.clone() }) }
    }
    /// Refuses a token that is for one participant only.
    pub fn whole_node(&self) -> Result<()> {
        match &self.program.token.participant {
            None => Ok(()),
            Some(slug) => Err(Error::new(Code::Forbidden, format!("This token is for the participant \"{slug}\" only."))),
        }
    }
    /// Refuses a token that only reads, where rows of data are handed out: who reads everything about the deals, as an
    /// auditor does, uses nothing of what they are about.
    pub fn uses(&self) -> Result<()> {
        if self.program.token.write {
            return Ok(());
        }
        Err(Error::new(Code::Forbidden, "This token may only read. Rows of data are for tokens that may write."))
    }
    /// How far it reaches when it publishes: a token for the whole node is an operator's.
    pub fn source_access(&self) -> SourceAccess {
        SourceAccess { operator: self.program.token.participant.is_none() }
    }
    /// The participant it is bound to, if it is.
    pub fn bound_to(&self) -> Option<&Slug> {
        self.program.token.participant.as_ref()
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let token = bearer::token(&parts.headers)
            .ok_or_else(|| Error::new(Code::Unauthenticated, "Send an API token: Authorization: Bearer fdc_…"))?;
        let program = app.program(token).await?;
        if !parts.method.is_safe() && !program.token.write && !is_query(parts) {
            return Err(ApiError(Error::new(Code::Forbidden, "This token may only read.")));
        }
        Ok(Self { program })
    }
}

/// The operation that reads a peer's catalogue: a POST, for what is asked for is long. All it leaves behind is the peer in
/// the list of those met. It is known by its route: names and ids in a path are chosen by callers, and may be "catalog".
fn is_query(parts: &Parts) -> bool {
    let route = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str);
    parts.method == Method::POST && route == Some("/api/v1/participants/{slug}/catalog")
}

/// A caller and the participant of the path, which its token reaches.
pub struct Acting {
    /// The caller.
    pub caller: Caller,
    /// The participant.
    pub participant: Participant,
}

impl FromRequestParts<App> for Acting {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, app).await?;
        let Path(path) =
            Path::<HashMap<String, String>>::from_request_parts(parts, app).await.map_err(|_| Error::not_found("The participant"))?;
        let slug = path.get("slug").map(String::as_str).unwrap_or_default();
        // Somebody else's participant does not exist for this token.
        let missing = || Error::not_found(format!("The participant \"{slug:.80}\""));
        let parsed = Slug::parse(slug).map_err(|_| missing())?;
        if !caller.program.reaches(&parsed) {
            return Err(ApiError(missing()));
        }
        let participant = app.participant(slug).await?;
        Ok(Self { caller, participant })
    }
}
