//! The console: view models in, HTML out.
//!
//! In scope: the pages people see in a browser, their styles and their one small script.
//! Out of scope: routes, sessions and data; the node builds the view models and serves the
//! answers. Nothing here reads a clock, a file or the network.
//!
//! Every page is a struct in [`pages`] with plain owned fields, rendered with
//! [`Page::html`]. Every string a person reads stands in `templates/`, so that a second
//! language is a second folder. Every action is a form: the pages work without scripts, and
//! `live.js` only spares the reader a reload.
//!
//! What other organisations say (titles, descriptions, names, policies) is hostile text. It is
//! escaped by the templates, isolated with `<bdi>`, cut at the limits in [`view`], and can never
//! become a link, a style or a script ([`CONTENT_SECURITY_POLICY`] sees to the rest).

mod assets;
pub mod format;
pub mod pages;
#[doc(hidden)]
pub mod samples;
pub mod states;
pub mod view;

pub use assets::{Asset, AssetFile, asset, asset_url};
pub use pages::Page;

/// The `Content-Security-Policy` header for every page of the console.
///
/// Pages load nothing but their own assets, and forms go nowhere else. There are no inline
/// scripts or styles, so neither needs an exception.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; \
    style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
    base-uri 'none'; frame-ancestors 'none'";
