//! The guard before every page and action: a session, the right to act for the participant in the address, and for
//! actions a form of ours.
//!
//! Cross-site requests are refused three times over: the session cookie is `SameSite=Lax`, browsers say where a request
//! comes from (`Sec-Fetch-Site`), and each form carries its session's token.

use super::{
    FILE_FORM, ROOM_FORM_MAX_BYTES,
    answer::{self, Failure},
    cookies,
    file_form::{self, FileForm},
    flash::Notice,
};
use crate::{
    app::{App, cause::Decider, people::Person, views::Acting},
    identity::session::csrf_matches,
};
use axum::{
    body::{Body, to_bytes},
    extract::{FromRequestParts, MatchedPath, Request, State},
    http::{HeaderMap, Method, header, request::Parts, uri::PathAndQuery},
    middleware::Next,
    response::{IntoResponse, Response},
};
use fondaco_console::{
    format::Count,
    view::{Layout, ParticipantView, UserView},
};
use fondaco_core::{Code, Error, Result, participant::Participant};
use url::form_urlencoded;

/// Longest path that signing in leads back to.
const NEXT_MAX_CHARS: usize = 2_048;

/// What auditors are told where something would be done.
const AUDITS: &str = "You read this participant as an auditor: you see everything, and change nothing. Nothing was done.";

/// A request of somebody who is signed in.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Who.
    pub person: Person,
    /// The session's id, to end it.
    pub session: String,
    /// Whom they may act for, and whom they do.
    pub acting: Acting,
    /// What stands around the page.
    pub layout: Layout,
}

/// The same, about one participant.
#[derive(Clone, Debug)]
pub struct Room {
    /// The participant in the address, which the person may act for.
    pub participant: Participant,
    /// Whether they only read it, as an auditor.
    pub audits: bool,
    /// The person's login.
    pub login: String,
    /// What stands around the page.
    pub layout: Layout,
}

impl Room {
    /// As whom the person decides: by their login, for two people may have one name, and names change.
    pub fn decider(&self) -> Decider {
        Decider { account: Some(self.login.clone()), token: None }
    }

    /// Refuses an auditor where a page that others may open would do something, such as call a peer for the first time.
    ///
    /// # Errors
    /// [`Code::Forbidden`].
    pub fn for_members(&self) -> Result<()> {
        if self.audits { Err(Error::new(Code::Forbidden, AUDITS)) } else { Ok(()) }
    }

    /// `/p/{slug}`.
    pub fn base(&self) -> String {
        format!("/p/{}", self.participant.slug)
    }
}

/// The fields of a form whose token was checked.
#[derive(Clone, Debug, Default)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a form's body. The last field of a name counts.
    pub fn parse(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }
    /// A field, without space around it; `None` when it is empty or absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.exact(name).map(str::trim).filter(|v| !v.is_empty())
    }
    /// A field as it was sent: passwords may begin with a space.
    pub fn exact(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
    /// Every field of a name, as boxes that can be ticked send them.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.trim()).filter(|v| !v.is_empty())
    }
    /// A field that our pages always send.
    ///
    /// # Errors
    /// [`Code::Invalid`].
    pub fn required(&self, name: &str) -> Result<&str> {
        self.get(name).ok_or_else(|| Error::invalid(format!("The form has no \"{name}\". Load the page again.")))
    }
}

macro_rules! from_guard {
    ($($name:ident),+) => {$(
        impl FromRequestParts<App> for $name {
            type Rejection = Failure;
            async fn from_request_parts(parts: &mut Parts, _: &App) -> std::result::Result<Self, Failure> {
                // Absent only where a route stands in the wrong table, which then answers nobody.
                parts.extensions.get::<Self>().cloned().ok_or_else(|| Failure(Error::not_found("This page")))
            }
        }
    )+};
}
from_guard!(SignedIn, Room, Form, FileForm);

/// The layer.
pub async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    match admit(&app, request).await {
        Ok(Admitted::In { request, signed_in, notice_shown }) => {
            let (layout, back) = (signed_in.layout.clone(), way_back(request.method(), request.uri().path()));
            let mut response = answer::render(next.run(request).await, layout, back);
            if notice_shown && let Some(cookie) = cookies::NOTICE.clear(&app) {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            response
        }
        Ok(Admitted::SignInFirst(next)) => answer::see_other(&app, &next, None).into_response(),
        Ok(Admitted::Refused { layout, failure }) => answer::render(failure.into_response(), *layout, None),
        // No session could be looked at: the page for it is made outside.
        Err(error) => Failure(error).into_response(),
    }
}

/// Keeps auditors out of what changes something, uses something, or hands out what opens access: a layer of the routes
/// that are for members.
pub async fn members_only(request: Request, next: Next) -> Response {
    if let Some(Err(error)) = request.extensions().get::<Room>().map(Room::for_members) {
        return Failure(error).into_response();
    }
    next.run(request).await
}

enum Admitted {
    In { request: Request, signed_in: Box<SignedIn>, notice_shown: bool },
    SignInFirst(String),
    Refused { layout: Box<Layout>, failure: Failure },
}

async fn admit(app: &App, mut request: Request) -> Result<Admitted> {
    let session = cookies::cookie_header(request.headers()).and_then(|h| app.session_cookie.find(h)).map(str::to_owned);
    let person = match &session {
        Some(session) => app.person(session).await?,
        None => None,
    };
    let (Some(person), Some(session)) = (person, session) else { return Ok(Admitted::SignInFirst(sign_in_path(&request))) };
    let slug = slug_of(request.uri().path()).map(str::to_owned);
    let acting = app.acting_for(&person, slug.as_deref()).await?;
    let notice = notice(app, &request);
    let mut layout = layout(app, &request, &person, &acting);
    if slug.is_some() && acting.current.is_none() {
        // Unknown and not theirs look the same, and the page tells nobody's menu apart.
        let failure = Failure(Error::not_found("This page"));
        return Ok(Admitted::Refused { layout: Box::new(layout), failure });
    }
    match checked(request, &person.csrf).await {
        Ok(checked) => request = checked,
        Err(error) => return Ok(Admitted::Refused { layout: Box::new(layout), failure: Failure(error) }),
    }
    layout.flash = notice.map(Notice::flash);
    if let Some(participant) = acting.current.clone() {
        request.extensions_mut().insert(Room {
            participant,
            audits: layout.audits,
            login: person.user.login.clone(),
            layout: layout.clone(),
        });
    }
    let signed_in = SignedIn { person, session, acting, layout };
    request.extensions_mut().insert(signed_in.clone());
    Ok(Admitted::In { request, signed_in: Box::new(signed_in), notice_shown: notice.is_some() })
}

/// The request, if it changes nothing or its token is the session's: in a form, before the files of a form, or beside a
/// file.
async fn checked(request: Request, expected: &str) -> Result<Request> {
    let refused = || Error::new(Code::Forbidden, "The form is too old, or was not made by this console. Nothing was done.");
    let admit = |request: Request, token: &str| csrf_matches(expected, token).then_some(request).ok_or_else(refused);
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(request);
    }
    refuse_other_sites(request.headers())?;
    if request.method() != Method::POST {
        let token = request.headers().get("x-csrf-token").and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        return admit(request, &token);
    }
    let brings_files = request.extensions().get::<MatchedPath>().is_some_and(|path| path.as_str() == FILE_FORM);
    if brings_files && let Some(boundary) = file_form::boundary(request.headers()) {
        let (parts, body) = request.into_parts();
        let (token, form) = FileForm::begin(body, boundary).await?;
        let mut request = Request::from_parts(parts, Body::empty());
        request.extensions_mut().insert(form);
        return admit(request, &token);
    }
    let (form, mut request) = same_site_form(request, ROOM_FORM_MAX_BYTES).await?;
    let token = form.exact("csrf").unwrap_or_default().to_owned();
    request.extensions_mut().insert(form);
    admit(request, &token)
}

fn refuse_other_sites(headers: &HeaderMap) -> Result<()> {
    if is_cross_site(headers) {
        return Err(Error::new(Code::Forbidden, "Another site sent this form. Nothing was done."));
    }
    Ok(())
}

/// The form of a POST that does not come from another site, of at most `max` bytes.
///
/// # Errors
/// [`Code::Forbidden`], [`Code::UnsupportedMediaType`], [`Code::TooLarge`].
pub async fn same_site_form(request: Request, max: usize) -> Result<(Form, Request)> {
    refuse_other_sites(request.headers())?;
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().map(str::trim) != Some("application/x-www-form-urlencoded") {
        return Err(Error::new(Code::UnsupportedMediaType, "Actions of the console are sent as forms."));
    }
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, max)
        .await
        .map_err(|e| Error::new(Code::TooLarge, "The form is too large, or did not arrive whole.").with_internal(e))?;
    Ok((Form::parse(&body), Request::from_parts(parts, Body::empty())))
}

/// Whether the browser says that another site made the request. Browsers that say nothing leave it to the token.
fn is_cross_site(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none")
}

/// The participant in `/p/{slug}/…`. A slug needs no percent-encoding, so one that has any is none.
fn slug_of(path: &str) -> Option<&str> {
    path.strip_prefix("/p/").map(|rest| rest.split('/').next().unwrap_or_default())
}

/// Where to sign in, and where to go on afterwards: back to a page; after an action, to the room it was in.
fn sign_in_path(request: &Request) -> String {
    let uri = request.uri();
    let next = if request.method() == Method::GET {
        uri.path_and_query().map_or("/", |p| p.as_str()).to_owned()
    } else {
        slug_of(uri.path()).map_or_else(|| "/".to_owned(), |slug| format!("/p/{slug}"))
    };
    match own_path(&next) {
        Some("/") | None => "/login".to_owned(),
        Some(next) => format!("/login?{}", form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish()),
    }
}

/// `next`, if signing in can lead on to it: a page of this console, but the way in itself.
pub fn own_path(next: &str) -> Option<&str> {
    own_page(next).filter(|page| !matches!(page.split(['?', '/']).nth(1), Some("login")))
}

/// `next`, if it is a page of this console and not a way to somewhere else: `//host`, `/\host` and anything a browser
/// might clean up into one of them are not.
pub fn own_page(next: &str) -> Option<&str> {
    let rest = next.strip_prefix('/')?;
    let usable = next.len() <= NEXT_MAX_CHARS
        && !rest.starts_with('/')
        && next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
        && !matches!(rest.split(['?', '/']).next(), Some("logout" | "language" | "api" | "assets"));
    usable.then_some(next)
}

/// The path and query that open the page of this request again; after an action, those of a page it belongs to.
pub fn here(request: &Request) -> String {
    let asked = request.uri().path_and_query().map(PathAndQuery::as_str).filter(|_| request.method() != Method::POST);
    match asked.and_then(own_page) {
        Some(page) => page.to_owned(),
        None if request.uri().path() == "/login" => "/login".to_owned(),
        None => way_back(request.method(), request.uri().path()).filter(|page| own_page(page).is_some()).unwrap_or_else(|| "/".to_owned()),
    }
}

/// The page that an action belongs to, for the way back from an error; from a page, the first of its room.
fn way_back(method: &Method, path: &str) -> Option<String> {
    let slug = slug_of(path)?;
    if method != Method::POST {
        return Some(format!("/p/{slug}"));
    }
    // Tokens and people have no pages of their own, and the list is the page of what begins in it.
    for list in ["tokens", "people"].map(|list| format!("/p/{slug}/{list}")) {
        if path.strip_prefix(&list).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
            return Some(list);
        }
    }
    path.rsplit_once('/').map(|(page, _)| page.to_owned())
}

/// The notice to show. Only a page that is being opened shows it: the live script's own reading must not use it up.
fn notice(app: &App, request: &Request) -> Option<Notice> {
    let opened = request.headers().get("sec-fetch-dest").is_none_or(|dest| dest == "document");
    if request.method() != Method::GET || !opened {
        return None;
    }
    cookies::NOTICE.find(app, request.headers()).and_then(Notice::from_code)
}

fn layout(app: &App, request: &Request, person: &Person, acting: &Acting) -> Layout {
    let view = |p: &Participant| ParticipantView {
        slug: p.slug.to_string(),
        name: p.name.clone(),
        current: acting.current.as_ref().is_some_and(|current| current.slug == p.slug),
    };
    let mut participants: Vec<ParticipantView> = acting.choices.iter().map(view).collect();
    if let Some(current) = acting.current.as_ref().filter(|_| !participants.iter().any(|p| p.current)) {
        // An administrator of very many participants went to one by its address.
        participants.insert(0, view(current));
    }
    let name = if person.user.name.is_empty() { &person.user.login } else { &person.user.name };
    Layout {
        user: Some(UserView { name: name.clone() }),
        participants,
        csrf: person.csrf.clone(),
        waiting: Count(acting.waiting),
        log_held: acting.log_held,
        audits: acting.current.as_ref().is_some_and(|current| person.audits.contains(&current.slug)),
        ..answer::bare_layout(app, request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_paths_are_led_back_to() {
        for good in ["/", "/p/acme", "/p/acme/catalog?peer=did%3Aweb%3Ax&page=2"] {
            assert_eq!(own_path(good), Some(good));
        }
        for bad in [
            "",
            "p/acme",
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "/p/\\evil",
            "/p/acme\r\nSet-Cookie: a=b",
            "/\t/evil.example",
            "/p/ä",
            "/login",
            "/login?next=/login",
            "/logout",
            "/api/v1/node",
            &format!("/{}", "x".repeat(NEXT_MAX_CHARS)),
        ] {
            assert_eq!(own_path(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_page_can_be_opened_again() {
        let asked = |method: Method, uri: &str| {
            let mut request = Request::new(Body::empty());
            *request.method_mut() = method;
            *request.uri_mut() = uri.parse().expect("uri");
            here(&request)
        };
        for (method, uri, again) in [
            (Method::GET, "/p/acme/catalog?peer=did%3Aweb%3Ax&page=2", "/p/acme/catalog?peer=did%3Aweb%3Ax&page=2"),
            (Method::GET, "/login?next=%2Fp%2Facme", "/login?next=%2Fp%2Facme"),
            (Method::POST, "/login", "/login"),
            (Method::POST, "/p/acme/tokens", "/p/acme/tokens"),
            (Method::POST, "/p/acme/negotiations/neg_1/agree", "/p/acme/negotiations/neg_1"),
            (Method::POST, "/logout", "/"),
            (Method::GET, "/language?to=zh", "/"),
            (Method::GET, "//evil.example/", "/"),
        ] {
            assert_eq!(asked(method, uri), again, "{uri}");
        }
    }

    #[test]
    fn fields_of_forms() {
        let form = Form::parse(b"name=+a%20b+&empty=&password=+x&name2=1&name2=2");
        assert_eq!((form.get("name"), form.get("empty"), form.get("absent")), (Some("a b"), None, None));
        assert_eq!((form.exact("password"), form.get("name2")), (Some(" x"), Some("2")));
        assert_eq!(form.required("empty").map_err(|e| e.code()), Err(Code::Invalid));
    }

    #[test]
    fn the_participant_is_in_the_path() {
        for (path, slug) in [("/p/acme", Some("acme")), ("/p/acme/x/y", Some("acme")), ("/p/", Some("")), ("/", None), ("/logout", None)] {
            assert_eq!(slug_of(path), slug);
        }
    }

    #[test]
    fn errors_lead_back_to_a_page() {
        for (method, path, back) in [
            (Method::GET, "/p/acme/peers", Some("/p/acme")),
            (Method::POST, "/p/acme/negotiations/neg_1/agree", Some("/p/acme/negotiations/neg_1")),
            (Method::POST, "/p/acme/negotiations", Some("/p/acme")),
            (Method::POST, "/p/acme/tokens/tok_1/revoke", Some("/p/acme/tokens")),
            (Method::POST, "/p/acme/people/usr_1/password", Some("/p/acme/people")),
            (Method::POST, "/logout", None),
        ] {
            assert_eq!(way_back(&method, path).as_deref(), back, "{path}");
        }
    }

    #[test]
    fn other_sites_are_recognised() {
        let from = |site: &'static str| HeaderMap::from_iter([("sec-fetch-site".parse().expect("name"), site.parse().expect("value"))]);
        assert!(is_cross_site(&from("cross-site")) && is_cross_site(&from("same-site")));
        assert!(!is_cross_site(&from("same-origin")) && !is_cross_site(&from("none")) && !is_cross_site(&HeaderMap::new()));
    }
}
