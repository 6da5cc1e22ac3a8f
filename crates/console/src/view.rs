//! What several pages share: the layout around a page, times, parties, deals and terms.

use askama::Template;
use askama::filters::HtmlSafe;

use crate::states::{Chip, Message, Role};

/// The columns of a schema that a page shows. A peer's table may have any number; nobody
/// reads more, and 500 rows still open at once in a browser.
pub const MAX_COLUMNS_SHOWN: usize = 500;

/// The files of a product that a page lists, for the same reason.
pub const MAX_FILES_SHOWN: usize = 200;

/// A moment, as the node wants it read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Template)]
#[template(source = r#"<time datetime="{{ iso }}">{{ text }}</time>"#, ext = "html")]
pub struct When {
    /// RFC 3339, for machines.
    pub iso: String,
    /// For people, for example `21 Nov 2026, 14:03 UTC`.
    pub text: String,
}

impl HtmlSafe for When {}

/// Who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserView {
    /// The name that the user signs in with.
    pub name: String,
}

/// A participant of this node that the user may act for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParticipantView {
    /// The short name in URLs.
    pub slug: String,
    /// The organisation's name.
    pub name: String,
    /// Whether the page is about this one.
    pub current: bool,
}

/// How a flash message is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlashKind {
    /// What was asked for is done.
    Success,
    /// Something to know.
    Info,
    /// It did not work; the text says what to do.
    Error,
}

impl FlashKind {
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Info => "info",
            Self::Error => "error",
        }
    }
}

/// A message shown once above a page, after a form was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flash {
    /// How it is meant.
    pub kind: FlashKind,
    /// One or two sentences.
    pub text: String,
}

/// What stands around every page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Who is signed in; nobody on the login page.
    pub user: Option<UserView>,
    /// The participants that the user may act for; at most one is current.
    pub participants: Vec<ParticipantView>,
    /// The token that every form sends back as `csrf`.
    pub csrf: String,
    /// A message to show once.
    pub flash: Option<Flash>,
    /// The path of the page, without the query.
    pub path: String,
    /// The id of the request, for support and logs.
    pub request_id: String,
    /// The version of the node.
    pub version: String,
    /// The time the page was made.
    pub now: When,
}

impl Layout {
    /// The participant that the page is about.
    pub fn current(&self) -> Option<&ParticipantView> {
        self.participants.iter().find(|p| p.current)
    }

    /// The start of every URL of the current participant: `/p/{slug}`. Empty when there is none.
    pub fn base(&self) -> String {
        self.current().map(|p| format!("/p/{}", p.slug)).unwrap_or_default()
    }

    /// The value of `aria-current` for the menu's link to `section` (the path after the base,
    /// empty for the first page): `page` on it, `true` below it.
    pub(crate) fn aria_current(&self, section: &str) -> Option<&'static str> {
        let base = self.base();
        let rest = self.path.strip_prefix(&base)?.trim_matches('/');
        let below = |prefix: &str| rest.strip_prefix(prefix).is_some_and(|s| s.starts_with('/'));
        if rest == section {
            Some("page")
        } else if (!section.is_empty() && below(section)) || (section == "peers" && (rest == "catalog" || below("catalog"))) {
            Some("true")
        } else {
            None
        }
    }
}

/// A participant of a deal.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "parts/party.html")]
pub struct Party {
    /// The name, or the DID where no name is known.
    pub name: String,
    /// The DID.
    pub did: String,
    /// Whether it is the current participant.
    pub ours: bool,
}

impl HtmlSafe for Party {}

/// What an event is about, with the page where it can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// For example a product's title.
    pub title: String,
    /// A path of this console, which starts with `/p/{slug}/`.
    pub href: String,
}

/// One line of a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventView {
    /// When it was recorded here.
    pub when: When,
    /// Who did it.
    pub who: Party,
    /// What happened.
    pub message: Message,
    /// The state that followed, for example `NegotiationState::Agreed.into()`.
    pub state: Option<Chip>,
    /// The reason that was given, if any.
    pub reason: Option<String>,
    /// What it is about; `None` where the page itself is about it.
    pub subject: Option<Subject>,
}

/// The conditions of an offer or an agreement.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Terms {
    /// Each condition as a sentence.
    pub sentences: Vec<String>,
    /// The ODRL policy as indented JSON.
    pub odrl_json: String,
}

/// The product of a deal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductRef {
    /// The id in its provider's catalogue.
    pub id: String,
    /// The title.
    pub title: String,
    /// The version that the deal is about.
    pub version: String,
    /// The product's page in this console, when it can be shown.
    pub href: Option<String>,
}

/// A negotiation in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NegotiationRow {
    /// The id in URLs.
    pub id: String,
    /// The product's title.
    pub product: String,
    /// The other side.
    pub peer: Party,
    /// Our side.
    pub role: Role,
    /// Where it stands.
    pub state: crate::states::NegotiationState,
    /// Whether it waits until somebody here decides.
    pub waiting_for_us: bool,
    /// When it last changed.
    pub updated: When,
}

/// A transfer in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferRow {
    /// The id in URLs.
    pub id: String,
    /// The product's title.
    pub product: String,
    /// The other side.
    pub peer: Party,
    /// Our side.
    pub role: Role,
    /// Where it stands.
    pub state: crate::states::TransferState,
    /// The transfer format, for example `HttpData-PULL`.
    pub format: String,
    /// When it last changed.
    pub updated: When,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn the_menu_knows_where_the_reader_is() {
        for (path, section, expected) in [
            ("/p/suzhou", "", Some("page")),
            ("/p/suzhou", "products", None),
            ("/p/suzhou/products", "products", Some("page")),
            ("/p/suzhou/products", "", None),
            ("/p/suzhou/products/x", "products", Some("true")),
            ("/p/suzhou/products-x", "products", None),
            ("/p/suzhou/catalog", "peers", Some("true")),
            ("/p/suzhou/catalog/product", "peers", Some("true")),
            ("/elsewhere", "products", None),
        ] {
            let layout = samples::layout(path);
            assert_eq!(layout.aria_current(section), expected, "{path} {section}");
        }
    }

    #[test]
    fn times_and_names_are_escaped() {
        let when = When { iso: "\"><script>".into(), text: "<b>".into() };
        assert!(!when.to_string().contains("<script>"));
        assert!(!when.to_string().contains("<b>"));
        let party = Party { name: "<img src=x>".into(), did: "did:web:x".into(), ours: false };
        assert!(!party.to_string().contains("<img"));
    }
}
