//! The console: view models in, HTML out.
//!
//! In scope: the pages people see in a browser, their styles and their two small scripts.
//! Out of scope: routes, sessions and data; the node builds the view models and serves the
//! answers. Nothing here reads a clock, a file or the network.
//!
//! Every page is a struct in [`pages`] with plain owned fields, rendered with
//! [`Page::html`]. Every action is a form: the pages work without scripts; `upload.js` shows files on their way, and `live.js` only
//! spares the reader a reload.
//!
//! # Languages
//!
//! Every string a person reads is a message in `locales/{en,zh}/*.ftl`; no template and no view
//! model holds words. The locale is a field of [`view::Layout`] and reaches whatever a page is
//! made of when it is rendered ([`text`] says how).
//!
//! *To add a message:* write `area-name = …` into both `locales/en/area.ftl` and
//! `locales/zh/area.ftl`, with the same variables, and use it: `{{ "area-name"|say }}` in a
//! template, `Text::say("area-name")` in Rust. Chinese terms are listed at the top of
//! `locales/zh/common.ftl`; use those. A variable is `|arg("n", value)` or `.with("n", value)`;
//! a number chooses the plural by itself (`{ $n -> [one] … *[other] … }`) and is grouped.
//! Where a sentence has a link, code or a foreign name in it, use `|rich` in place of `|say`:
//! `<a>…</a>` in the message leads to `|link(href)`, a string variable is put into `<bdi>`, and
//! `|html("peer", peer)` takes another template. A view model's sentence is a field of type
//! [`Text`]; what others wrote is a `String`, or `Text::plain`.
//!
//! *To add a page:* a struct in `pages/` with a `layout` and `page!(Name)`, `use
//! crate::text::filters;` beside it, a template whose block `title` is its title, an area in
//! `locales/` with its line in `locale.rs`, and a sample with its
//! line in `samples/gallery.rs`.
//!
//! *To add a notice* (shown once after an action): a line in the node's `flash.rs` and the
//! message `notice-{name}`.
//!
//! *To add a locale:* a variant of [`Locale`] and a folder; the compiler and the tests name the rest.
//!
//! What other organisations say (titles, descriptions, names, policies) is hostile text. It is
//! escaped by the templates, isolated with `<bdi>`, cut at the limits in [`view`], and can never
//! become a link, a style or a script ([`CONTENT_SECURITY_POLICY`] sees to the rest).

mod assets;
#[cfg(test)]
mod catalogue;
pub mod compared;
pub mod decision;
mod detail;
pub mod fields;
pub mod format;
mod locale;
pub mod narrow;
pub mod pages;
#[doc(hidden)]
pub mod samples;
pub mod states;
pub mod text;
pub mod view;

pub use assets::{Asset, AssetFile, asset, asset_url};
pub use locale::Locale;
pub use pages::Page;
pub use text::Text;

/// The `Content-Security-Policy` header for every page of the console.
///
/// Pages load nothing but their own assets, and forms go nowhere else. There are no inline
/// scripts or styles, so neither needs an exception.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; \
    style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
    base-uri 'none'; frame-ancestors 'none'";
