//! What several pages share: the layout around a page, times, parties, deals and terms.

use askama::Template;
use askama::filters::HtmlSafe;

use crate::Locale;
use crate::format::Count;
use crate::states::{Chip, Message, Role};
use crate::text::{Digits, Text, filters};

/// The columns of a schema that a page shows. A peer's table may have any number; nobody
/// reads more, and 500 rows still open at once in a browser.
pub const MAX_COLUMNS_SHOWN: usize = 500;

/// The files of a product that a page lists, for the same reason.
pub const MAX_FILES_SHOWN: usize = 200;

/// A moment. It is written in the reader's language: `21 Nov 2026, 14:03 UTC`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Template)]
#[template(source = r#"<time{% if !iso.is_empty() %} datetime="{{ iso }}"{% endif %}>{{ self.text() }}</time>"#, ext = "html")]
pub struct When {
    /// RFC 3339, for machines; empty where it is not known to be that.
    iso: String,
    /// The date and the time of day in UTC; `None` where the text cannot be read as a moment.
    moment: Option<Moment>,
    /// What was said, where it is not a moment.
    said: Text,
}

/// A minute in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Moment {
    year: u16,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
}

impl Moment {
    /// Reads the beginning of an RFC 3339 text in UTC.
    fn parse(iso: &str) -> Option<Self> {
        let iso = iso.strip_suffix('Z')?;
        let (date, time) = iso.split_once('T')?;
        let mut date = date.splitn(3, '-');
        let (year, month, day) = (date.next()?, date.next()?, date.next()?);
        let mut time = time.splitn(3, ':');
        let (hour, minute) = (time.next()?, time.next()?);
        let moment = Self {
            year: year.parse().ok()?,
            month: month.parse().ok()?,
            day: day.parse().ok()?,
            hour: hour.parse().ok()?,
            minute: minute.parse().ok()?,
        };
        let real = (1..=12).contains(&moment.month) && (1..=31).contains(&moment.day) && moment.hour < 24 && moment.minute < 60;
        real.then_some(moment)
    }
}

impl When {
    /// A moment by its RFC 3339 text in UTC (`2026-11-21T14:03:27Z`). Text that is not one, as
    /// peers may send it, is shown as it is.
    pub fn utc(iso: impl Into<String>) -> Self {
        let iso = iso.into();
        match Moment::parse(&iso) {
            Some(moment) => Self { iso, moment: Some(moment), said: Text::default() },
            None => Self { iso: String::new(), moment: None, said: Text::plain(iso) },
        }
    }

    /// Something to read where there was no moment: `never`.
    pub fn said(text: Text) -> Self {
        Self { said: text, ..Self::default() }
    }

    /// In words.
    pub fn text(&self) -> Text {
        let Some(moment) = self.moment else { return self.said.clone() };
        Text::say("common-moment")
            .with("year", Digits(moment.year.into()))
            .with("month", u64::from(moment.month))
            .with("day", Digits(moment.day.into()))
            .with("clock", format!("{:02}:{:02}", moment.hour, moment.minute))
    }
}

impl HtmlSafe for When {}

/// A length of time in its two largest units: `3 days 4 hours`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// Whole seconds.
    pub seconds: u64,
}

impl Span {
    /// In words.
    pub fn text(self) -> Text {
        let Self { seconds } = self;
        let parts = [
            (seconds / 86_400, "common-days"),
            (seconds / 3_600 % 24, "common-hours"),
            (seconds / 60 % 60, "common-minutes"),
            (seconds % 60, "common-seconds"),
        ];
        let say = |(n, key): (u64, &'static str)| Text::say(key).with("n", n);
        let first = parts.iter().position(|(n, _)| *n > 0).unwrap_or(parts.len() - 1);
        let largest = say(parts[first]);
        match parts.get(first + 1).filter(|(n, _)| *n > 0) {
            Some(next) => Text::say("common-span").with("larger", largest).with("smaller", say(*next)),
            None => largest,
        }
    }

    /// In words, as how long ago something was: `3 minutes ago`, by the largest unit alone.
    pub fn ago(self) -> Text {
        let Self { seconds } = self;
        match seconds {
            0..60 => Text::say("common-just-now"),
            60..3_600 => Text::say("common-minutes-ago").with("n", seconds / 60),
            3_600..86_400 => Text::say("common-hours-ago").with("n", seconds / 3_600),
            _ => Text::say("common-days-ago").with("n", seconds / 86_400),
        }
    }
}

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
    pub text: Text,
}

/// What stands around every page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The reader's language.
    pub locale: Locale,
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
    /// The path and query that open this page again, for the switch of the language; after an
    /// action, those of a page that it belongs to.
    pub here: String,
    /// The id of the request, for support and logs.
    pub request_id: String,
    /// The version of the node.
    pub version: String,
    /// The time the page was made.
    pub now: When,
    /// How many negotiations wait until somebody here decides, for the menu.
    pub waiting: Count,
    /// Whether the reader is an auditor here: forms that change something are not shown.
    pub audits: bool,
    /// Whether the node's log is held: nothing is signed until somebody resolves it.
    pub log_held: bool,
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
        } else if !section.is_empty() && below(section) {
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

/// Why this side took a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// Somebody decided.
    Person {
        /// Whose account it was, where it is known.
        account: Option<String>,
        /// Or which API token.
        token: Option<String>,
    },
    /// A program that a rule names.
    Webhook,
    /// The agreed terms.
    Terms,
    /// What became of the agreement.
    Agreement,
    /// A rule, for the point `at`, if that is known.
    Rule {
        /// The point, as rules' files name it.
        at: Option<String>,
        /// What the rule says, likewise.
        action: String,
    },
    /// A message that could not be delivered.
    Exchange {
        /// The protocol's name of the message.
        message: String,
        /// Where it went.
        url: String,
        /// The answer's status, if there was one.
        status: Option<u16>,
        /// What the peer gave as its reason, or why there was no answer.
        answer: String,
        /// How often it was sent.
        attempts: u32,
    },
}

impl Cause {
    /// In the reader's language.
    pub fn text(&self) -> Text {
        match self {
            Self::Person { account: Some(account), .. } => Text::say("cause-account").with("account", account.as_str()),
            Self::Person { token: Some(token), .. } => Text::say("cause-token").with("token", token.as_str()),
            Self::Person { .. } => Text::say("cause-person"),
            Self::Webhook => Text::say("cause-webhook"),
            Self::Terms => Text::say("cause-terms"),
            Self::Agreement => Text::say("cause-agreement"),
            Self::Rule { at: None, action } => Text::say("cause-rule").with("action", Text::of("cause-action", action)),
            Self::Rule { at: Some(at), action } => {
                Text::say("cause-rule-at").with("at", Text::of("cause-point", at)).with("action", Text::of("cause-action", action))
            }
            Self::Exchange { message, url, status: None, answer, attempts } => Text::say("cause-no-answer")
                .with("message", message.as_str())
                .with("url", url.as_str())
                .with("attempts", u64::from(*attempts))
                .with("answer", Text::detail(answer)),
            Self::Exchange { message, url, status: Some(status), answer, attempts } => Text::say("cause-answer")
                .with("message", message.as_str())
                .with("url", url.as_str())
                .with("status", Digits(u64::from(*status)))
                .with("attempts", u64::from(*attempts))
                .with("answer", Text::detail(answer)),
        }
    }
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
    /// Why this side did it, where that is known.
    pub cause: Option<Cause>,
    /// The number of the version of the terms that came with it, where the page compares versions.
    pub version: Option<u64>,
    /// What it is about; `None` where the page itself is about it.
    pub subject: Option<Subject>,
}

/// How a process ended before its time.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "parts/ending.html")]
pub struct EndingView {
    /// Who ended it.
    pub who: Party,
    /// What its code means, where it is one of ours.
    pub cause: Option<Text>,
    /// The code that was given.
    pub code: Option<String>,
    /// What was said.
    pub reason: Option<String>,
}

impl HtmlSafe for EndingView {}

/// The conditions of an offer or an agreement.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Terms {
    /// Each condition as a sentence.
    pub sentences: Vec<Text>,
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
    /// The version that the deal is about, where the id says it.
    pub version: Option<String>,
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
            ("/p/suzhou/catalog", "catalog", Some("page")),
            ("/p/suzhou/catalog/product", "catalog", Some("true")),
            ("/elsewhere", "products", None),
        ] {
            let layout = samples::layout(path);
            assert_eq!(layout.aria_current(section), expected, "{path} {section}");
        }
    }

    #[test]
    fn moments_are_put_in_the_readers_language() {
        let when = When::utc("2026-11-21T14:03:59.5Z");
        assert_eq!(when.to_string(), "<time datetime=\"2026-11-21T14:03:59.5Z\">21 Nov 2026, 14:03 UTC</time>");
        assert_eq!(when.text().in_locale(Locale::Zh), "2026年11月21日 14:03 UTC");
        assert_eq!(When::utc("2026-01-02T03:04:05Z").text().to_string(), "2 Jan 2026, 03:04 UTC");
        for odd in ["", "yesterday", "2026-13-01T00:00:00Z", "2026-11-21T14:03:59+08:00", "2026-11-21T25:03:59Z"] {
            assert_eq!(When::utc(odd).to_string(), format!("<time>{odd}</time>"));
        }
    }

    #[test]
    fn spans_have_two_units_at_most() {
        for (seconds, en, zh) in [
            (0, "0 seconds", "0 秒"),
            (1, "1 second", "1 秒"),
            (61, "1 minute 1 second", "1 分钟 1 秒"),
            (3_600, "1 hour", "1 小时"),
            (3_605, "1 hour", "1 小时"),
            (90_000, "1 day 1 hour", "1 天 1 小时"),
            (3 * 86_400 + 59, "3 days", "3 天"),
        ] {
            let text = Span { seconds }.text();
            assert_eq!((text.to_string().as_str(), text.in_locale(Locale::Zh).as_str()), (en, zh), "{seconds}");
        }
        for (seconds, en, zh) in [
            (5, "just now", "刚刚"),
            (60, "1 minute ago", "1 分钟前"),
            (7_300, "2 hours ago", "2 小时前"),
            (200_000, "2 days ago", "2 天前"),
        ] {
            let text = Span { seconds }.ago();
            assert_eq!((text.to_string().as_str(), text.in_locale(Locale::Zh).as_str()), (en, zh), "{seconds}");
        }
    }

    #[test]
    fn times_and_names_are_escaped() {
        let when = When::utc("\"><script>");
        assert!(!when.to_string().contains("<script>"));
        let party = Party { name: "<img src=x>".into(), did: "did:web:x".into(), ours: false };
        assert!(!party.to_string().contains("<img"));
    }
}
