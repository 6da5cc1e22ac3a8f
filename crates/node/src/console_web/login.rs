//! `GET /login`, `POST /login`, `POST /logout`.
//!
//! Nobody has a session on the way in, so the form's token is compared with a cookie of its own (double submit): another
//! site can send the form, but can neither read nor set that cookie.

use super::{
    FORM_MAX_BYTES,
    answer::{self, Answer},
    cookies,
    flash::Notice,
    guard::{SignedIn, own_path, same_site_form},
    words,
};
use crate::{
    app::{App, people::LOGIN_WINDOW},
    http::problem::caused_by,
    identity::session::csrf_matches,
    secrets::entropy::{SECRET_BYTES, random_text},
};
use axum::{
    extract::{Query, Request, State},
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use fondaco_console::{
    pages::{LoginPage, LoginProblem},
    view::Layout,
};
use fondaco_core::{Code, Error};
use serde::Deserialize;

/// What the form's address may say.
#[derive(Debug, Deserialize)]
pub struct Asked {
    next: Option<String>,
}

/// The form. Whoever is signed in already goes on.
pub async fn form(State(app): State<App>, Query(asked): Query<Asked>, request: Request) -> Answer {
    let next = asked.next.as_deref().and_then(own_path);
    let session = cookies::cookie_header(request.headers()).and_then(|h| app.session_cookie.find(h));
    if let Some(session) = session
        && app.person(session).await?.is_some()
    {
        return answer::see_other(&app, next.unwrap_or("/"), None);
    }
    let notice = cookies::NOTICE.find(&app, request.headers()).and_then(Notice::from_code);
    let known = cookies::LOGIN.find(&app, request.headers()).map(str::to_owned);
    let page = LoginPage { layout: layout(&app, &request), name: String::new(), next: next.map(str::to_owned), problem: None };
    let mut response = show(&app, StatusCode::OK, page, known, notice)?;
    if notice.is_some()
        && let Some(cookie) = cookies::NOTICE.clear(&app)
    {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Signs in.
pub async fn sign_in(State(app): State<App>, request: Request) -> Answer {
    let layout = layout(&app, &request);
    let expected = cookies::LOGIN.find(&app, request.headers()).map(str::to_owned);
    let (form, _) = same_site_form(request, FORM_MAX_BYTES).await?;
    let name = form.get("name").unwrap_or_default().to_owned();
    let next = form.get("next").and_then(own_path).map(str::to_owned);
    let page = |problem| LoginPage { layout, name: name.clone(), next: next.clone(), problem: Some(problem) };
    if !csrf_matches(expected.as_deref().unwrap_or_default(), form.exact("csrf").unwrap_or_default()) {
        return show(&app, StatusCode::FORBIDDEN, page(LoginProblem::Expired), expected, None);
    }
    let error = match app.sign_in(&name, form.exact("password").unwrap_or_default()).await {
        Ok(signed_in) => {
            let mut response = answer::see_other(&app, next.as_deref().unwrap_or("/"), None)?;
            let session = HeaderValue::from_str(&app.session_cookie.set(&signed_in.session)).map_err(Error::internal_failure)?;
            response.headers_mut().append(header::SET_COOKIE, session);
            if let Some(cookie) = cookies::LOGIN.clear(&app) {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            return Ok(response);
        }
        Err(error) => error,
    };
    let (status, problem) = match error.code() {
        // Not 401: that status promises a way to authenticate by a header.
        Code::Unauthenticated => (StatusCode::FORBIDDEN, LoginProblem::Wrong),
        Code::TooMany => (StatusCode::TOO_MANY_REQUESTS, LoginProblem::Throttled { wait: words::span(LOGIN_WINDOW) }),
        _ => return Err(error.into()),
    };
    Ok(caused_by(show(&app, status, page(problem), expected, None)?, error))
}

/// Ends the session.
pub async fn sign_out(State(app): State<App>, signed_in: SignedIn) -> Answer {
    app.sign_out(&signed_in.session).await?;
    let mut response = answer::see_other(&app, "/login", Some(Notice::SignedOut))?;
    let cookie = HeaderValue::from_str(&app.session_cookie.clear()).map_err(Error::internal_failure)?;
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

fn layout(app: &App, request: &Request) -> Layout {
    answer::bare_layout(app, request)
}

/// The form, with the token that its cookie holds: a new one where there is none yet.
fn show(
    app: &App,
    status: StatusCode,
    mut page: LoginPage,
    known: Option<String>,
    notice: Option<Notice>,
) -> Result<Response, answer::Failure> {
    let token = known.unwrap_or_else(|| random_text::<SECRET_BYTES>(&*app.entropy));
    page.layout.csrf.clone_from(&token);
    page.layout.flash = notice.map(Notice::flash);
    let mut response = answer::with_status(status, &page)?;
    if let Some(cookie) = cookies::LOGIN.set(app, &token) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}
