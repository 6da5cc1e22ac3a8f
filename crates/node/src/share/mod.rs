//! The Delta Sharing surface of a participant: `/p/{slug}/share/…`
//! ([protocol](https://github.com/delta-io/delta-sharing/blob/main/PROTOCOL.md)).
//!
//! A bearer token is good for one transfer, so it sees one share with one schema and one table, or one volume of OpenSharing
//! where it is for files: share = the participant's slug, schema = `default`, table or volume = the product id.

mod files;
mod listing;
mod oauth;
mod poll;
mod polled;
mod query;
mod table;

use crate::{
    app::{App, access::Grant, product_files::file_count},
    http::{bearer, problem::caused_by},
    secrets::seal::DerivedKey,
};
use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRequestParts, Path, State},
    http::{HeaderName, HeaderValue, StatusCode, header, request::Parts},
    middleware,
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use fondaco_core::{Code, Error, participant::Slug, product::ProductKind, time::Timestamp};
use fondaco_tables::{
    delta_sharing::{
        AnswerHead, ErrorBody, SharedTable, SharingError, headers,
        query::{MAX_BODY_BYTES, no_history, no_version_then},
    },
    governed::TablePlan,
    publish::PublishedTable,
};
use std::{collections::HashMap, sync::Arc};

pub use polled::PolledQueries;

/// The one schema of a share.
pub const SCHEMA: &str = "default";

/// The routes below `/p/{slug}/share`.
pub fn router() -> Router<App> {
    let table = "/shares/{share}/schemas/{schema}/tables/{table}";
    let at = |rest: &str| format!("{table}{rest}");
    Router::new()
        .route("/croissant.json", get(croissant))
        .route("/oauth/token", post(oauth::token))
        .route("/shares", get(listing::shares))
        .route("/shares/{share}", get(listing::share))
        .route("/shares/{share}/schemas", get(listing::schemas))
        .route("/shares/{share}/schemas/{schema}/tables", get(listing::tables))
        .route("/shares/{share}/all-tables", get(listing::tables))
        .route("/shares/{share}/all-volumes", get(listing::volumes))
        .route("/shares/{share}/schemas/{schema}/volumes", get(listing::volumes))
        .route("/shares/{share}/schemas/{schema}/volumes/{volume}", get(listing::volume))
        .route("/shares/{share}/schemas/{schema}/volumes/{volume}/temporary-volume-credentials", post(listing::volume_credentials))
        .route(table, get(table::version).head(table::version))
        .route(&at("/version"), get(table::version))
        .route(&at("/metadata"), get(table::metadata))
        .route(&at("/query"), post(query::query))
        .route(&at("/queries/{query}"), post(poll::poll))
        .route(&at("/changes"), get(table::changes))
        .route(&at("/temporary-table-credentials"), post(table::credentials))
        .route("/files/{transfer}/{version}/{file}", get(files::file))
        // A route, not a fallback: that of the whole listener would come first.
        .route("/{*rest}", any(unknown))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::map_response(in_shape))
}

/// What the framework refuses by itself (a body beyond the limit, a parameter that cannot be read, another method) is
/// told in the protocol's shape too.
async fn in_shape(response: Response) -> Response {
    let error = match response.status() {
        StatusCode::BAD_REQUEST => Error::invalid("The request's parameters or body cannot be read."),
        StatusCode::METHOD_NOT_ALLOWED => Error::new(Code::MethodNotAllowed, "This address does not know the method."),
        StatusCode::PAYLOAD_TOO_LARGE => Error::new(Code::TooLarge, format!("The body is larger than {MAX_BODY_BYTES} bytes.")),
        _ => return response,
    };
    if response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == headers::JSON) {
        return response;
    }
    let mut shaped = Refusal(error).into_response();
    if let Some(allowed) = response.headers().get(header::ALLOW) {
        shaped.headers_mut().insert(header::ALLOW, allowed.clone());
    }
    shaped
}

/// What the token is good for, described for loaders of machine learning. Not of the protocol; its clients do not ask.
async fn croissant(State(app): State<App>, granted: Granted) -> Result<Response, Refusal> {
    let shown = (!granted.plan.is_whole()).then(|| granted.plan.schema());
    Ok(json(StatusCode::OK, app.croissant_for(&granted.grant, shown).await?.to_string()))
}

async fn unknown() -> Refusal {
    Refusal(Error::new(Code::NotFound, "This is not an endpoint of Delta Sharing."))
}

/// An error in the protocol's shape.
#[derive(Debug)]
pub struct Refusal(pub Error);

impl<E: Into<Error>> From<E> for Refusal {
    fn from(e: E) -> Self {
        Self(e.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let code = self.0.code();
        let name = match code {
            Code::Unauthenticated => "UNAUTHENTICATED",
            Code::AccessEnded | Code::Unpaid | Code::PolicyDenied | Code::PolicyUnsupported | Code::Forbidden => "PERMISSION_DENIED",
            Code::NotFound => "RESOURCE_DOES_NOT_EXIST",
            Code::Internal | Code::DataDamaged => "INTERNAL_ERROR",
            _ => "INVALID_PARAMETER_VALUE",
        };
        // The code comes first in the message: the protocol's clients show nothing else of the body.
        let body = ErrorBody::new(name, format!("{} ({code})", self.0.message()));
        let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = json(status, body.to_json());
        if status == StatusCode::UNAUTHORIZED {
            // RFC 6750, section 3.
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"fondaco\""));
        }
        caused_by(response, self.0)
    }
}

/// A refusal by the protocol's own rules.
pub(super) fn refused(e: &SharingError) -> Response {
    let status = StatusCode::from_u16(e.status()).unwrap_or(StatusCode::BAD_REQUEST);
    caused_by(json(status, e.body().to_json()), Error::invalid(e.to_string()))
}

/// A JSON answer with the protocol's exact content type.
pub(super) fn json(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, HeaderValue::from_static(headers::JSON))], body).into_response()
}

/// What the caller's bearer token is good for, checked for this call: a table, or files.
pub struct Token {
    /// The grant.
    pub grant: Grant,
    /// The participant.
    pub slug: Slug,
}

/// The same, of a table.
#[derive(Clone)]
pub struct Granted {
    /// The grant.
    pub grant: Grant,
    /// The participant.
    pub slug: Slug,
    /// What of the table is shown.
    pub plan: Arc<TablePlan>,
    /// The table's description, as far as it is shown.
    pub table: PublishedTable,
}

impl FromRequestParts<App> for Token {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let Path(path) =
            Path::<HashMap<String, String>>::from_request_parts(parts, app).await.map_err(|_| Error::not_found("The table"))?;
        let slug = path.get("slug").and_then(|s| Slug::parse(s).ok()).ok_or_else(|| Error::not_found("The participant"))?;
        let token =
            bearer::token(&parts.headers).ok_or_else(|| Error::new(Code::Unauthenticated, "Send the bearer token of the profile file."))?;
        let transfer = app.access_tokens.verify_at(&slug, token, app.now())?;
        let grant = app.grant_with_view(&slug, &transfer).await?;
        let token = Self { grant, slug };
        token.check_names(&path)?;
        Ok(token)
    }
}

impl Token {
    /// What is not this token's does not exist.
    fn check_names(&self, path: &HashMap<String, String>) -> Result<(), Error> {
        use fondaco_tables::delta_sharing::listing::same_name;
        for (key, own) in [("share", self.slug.as_str()), ("schema", SCHEMA), ("table", self.name()), ("volume", self.name())] {
            if path.get(key).is_some_and(|asked| !same_name(asked, own)) {
                return Err(Error::not_found(format!("The {key}")));
            }
        }
        Ok(())
    }

    /// The name of the table or the volume.
    pub fn name(&self) -> &str {
        self.grant.product.reference.id.as_str()
    }

    /// The share's stable id.
    pub fn share_id(&self) -> String {
        stable_uuid(&format!("share:{}", self.slug))
    }
}

impl FromRequestParts<App> for Granted {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let token = Token::from_request_parts(parts, app).await?;
        Ok(Self::new(app, token.grant, token.slug)?)
    }
}

/// The table description of a grant's product.
pub(super) fn published(grant: &Grant) -> Result<PublishedTable, Error> {
    if grant.product.kind != ProductKind::Table {
        return Err(Error::not_found("A table under this token"));
    }
    serde_json::from_value(grant.product.content.clone())
        .map_err(|e| Error::new(Code::DataDamaged, "The product's description cannot be read.").with_internal(e))
}

impl Granted {
    fn new(app: &App, grant: Grant, slug: Slug) -> Result<Self, Error> {
        let table = published(&grant)?;
        let plan = Arc::new(app.table_plan(&grant)?);
        let table = if plan.is_whole() {
            table
        } else {
            // Nothing else of it: sums and profiles are of what is hidden, too.
            let schema = plan.schema().clone();
            PublishedTable {
                schema,
                files: Vec::new(),
                rows: 0,
                size_bytes: 0,
                profile: Vec::new(),
                inferred: None,
                delta_version: None,
                workbook: None,
                personal_data: Vec::new(),
            }
        };
        Ok(Self { grant, slug, plan, table })
    }

    /// The table's name.
    pub fn table_name(&self) -> &str {
        self.grant.product.reference.id.as_str()
    }

    /// A UUID that stays the same for what was agreed on, over its versions: clients key their caches by it. Another where
    /// another part of the table is shown.
    pub fn table_id(&self) -> String {
        let plan = if self.plan.is_whole() { String::new() } else { format!(":{}", self.plan.digest()) };
        stable_uuid(&format!("table:{}:{}{plan}", self.slug, self.grant.agreed.dataset_id()))
    }

    /// The same about the version that a request asks for, by its number or by its time. Where rows are hidden there is the
    /// newest alone: from earlier ones one would learn when what changed of the hidden ones.
    ///
    /// # Errors
    /// What the caller is answered.
    pub async fn asked_for(self, app: &App, version: Option<i64>, timestamp_ms: Option<i64>) -> Result<Self, Response> {
        if self.plan.hides_rows() {
            let product = &self.grant.product;
            let newest = version.is_none_or(|v| v == i64::from(product.reference.version))
                && timestamp_ms.is_none_or(|at| at >= product.created_at.as_millis());
            return if newest { Ok(self) } else { Err(refused(&no_history())) };
        }
        let granted = self.at_version(app, version).await.map_err(|e| Refusal(e).into_response())?;
        granted.at_time(app, timestamp_ms).await
    }

    /// The same for a continuation of the latest read that was counted: under the permission that this one was made by.
    ///
    /// # Errors
    /// As [`App::grant_of_read`].
    pub async fn continued(self, app: &App) -> Result<Self, Error> {
        let grant = app.grant_of_read(&self.slug, &self.grant.transfer.id).await?;
        Self::new(app, grant, self.slug)
    }

    /// The same about the newest version at a time, of those that the terms include.
    ///
    /// # Errors
    /// What the caller is answered.
    async fn at_time(self, app: &App, timestamp_ms: Option<i64>) -> Result<Self, Response> {
        let Some(at) = timestamp_ms else { return Ok(self) };
        let refuse = |e: Error| Refusal(e).into_response();
        let grant = app.grant_at_time(self.grant, Timestamp::from_micros(at.saturating_mul(1_000))).await.map_err(refuse)?;
        let grant = grant.ok_or_else(|| refused(&no_version_then()))?;
        Self::new(app, grant, self.slug).map_err(refuse)
    }

    /// The same about another version, where the terms include it.
    pub async fn at_version(self, app: &App, version: Option<i64>) -> Result<Self, Error> {
        let Some(version) = version.and_then(|v| u32::try_from(v).ok()).filter(|v| *v != self.grant.product.reference.version) else {
            return Ok(self);
        };
        let grant = app.grant_at_version(self.grant, version).await?;
        Self::new(app, grant, self.slug)
    }

    /// What the protocol crate needs to answer about it. `token_key` is the key of [`Granted::token_key`].
    pub fn shared<'a>(&'a self, id: &'a str, token_key: &'a [u8], now: Timestamp) -> SharedTable<'a> {
        SharedTable {
            id,
            name: self.table_name(),
            description: Some(self.grant.product.title.as_str()),
            version: i64::from(self.grant.product.reference.version),
            created_at_ms: self.grant.product.created_at.as_millis(),
            table: &self.table,
            files: self.plan.is_whole().then(|| file_count(&self.grant.product)),
            token_key,
            now_ms: now.as_millis(),
        }
    }

    /// The key of this agreement's page and refresh tokens.
    pub fn token_key(&self, app: &App) -> DerivedKey {
        app.sealer.derive(&format!("continuation-tokens:{}:{}", self.slug, self.grant.transfer.agreement_id))
    }
}

/// A UUID version 8 (custom) over a name: 122 bits of its SHA-256.
fn stable_uuid(name: &str) -> String {
    use sha2::Digest;
    let hash = sha2::Sha256::digest(name.as_bytes());
    let mut bytes = [0u8; 16];
    bytes.copy_from_slice(&hash[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

/// An NDJSON answer with the protocol's headers.
pub(super) fn ndjson(head: &AnswerHead, body: impl IntoResponse, file_id_hash: Option<&'static str>) -> Response {
    let mut response = body.into_response();
    let map = response.headers_mut();
    map.insert(header::CONTENT_TYPE, HeaderValue::from_static(headers::NDJSON));
    map.insert(HeaderName::from_static("delta-table-version"), HeaderValue::from(head.version));
    if let Ok(value) = HeaderValue::from_str(&head.capabilities) {
        map.insert(HeaderName::from_static(headers::CAPABILITIES), value);
    }
    if let Some(scheme) = file_id_hash {
        map.insert(HeaderName::from_static(headers::FILE_ID_HASH), HeaderValue::from_static(scheme));
    }
    response
}

/// A header as text.
pub(super) fn header_text<'a>(map: &'a axum::http::HeaderMap, name: &str) -> Option<&'a str> {
    map.get(name).and_then(|v| v.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{body::Body, http::Request};
    use tower::ServiceExt;

    /// The framework's refusals, without a node behind them.
    fn bare() -> Router {
        Router::new()
            .route("/query", post(async |_: axum::body::Bytes| ()))
            .route("/told", get(async || refused(&SharingError::InvalidParameter("our own words".into()))))
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .layer(middleware::map_response(in_shape))
    }

    async fn answer(method: &str, path: &str, bytes: usize) -> (Response<()>, serde_json::Value) {
        let request = Request::builder().method(method).uri(path).body(Body::from(vec![b' '; bytes])).expect("request");
        let (parts, body) = bare().oneshot(request).await.expect("answer").into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.expect("body");
        (Response::from_parts(parts, ()), serde_json::from_slice(&body).unwrap_or_default())
    }

    #[tokio::test]
    async fn what_the_framework_refuses_has_the_protocols_shape() {
        let (large, body) = answer("POST", "/query", MAX_BODY_BYTES + 1).await;
        assert_eq!((large.status().as_u16(), body["errorCode"].as_str()), (413, Some("INVALID_PARAMETER_VALUE")));
        let (method, body) = answer("GET", "/query", 0).await;
        assert_eq!((method.status().as_u16(), body["errorCode"].as_str()), (405, Some("INVALID_PARAMETER_VALUE")));
        assert_eq!(method.headers().get(header::ALLOW).expect("allow"), "POST");
        let (_, body) = answer("GET", "/told", 0).await;
        assert_eq!(body["message"], "our own words");
        assert_eq!(answer("POST", "/query", MAX_BODY_BYTES).await.0.status().as_u16(), 200);
    }
}
