//! The admin API: `/api/v1/…` for our own programs, `/openapi.json`, and the probes.
//!
//! Never open without a credential, loopback included. A token is for the whole node or for one participant, and for
//! reading or for writing.

mod agreements;
mod audit;
mod auth;
mod catalog;
mod connections;
mod datasets;
mod evidence;
mod feeds;
mod lineage;
mod log;
mod negotiations;
mod node;
mod participants;
mod probes;
mod products;
mod publications;
mod report;
mod tokens;
mod transfers;
pub mod types;
mod users;
mod versions;

use crate::{
    app::{App, idempotency::Key},
    http::problem::{ApiError, MEDIA_TYPE, Problem},
};
use auth::Caller;
use axum::{
    Json, Router,
    extract::{self, DefaultBodyLimit, FromRequest, FromRequestParts, Path, Request, rejection::JsonRejection},
    http::{HeaderMap, request::Parts},
    routing::{any, get},
};
use fondaco_core::{Code, Error, Result};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::HashMap;
use utoipa::{
    Modify, OpenApi,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};
use utoipa_axum::{router::OpenApiRouter, routes};

/// Largest request body: offers and paths, not data.
const BODY_MAX_BYTES: usize = 4 * 1024 * 1024;

#[derive(OpenApi)]
#[openapi(
    info(title = "Fondaco admin API", description = "Publish, discover, negotiate and deliver: the API of a node for its own people and programs. Errors are RFC 9457 problem documents with a stable `code`."),
    modifiers(&Bearer),
    components(schemas(Problem)),
    security(("token" = []))
)]
struct Document;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("An API token, `fdc_…`")).build();
        openapi.components.get_or_insert_default().add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

fn documented() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(node::show))
        .routes(routes!(participants::list, participants::add))
        .routes(routes!(participants::show, participants::change))
        .routes(routes!(participants::set_rules))
        .routes(routes!(products::list, products::publish))
        .routes(routes!(products::show))
        .routes(routes!(products::croissant))
        .routes(routes!(products::withdraw))
        .routes(routes!(products::stop))
        .routes(routes!(products::resume))
        .routes(routes!(products::set_offer_rules))
        .routes(routes!(products::preview_offer))
        .routes(routes!(publications::list, publications::begin))
        .routes(routes!(publications::show, publications::amend, publications::discard))
        .merge(uploads())
        .routes(routes!(publications::prepare))
        .routes(routes!(publications::cancel))
        .routes(routes!(publications::publish))
        .routes(routes!(connections::list))
        .routes(routes!(connections::put, connections::remove))
        .routes(routes!(connections::check))
        .routes(routes!(feeds::list))
        .routes(routes!(feeds::look))
        .routes(routes!(feeds::end))
        .routes(routes!(catalog::read))
        .routes(routes!(datasets::list))
        .routes(routes!(negotiations::list, negotiations::begin))
        .routes(routes!(negotiations::initiate))
        .routes(routes!(negotiations::show))
        .routes(routes!(negotiations::act))
        .routes(routes!(agreements::list))
        .routes(routes!(agreements::show, agreements::import))
        .routes(routes!(agreements::end))
        .routes(routes!(agreements::usage))
        .routes(routes!(agreements::preview))
        .routes(routes!(agreements::paid))
        .routes(routes!(agreements::stop))
        .routes(routes!(agreements::resume))
        .routes(routes!(agreements::renewal))
        .routes(routes!(agreements::renew))
        .routes(routes!(agreements::begin_transfer))
        .routes(routes!(agreements::access))
        .routes(routes!(transfers::list))
        .routes(routes!(transfers::initiate))
        .routes(routes!(transfers::show))
        .routes(routes!(transfers::act))
        .routes(routes!(evidence::list))
        .routes(routes!(audit::check))
        .routes(routes!(audit::trust))
        .routes(routes!(audit::timeline))
        .routes(routes!(evidence::show))
        .routes(routes!(evidence::bundle))
        .routes(routes!(evidence::erase))
        .routes(routes!(evidence::erase_of_node))
        .routes(routes!(evidence::list_of_node))
        .routes(routes!(evidence::show_of_node))
        .routes(routes!(evidence::bundle_of_node))
        .routes(routes!(lineage::show))
        .routes(routes!(report::show))
        .routes(routes!(log::show))
        .routes(routes!(log::check))
        .routes(routes!(log::policy))
        .routes(routes!(log::resume))
        .routes(routes!(log::rotate))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::revoke))
        .routes(routes!(users::list, users::add))
        .routes(routes!(users::change, users::remove))
        .routes(routes!(users::set_password))
}

/// Uploads are the one body without the common limit: they have their own.
fn uploads() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(publications::upload, publications::remove_upload)).layer(DefaultBodyLimit::disable())
}

/// The OpenAPI document of this version.
pub fn openapi() -> utoipa::openapi::OpenApi {
    documented().split_for_parts().1
}

/// The routes of the API and the probes.
pub fn router() -> Router<App> {
    let (api, _) = documented().split_for_parts();
    Router::new()
        .merge(api)
        .route("/openapi.json", get(async || Json(openapi())))
        .route("/healthz", get(probes::health))
        .route("/readyz", get(probes::ready))
        .route("/metrics", get(probes::metrics))
        .route("/api/{*rest}", any(unknown))
        .route("/api/v1/{*rest}", any(unknown))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_MAX_BYTES))
}

async fn unknown(_: Caller) -> ApiError {
    ApiError(Error::new(Code::NotFound, "There is no such endpoint. The list is at /openapi.json."))
}

async fn method_not_allowed(_: Caller) -> ApiError {
    ApiError(Error::new(Code::MethodNotAllowed, "This address cannot be used with this method. The list is at /openapi.json."))
}

/// The parameters behind the `?`, refused as a problem document.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<App> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        match extract::Query::<T>::from_request_parts(parts, app).await {
            Ok(extract::Query(value)) => Ok(Self(value)),
            Err(e) => Err(ApiError(Error::invalid(e.body_text()))),
        }
    }
}

/// A JSON body, refused as a problem document.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        match Json::<T>::from_request(request, app).await {
            Ok(Json(value)) => Ok(Self(value)),
            Err(JsonRejection::MissingJsonContentType(_)) => {
                Err(ApiError(Error::new(Code::UnsupportedMediaType, "Send the body with Content-Type: application/json.")))
            }
            Err(JsonRejection::BytesRejection(e)) => Err(ApiError(Error::new(Code::TooLarge, e.body_text()))),
            Err(e) => Err(ApiError(Error::invalid(e.body_text()))),
        }
    }
}

/// The variable segments of the path, by name.
pub struct Segments(HashMap<String, String>);

impl FromRequestParts<App> for Segments {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let path = Path::from_request_parts(parts, app).await;
        path.map(|Path(map)| Self(map)).map_err(|_| ApiError(Error::not_found("This path")))
    }
}

impl Segments {
    /// A segment; empty when the route has none of that name.
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }
}

/// The `Idempotency-Key` header, if it was sent.
pub struct KeyHeader(Option<String>);

impl FromRequestParts<App> for KeyHeader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        Self::read(&parts.headers)
    }
}

impl KeyHeader {
    fn read(headers: &HeaderMap) -> Result<Self, ApiError> {
        let mut all = headers.get_all("idempotency-key").iter();
        let first = all.next();
        if all.next().is_some() {
            return Err(ApiError(Error::invalid("Send one Idempotency-Key, not several.")));
        }
        let text = first.map(|v| v.to_str().map(str::to_owned)).transpose();
        text.map(Self).map_err(|_| ApiError(Error::invalid("The Idempotency-Key is not text.")))
    }

    /// The key of this request, bound to its caller, endpoint and content.
    fn key(self, caller: &Caller, endpoint: &'static str, content: &impl Serialize) -> Result<Option<Key>> {
        self.0.map(|text| Key::new(caller.id(), &text, endpoint, content)).transpose()
    }
}

/// The media type of problems, for the documents of endpoints.
pub const PROBLEM: &str = MEDIA_TYPE;

#[cfg(test)]
mod tests {
    #[test]
    fn the_document_is_the_checked_in_one() {
        let text = serde_json::to_string_pretty(&super::openapi()).expect("json") + "\n";
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        if std::env::var_os("FONDACO_UPDATE_OPENAPI").is_some() {
            std::fs::write(path, &text).expect("write");
        }
        let stored = std::fs::read_to_string(path).unwrap_or_default();
        assert!(stored == text, "the API changed: review it, then run the test with FONDACO_UPDATE_OPENAPI=1 and commit openapi.json");
    }
}
