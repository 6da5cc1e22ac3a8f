//! The console on the admin listener: routes and what they are made of. What people see is `fondaco-console`'s.
//!
//! Every route stands in one of two tables. [`open_routes`] can be reached by anybody; whatever is in [`room_routes`]
//! passes [`guard`] first, which asks for a session, for the right to act for the participant in the address, and (for
//! a POST) for the session's CSRF token. A handler cannot forget what it never had to do.

mod agreements;
mod answer;
mod assets;
mod catalog;
mod compare;
mod connections;
mod cookies;
mod events;
mod evidence;
mod file_form;
mod first_rows;
mod flash;
mod guard;
mod headers;
mod home;
pub(crate) mod language;
mod lineage;
mod listing;
mod login;
mod negotiations;
mod node;
mod peers;
mod people;
mod products;
mod publish;
mod rules;
mod sentences;
mod shape;
mod tokens;
mod transfers;
mod waiting;
mod words;

use crate::app::App;
use axum::{
    Router,
    extract::DefaultBodyLimit,
    handler::Handler,
    http::Method,
    middleware::{from_fn, from_fn_with_state},
    routing::{MethodRouter, get, post, put},
};

/// Largest form of anybody: a login and a password, in percent-encoding, with room.
pub const FORM_MAX_BYTES: usize = 64 * 1024;
/// Largest form of somebody signed in: the terms of a product as sentences and as text, or a long description in Chinese,
/// which percent-encoding makes nine times as long.
pub const ROOM_FORM_MAX_BYTES: usize = 1024 * 1024;
/// The route whose form brings files along. It is read as it arrives.
const FILE_FORM: &str = "/p/{slug}/publish/{id}/source";

/// One route: what it answers to, and who answers.
#[derive(Debug)]
pub struct Route {
    /// The method; GET also answers HEAD.
    pub method: Method,
    /// The path, with `{…}` for its parameters.
    pub path: &'static str,
    /// Whether auditors reach it: it changes nothing, uses nothing and hands out nothing that opens access.
    pub audited: bool,
    handler: MethodRouter<App>,
}

fn page<H: Handler<T, App>, T: 'static>(path: &'static str, handler: H) -> Route {
    Route { method: Method::GET, path, audited: true, handler: get(handler) }
}

fn action<H: Handler<T, App>, T: 'static>(path: &'static str, handler: H) -> Route {
    Route { method: Method::POST, path, audited: false, handler: post(handler) }
}

/// A file sent by a script. Its token is in the header `x-csrf-token`.
fn upload<H: Handler<T, App>, T: 'static>(path: &'static str, handler: H) -> Route {
    Route { method: Method::PUT, path, audited: false, handler: put(handler) }
}

impl Route {
    /// A page that shows or opens the data itself: for members alone.
    fn for_members(self) -> Self {
        Self { audited: false, ..self }
    }

    /// An action about oneself alone, which auditors have too.
    fn for_everybody(self) -> Self {
        Self { audited: true, ..self }
    }
}

/// What anybody reaches: the way in, the files of its page and its language.
pub fn open_routes() -> Vec<Route> {
    vec![
        page("/login", login::form),
        action("/login", login::sign_in),
        page("/language", language::choose),
        page("/assets/{hash}/{name}", assets::file),
    ]
}

/// What only somebody signed in reaches, and below `/p/{slug}` only who may act for that participant.
pub fn room_routes() -> Vec<Route> {
    vec![
        page("/", home::start),
        action("/logout", login::sign_out).for_everybody(),
        page("/p/{slug}", home::overview),
        page("/p/{slug}/waiting", waiting::list),
        page("/p/{slug}/publish", publish::list),
        action("/p/{slug}/publish", publish::begin),
        page("/p/{slug}/publish/{id}", publish::open),
        action("/p/{slug}/publish/{id}/prepare", publish::prepare),
        action("/p/{slug}/publish/{id}/cancel", publish::cancel),
        action("/p/{slug}/publish/{id}/discard", publish::discard),
        page(FILE_FORM, publish::source::show),
        action(FILE_FORM, publish::source::save_form),
        upload("/p/{slug}/publish/{id}/upload", publish::upload::put),
        page("/p/{slug}/publish/{id}/describe", publish::describe::show),
        action("/p/{slug}/publish/{id}/describe", publish::describe::save_form),
        page("/p/{slug}/publish/{id}/terms", publish::terms::show),
        action("/p/{slug}/publish/{id}/terms", publish::terms::save_form),
        page("/p/{slug}/publish/{id}/review", publish::review::show),
        action("/p/{slug}/publish/{id}/review", publish::review::publish),
        page("/p/{slug}/publish/{id}/preview", first_rows::of_publication).for_members(),
        page("/p/{slug}/products", products::list),
        page("/p/{slug}/products/{id}", products::show),
        action("/p/{slug}/products/{id}/withdraw", products::withdraw),
        page("/p/{slug}/rules", rules::show),
        action("/p/{slug}/rules", rules::save),
        page("/p/{slug}/offers/{id}/rules", rules::show_offer),
        action("/p/{slug}/offers/{id}/rules", rules::save_offer),
        page("/p/{slug}/offers/{id}/preview", first_rows::of_offer).for_members(),
        page("/p/{slug}/peers", peers::list),
        action("/p/{slug}/peers", peers::add),
        page("/p/{slug}/peers/{id}", peers::show),
        action("/p/{slug}/peers/{id}/refresh", peers::refresh),
        action("/p/{slug}/peers/{id}/remove", peers::remove),
        page("/p/{slug}/catalog", catalog::list),
        action("/p/{slug}/catalog/refresh", catalog::refresh),
        page("/p/{slug}/catalog/product", catalog::show),
        page("/p/{slug}/negotiations", negotiations::list),
        action("/p/{slug}/negotiations", negotiations::begin),
        page("/p/{slug}/negotiations/{id}", negotiations::show),
        action("/p/{slug}/negotiations/{id}/agree", negotiations::agree),
        action("/p/{slug}/negotiations/{id}/offer", negotiations::offer),
        action("/p/{slug}/negotiations/{id}/finalize", negotiations::finalize),
        action("/p/{slug}/negotiations/{id}/accept", negotiations::accept),
        action("/p/{slug}/negotiations/{id}/counter", negotiations::counter),
        action("/p/{slug}/negotiations/{id}/verify", negotiations::verify),
        action("/p/{slug}/negotiations/{id}/terminate", negotiations::terminate),
        page("/p/{slug}/agreements", agreements::list),
        page("/p/{slug}/agreements/{id}", agreements::show),
        action("/p/{slug}/agreements/{id}/transfers", agreements::request_access),
        action("/p/{slug}/agreements/{id}/end", agreements::end),
        action("/p/{slug}/agreements/{id}/paid", agreements::paid),
        action("/p/{slug}/agreements/{id}/stop", agreements::stop),
        action("/p/{slug}/agreements/{id}/resume", agreements::resume),
        action("/p/{slug}/agreements/{id}/renew", agreements::renew),
        action("/p/{slug}/products/{id}/stop", products::stop),
        action("/p/{slug}/products/{id}/resume", products::resume),
        page("/p/{slug}/agreements/{id}/preview", first_rows::of_agreement).for_members(),
        page("/p/{slug}/agreements/{id}/document", agreements::document),
        page("/p/{slug}/agreements/{id}/profile", agreements::profile).for_members(),
        page("/p/{slug}/agreements/{id}/files", agreements::files).for_members(),
        page("/p/{slug}/agreements/{id}/timeline", evidence::timeline),
        page("/p/{slug}/evidence", evidence::list),
        page("/p/{slug}/evidence/check", evidence::check),
        page("/p/{slug}/evidence/{id}", evidence::show),
        page("/p/{slug}/evidence/{id}/bundle", evidence::bundle),
        page("/p/{slug}/report", evidence::report),
        page("/p/{slug}/lineage/{id}", lineage::show),
        page("/p/{slug}/transfers", transfers::list),
        page("/p/{slug}/transfers/{id}", transfers::show),
        action("/p/{slug}/transfers/{id}/start", transfers::start),
        action("/p/{slug}/transfers/{id}/suspend", transfers::suspend),
        action("/p/{slug}/transfers/{id}/resume", transfers::resume),
        action("/p/{slug}/transfers/{id}/complete", transfers::complete),
        action("/p/{slug}/transfers/{id}/terminate", transfers::terminate),
        page("/p/{slug}/connections", connections::list),
        action("/p/{slug}/connections", connections::save),
        page("/p/{slug}/connections/new", connections::add),
        page("/p/{slug}/connections/{id}", connections::show),
        action("/p/{slug}/connections/{id}/check", connections::check),
        action("/p/{slug}/connections/{id}/remove", connections::remove),
        page("/p/{slug}/people", people::list),
        action("/p/{slug}/people", people::add),
        action("/p/{slug}/people/password", people::own_password).for_everybody(),
        action("/p/{slug}/people/{id}", people::change),
        action("/p/{slug}/people/{id}/password", people::reset),
        action("/p/{slug}/people/{id}/remove", people::remove),
        page("/p/{slug}/tokens", tokens::list),
        action("/p/{slug}/tokens", tokens::create),
        action("/p/{slug}/tokens/{id}/revoke", tokens::revoke),
        page("/p/{slug}/node", node::show),
        page("/p/{slug}/events", events::follow),
    ]
}

fn router_of(routes: Vec<Route>) -> Router<App> {
    routes.into_iter().fold(Router::new(), |router, route| {
        let handler = if route.audited { route.handler } else { route.handler.route_layer(from_fn(guard::members_only)) };
        router.route(route.path, handler)
    })
}

/// All of the console. Its fallback is the page for what does not exist (a problem document below `/api`), so merge it
/// into a router without one.
pub fn router(app: &App) -> Router<App> {
    router_of(room_routes())
        .method_not_allowed_fallback(answer::method_not_allowed)
        .route_layer(from_fn_with_state(app.clone(), guard::guard))
        .merge(router_of(open_routes()).method_not_allowed_fallback(answer::method_not_allowed))
        .fallback(answer::not_found)
        .layer(from_fn_with_state(app.clone(), answer::finish))
        .layer(from_fn(headers::secure))
        .layer(DefaultBodyLimit::max(FORM_MAX_BYTES))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_route_stands_in_one_table_once() {
        let mut seen = HashSet::new();
        for route in open_routes().into_iter().chain(room_routes()) {
            assert!(seen.insert((route.method.clone(), route.path)), "{} {} twice", route.method, route.path);
        }
        for route in room_routes() {
            let ours = matches!(route.path, "/" | "/logout") || route.path.starts_with("/p/{slug}");
            assert!(ours, "{}: the guard reads the participant from /p/{{slug}}", route.path);
        }
    }
}
