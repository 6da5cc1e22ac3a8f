//! Answers: pages, redirects, errors.
//!
//! A handler that fails returns [`Failure`], an answer without a body. [`finish`] and the guard put the page around it:
//! the guard where somebody is signed in (with their menu), [`finish`] everywhere else.

use super::{cookies, flash::Notice, guard, language, words};
use crate::{
    app::App,
    http::{
        problem::{ApiError, caused_by},
        request_id::RequestId,
    },
};
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use fondaco_console::{
    Page,
    format::Count,
    pages::{ErrorPage, NotFoundPage},
    view::Layout,
};
use fondaco_core::{Code, Error};

/// A failure on its way to becoming a page.
#[derive(Clone, Debug)]
pub struct Failure(pub Error);

impl<E: Into<Error>> From<E> for Failure {
    fn from(e: E) -> Self {
        Self(e.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = status(self.0.code()).into_response();
        response.extensions_mut().insert(self.clone());
        caused_by(response, self.0)
    }
}

/// What handlers return.
pub type Answer = Result<Response, Failure>;

fn status(code: Code) -> StatusCode {
    StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// A page.
pub fn html(page: &impl Page) -> Answer {
    with_status(StatusCode::OK, page)
}

/// A page with another status.
pub fn with_status(status: StatusCode, page: &impl Page) -> Answer {
    let html = page.html().map_err(Error::internal_failure)?;
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_LANGUAGE, page.locale().tag()),
        (header::VARY, "cookie, accept-language"),
    ];
    Ok((status, headers.map(|(name, value)| (name, HeaderValue::from_static(value))), html).into_response())
}

/// A page about an error that has a place of its own on it.
pub fn with_error(page: &impl Page, error: &Error) -> Answer {
    Ok(caused_by(with_status(status(error.code()), page)?, error.clone()))
}

/// After an action: on to a page of ours (303, so that reloading it does not repeat the action), with a notice.
pub fn see_other(app: &App, path: &str, notice: Option<Notice>) -> Answer {
    let location = HeaderValue::from_str(path).map_err(Error::internal_failure)?;
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response();
    if let Some(cookie) = notice.and_then(|notice| cookies::NOTICE.set(app, notice.code())) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// There is nothing here, or nothing that one may see.
pub fn missing() -> Response {
    Failure(Error::not_found("This page")).into_response()
}

/// The fallback: a problem document below `/api`, a page elsewhere.
pub async fn not_found(uri: Uri) -> Response {
    if uri.path() == "/api" || uri.path().starts_with("/api/") {
        return ApiError(Error::not_found("This endpoint")).into_response();
    }
    missing()
}

/// The path exists, the method does not.
pub async fn method_not_allowed() -> Failure {
    Failure(Error::new(Code::MethodNotAllowed, "This address cannot be used that way."))
}

/// The layout of the answer to a request, for nobody in particular.
pub fn bare_layout(app: &App, request: &Request) -> Layout {
    Layout {
        locale: language::of(app, request.headers()),
        user: None,
        participants: Vec::new(),
        csrf: String::new(),
        flash: None,
        path: request.uri().path().to_owned(),
        here: guard::here(request),
        request_id: request_id(request),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        now: words::when(app.now()),
        waiting: Count(0),
        audits: false,
        log_held: false,
    }
}

/// The id of a request, which the listener's layer gave it.
pub fn request_id(request: &Request) -> String {
    request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default()
}

/// The failure behind an answer: a handler's, or axum's own plain text about a path or query it could not read.
fn failure_in(response: &Response) -> Option<Failure> {
    if let Some(failure) = response.extensions().get::<Failure>() {
        return Some(failure.clone());
    }
    let plain = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"));
    let refused = response.status().is_client_error() && plain;
    refused.then(|| Failure(Error::invalid("This address cannot be read. Go back and follow the links of the page.")))
}

/// Puts a page around a failure. `back` is where the reader came from.
pub fn render(response: Response, layout: Layout, back: Option<String>) -> Response {
    let Some(Failure(error)) = failure_in(&response) else { return response };
    let page = if error.code() == Code::NotFound {
        with_status(StatusCode::NOT_FOUND, &NotFoundPage { layout })
    } else {
        let page = ErrorPage {
            layout,
            code: error.code().to_string(),
            message: words::problem(&error),
            next: words::advice(error.code()),
            docs_url: Some(format!("/errors/{}", error.code())),
            back,
        };
        with_status(status(error.code()), &page)
    };
    match page {
        Ok(page) => {
            let mut page = caused_by(page, error);
            keep_headers(response.headers(), &mut page);
            page
        }
        Err(failure) => failure.into_response(),
    }
}

/// `Allow` of a 405, and cookies.
fn keep_headers(from: &HeaderMap, to: &mut Response) {
    for name in [header::ALLOW, header::SET_COOKIE] {
        for value in from.get_all(&name) {
            to.headers_mut().append(name.clone(), value.clone());
        }
    }
}

/// The layer that leaves no failure without a page.
pub async fn finish(State(app): State<App>, request: Request, next: Next) -> Response {
    let layout = bare_layout(&app, &request);
    let response = next.run(request).await;
    if failure_in(&response).is_none() {
        return response;
    }
    render(response, layout, None)
}
