//! Texts that are said in the reader's language when a page is rendered.
//!
//! A template writes `{{ "products-title"|say }}`, with variables
//! `{{ "catalog-count"|say|arg("n", paging.total) }}`. `say` gives plain text, good anywhere;
//! `rich` gives text for the body of a page, in which the message may hold
//! `<code>`, `<strong>`, `<q>` and one `<a>`, and foreign text stands in `<bdi>`:
//! `{{ "catalog-heading"|rich|arg("name", name) }}`,
//! `{{ "peers-empty"|rich|link(format!("{base}/peers")) }}`.
//!
//! The node builds the same in Rust and hands it over in a view model:
//! `Text::say("notice-token-revoked")`, `Text::say("node-waiting").with("for", span)`.
//!
//! The locale is not part of any of this: pages are rendered with it as askama's runtime value
//! ([`Page::html`](crate::Page::html)).

use std::borrow::Cow;
use std::fmt::{self, Write};

use askama::filters::HtmlSafe;
use askama::{FastWritable, Values};
use fluent_bundle::{FluentArgs, FluentValue};

use crate::format::{Bytes, Count};
use crate::locale::Locale;
use crate::view::When;

/// Elements that a message may hold where it is [`Rich`].
pub(crate) const ELEMENTS: [&str; 6] = ["<code>", "</code>", "<strong>", "</strong>", "<q>", "</q>"];

/// A text for people: a message of the catalogue with its variables, or text from elsewhere
/// that is shown as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Message {
        key: Cow<'static, str>,
        args: Vec<(Cow<'static, str>, Arg)>,
        href: Option<String>,
    },
    Plain(String),
    /// Several texts with the message of this key between them.
    Joined(Vec<Text>, &'static str),
}

/// The value of a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arg {
    /// A number, by which the message may choose its form. Exact up to 2^53.
    Number(u64),
    /// A number that is shown as it is, without separators: a year, a version.
    Digits(u64),
    /// Text from outside: escaped, and isolated where the message is rich.
    Foreign(String),
    /// A text that is itself in the reader's language.
    Said(Text),
    /// A moment.
    When(When),
    /// Markup of this crate's making.
    #[doc(hidden)]
    Html(Html),
}

/// A number that is shown as it is, without separators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digits(pub u64);

/// Markup that a template of this crate made; nothing else can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Html(String);

impl Default for Text {
    fn default() -> Self {
        Self::plain("")
    }
}

impl Text {
    /// The message with this key.
    pub const fn say(key: &'static str) -> Self {
        Self(Kind::Message { key: Cow::Borrowed(key), args: Vec::new(), href: None })
    }

    /// The message `{family}-{member}`, of a family of messages with one for each of some codes
    /// (`state-AGREED`, `error-FDC-1001`).
    pub fn of(family: &'static str, member: &str) -> Self {
        Self(Kind::Message { key: Cow::Owned(format!("{family}-{member}")), args: Vec::new(), href: None })
    }

    /// Text from elsewhere, in whatever language it is.
    pub fn plain(text: impl Into<String>) -> Self {
        Self(Kind::Plain(text.into()))
    }

    /// Several texts with a message between them, which holds a comma or the like.
    pub fn joined(texts: Vec<Self>, separator: &'static str) -> Self {
        Self(Kind::Joined(texts, separator))
    }

    /// Gives a variable its value.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl IntoArg) -> Self {
        if let Kind::Message { args, .. } = &mut self.0 {
            args.push((Cow::Borrowed(name), value.to_arg()));
        }
        self
    }

    /// Whether there is nothing to read. A message always says something.
    pub fn is_empty(&self) -> bool {
        matches!(&self.0, Kind::Plain(text) if text.is_empty())
    }

    /// The text in a language, not escaped.
    pub fn in_locale(&self, locale: Locale) -> String {
        let mut out = String::new();
        // Writing into a string does not fail.
        _ = self.write(&mut out, locale);
        out
    }

    /// Whether the catalogue has it, in English at least.
    pub fn exists(&self) -> bool {
        match &self.0 {
            Kind::Message { key, .. } => Locale::En.has(key),
            Kind::Plain(_) => true,
            Kind::Joined(texts, separator) => Locale::En.has(separator) && texts.iter().all(Self::exists),
        }
    }

    fn write(&self, out: &mut dyn Write, locale: Locale) -> fmt::Result {
        if let Kind::Joined(texts, separator) = &self.0 {
            return joined(out, locale, texts, separator, Self::write);
        }
        self.pieces(locale, |piece| match piece {
            Piece::Own(text) => out.write_str(text),
            Piece::Arg(Arg::Foreign(text)) => out.write_str(text),
            Piece::Arg(Arg::Digits(n)) => write!(out, "{n}"),
            Piece::Arg(Arg::Said(text)) => text.write(out, locale),
            Piece::Arg(Arg::When(when)) => when.text().write(out, locale),
            // Numbers are formatted by Fluent, and plain text has no place for markup.
            Piece::Arg(Arg::Number(_) | Arg::Html(_)) => Ok(()),
        })
    }

    fn write_rich(&self, out: &mut dyn Write, locale: Locale) -> fmt::Result {
        let href = match &self.0 {
            Kind::Message { href, .. } => href.as_deref(),
            Kind::Plain(text) => return isolated(out, text),
            Kind::Joined(texts, separator) => return joined(out, locale, texts, separator, Self::write_rich),
        };
        self.pieces(locale, |piece| match piece {
            Piece::Own(text) => elements(out, text, href),
            Piece::Arg(Arg::Foreign(text)) => isolated(out, text),
            Piece::Arg(Arg::Digits(n)) => write!(out, "{n}"),
            Piece::Arg(Arg::Said(text)) => text.write_rich(out, locale),
            Piece::Arg(Arg::When(when)) => when.write_into(out, &locale).map_err(|_| fmt::Error),
            Piece::Arg(Arg::Html(html)) => out.write_str(&html.0),
            Piece::Arg(Arg::Number(_)) => Ok(()),
        })
    }

    /// Takes the message apart into its own text and the values of its variables, so that what
    /// comes from outside never meets what is read as markup. Fluent sees a mark in place of
    /// every value but a number: a private character, and the value's place as another.
    fn pieces(&self, locale: Locale, mut each: impl FnMut(Piece<'_>) -> fmt::Result) -> fmt::Result {
        let (key, args) = match &self.0 {
            Kind::Message { key, args, .. } => (key, args),
            Kind::Plain(text) => return each(Piece::Own(text)),
            Kind::Joined(..) => return Ok(()),
        };
        let mut given = FluentArgs::with_capacity(args.len());
        for (place, (name, value)) in (MARK_FIRST..=MARK_LAST).zip(args) {
            let value = match value {
                #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53, far beyond what is counted")]
                Arg::Number(n) => FluentValue::from(*n as f64),
                _ => FluentValue::from(place.to_string()),
            };
            given.set(name.as_ref(), value);
        }
        let text = locale.format(key, &given);
        let mut rest = text.as_str();
        while let Some(at) = rest.find(|c| (MARK_FIRST..=MARK_LAST).contains(&c)) {
            each(Piece::Own(&rest[..at]))?;
            let mark = rest[at..].chars().next().unwrap_or(MARK_FIRST);
            if let Some((_, value)) = args.get((u32::from(mark) - u32::from(MARK_FIRST)) as usize) {
                each(Piece::Arg(value))?;
            }
            rest = &rest[at + mark.len_utf8()..];
        }
        each(Piece::Own(rest))
    }
}

/// The marks of the first and the last variable: private characters, which no message holds.
/// More variables than between them no message has.
const MARK_FIRST: char = '\u{f8c0}';
const MARK_LAST: char = '\u{f8ff}';

enum Piece<'a> {
    Own(&'a str),
    Arg(&'a Arg),
}

type WriteText = fn(&Text, &mut dyn Write, Locale) -> fmt::Result;

fn joined(out: &mut dyn Write, locale: Locale, texts: &[Text], separator: &'static str, write: WriteText) -> fmt::Result {
    for (i, text) in texts.iter().enumerate() {
        if i > 0 {
            write(&Text::say(separator), out, locale)?;
        }
        write(text, out, locale)?;
    }
    Ok(())
}

/// Escapes for HTML, as askama does.
fn escaped(out: &mut dyn Write, text: &str) -> fmt::Result {
    for c in text.chars() {
        match c {
            '&' => out.write_str("&#38;")?,
            '<' => out.write_str("&#60;")?,
            '>' => out.write_str("&#62;")?,
            '"' => out.write_str("&#34;")?,
            '\'' => out.write_str("&#39;")?,
            _ => out.write_char(c)?,
        }
    }
    Ok(())
}

/// Foreign text, whose direction does not reach beyond it.
fn isolated(out: &mut dyn Write, text: &str) -> fmt::Result {
    out.write_str("<bdi>")?;
    escaped(out, text)?;
    out.write_str("</bdi>")
}

/// A message's own text: escaped, but for the few elements that it may hold.
fn elements(out: &mut dyn Write, text: &str, href: Option<&str>) -> fmt::Result {
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        escaped(out, &rest[..at])?;
        rest = &rest[at..];
        if let Some(element) = ELEMENTS.iter().find(|element| rest.starts_with(*element)) {
            out.write_str(element)?;
            rest = &rest[element.len()..];
        } else if let Some(after) = rest.strip_prefix("<a>") {
            if let Some(href) = href {
                out.write_str("<a href=\"")?;
                escaped(out, href)?;
                out.write_str("\">")?;
            }
            rest = after;
        } else if let Some(after) = rest.strip_prefix("</a>") {
            if href.is_some() {
                out.write_str("</a>")?;
            }
            rest = after;
        } else {
            escaped(out, "<")?;
            rest = &rest[1..];
        }
    }
    escaped(out, rest)
}

/// Written into a template: in its locale, and escaped by askama.
impl FastWritable for Text {
    fn write_into(&self, dest: &mut dyn Write, values: &dyn Values) -> askama::Result<()> {
        Ok(self.write(dest, Locale::of(values))?)
    }
}

/// In English, for tests and logs.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, Locale::En)
    }
}

/// A text for the body of a page, with the few elements that its message holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rich(Text);

impl FastWritable for Rich {
    fn write_into(&self, dest: &mut dyn Write, values: &dyn Values) -> askama::Result<()> {
        Ok(self.0.write_rich(dest, Locale::of(values))?)
    }
}

impl fmt::Display for Rich {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write_rich(f, Locale::En)
    }
}

impl HtmlSafe for Rich {}

/// What can be the value of a variable.
pub trait IntoArg {
    /// The value.
    fn to_arg(&self) -> Arg;
}

impl<T: IntoArg + ?Sized> IntoArg for &T {
    fn to_arg(&self) -> Arg {
        (**self).to_arg()
    }
}

/// Each type with how it becomes a value.
macro_rules! args {
    ($($kind:ty: $value:ident => $arg:expr;)+) => {
        $(impl IntoArg for $kind {
            fn to_arg(&self) -> Arg {
                let $value = self;
                $arg
            }
        })+
    };
}

args! {
    Arg: it => it.clone();
    str: it => Arg::Foreign(it.to_owned());
    String: it => Arg::Foreign(it.clone());
    Text: it => Arg::Said(it.clone());
    When: it => Arg::When(it.clone());
    Bytes: it => Arg::Foreign(it.to_string());
    Count: it => Arg::Number(it.0);
    Digits: it => Arg::Digits(it.0);
    u64: it => Arg::Number(*it);
    u32: it => Arg::Number((*it).into());
    usize: it => Arg::Number(*it as u64);
}

/// What a filter can begin or go on with: a key, or a text.
pub trait IntoText {
    /// The text.
    fn to_text(&self) -> Text;
}

impl IntoText for str {
    fn to_text(&self) -> Text {
        Text(Kind::Message { key: Cow::Owned(self.to_owned()), args: Vec::new(), href: None })
    }
}

impl IntoText for Text {
    fn to_text(&self) -> Text {
        self.clone()
    }
}

impl<T: IntoText + ?Sized> IntoText for &T {
    fn to_text(&self) -> Text {
        (**self).to_text()
    }
}

/// A text that takes variables.
pub trait TakesArgs {
    /// Gives a variable its value.
    #[must_use]
    fn with_arg(self, name: &str, value: Arg) -> Self;
}

impl TakesArgs for Text {
    fn with_arg(mut self, name: &str, value: Arg) -> Self {
        if let Kind::Message { args, .. } = &mut self.0 {
            args.push((Cow::Owned(name.to_owned()), value));
        }
        self
    }
}

impl TakesArgs for Rich {
    fn with_arg(self, name: &str, value: Arg) -> Self {
        Self(self.0.with_arg(name, value))
    }
}

/// What templates say texts with. A file that derives a template imports this module.
#[expect(
    clippy::inline_always,
    clippy::unused_self,
    clippy::unnecessary_wraps,
    reason = "askama's macro makes methods of these, which give results"
)]
pub(crate) mod filters {
    use askama::{Result, Template, Values};

    use super::{Arg, Html, IntoArg, IntoText, Kind, Rich, TakesArgs, Text};

    /// The message with this key as plain text.
    #[askama::filter_fn]
    pub fn say<T: IntoText>(key: T, _: &dyn Values) -> Result<Text> {
        Ok(key.to_text())
    }

    /// The message with this key, or a text, with its elements.
    #[askama::filter_fn]
    pub fn rich<T: IntoText>(key: T, _: &dyn Values) -> Result<Rich> {
        Ok(Rich(key.to_text()))
    }

    /// Gives a variable its value.
    #[askama::filter_fn]
    pub fn arg<T: TakesArgs, A: IntoArg>(text: T, _: &dyn Values, name: &str, value: A) -> Result<T> {
        Ok(text.with_arg(name, value.to_arg()))
    }

    /// Gives a variable of a rich text another template as its value: a party, a chip.
    #[askama::filter_fn]
    pub fn html<H: Template>(text: Rich, values: &dyn Values, name: &str, value: H) -> Result<Rich> {
        Ok(text.with_arg(name, Arg::Html(Html(value.render_with_values(values)?))))
    }

    /// Where the `<a>` of a rich text leads.
    #[askama::filter_fn]
    pub fn link<A: AsRef<str>>(text: Rich, _: &dyn Values, to: A) -> Result<Rich> {
        let Rich(Text(mut kind)) = text;
        if let Kind::Message { href, .. } = &mut kind {
            *href = Some(to.as_ref().to_owned());
        }
        Ok(Rich(Text(kind)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "<a>\u{f8c1}<code>&\"'\u{202e}";

    fn rich(text: Text) -> String {
        Rich(text).to_string()
    }

    #[test]
    fn what_comes_from_outside_is_never_markup() {
        let text = Text::say("catalog-title").with("name", HOSTILE);
        assert_eq!(text.to_string(), format!("Catalogue of {HOSTILE}"), "plain text, which askama escapes");
        assert_eq!(rich(text), "Catalogue of <bdi>&#60;a&#62;\u{f8c1}&#60;code&#62;&#38;&#34;&#39;\u{202e}</bdi>");
        assert_eq!(rich(Text::plain("<b>")), "<bdi>&#60;b&#62;</bdi>");
    }

    #[test]
    fn messages_have_their_elements_and_one_link() {
        let text = Text::say("agreements-none-hint");
        let Kind::Message { key, args, .. } = text.0.clone() else { panic!("a message") };
        let linked = Text(Kind::Message { key, args, href: Some("/p/x\"><b>".into()) });
        assert!(rich(linked).contains("<a href=\"/p/x&#34;&#62;&#60;b&#62;\">a peer’s catalogue</a>"));
        assert!(rich(text).contains("offer in a peer’s catalogue."), "no link without an address");
        assert!(rich(Text::say("agreement-needs")).contains("<code>pip install delta-sharing</code>"));
        assert_eq!(rich(Text::say("agreement-used").with("n", 1_234_u64)), "<strong>1,234</strong> so far, without a limit");
    }

    #[test]
    fn texts_hold_texts_in_the_same_language() {
        let length = Text::say("common-minutes").with("n", 1_u64);
        let text = Text::say("login-throttled").with("wait", &length);
        assert_eq!(text.to_string(), "Too many attempts. Wait 1 minute at most, then try again.");
        assert_eq!(text.in_locale(Locale::Zh), "尝试次数过多。请稍候（最多 1 分钟）再试。");
        let joined = Text::joined(vec![Text::plain("CN"), length], "terms-comma");
        assert_eq!((joined.to_string(), joined.in_locale(Locale::Zh)), ("CN, 1 minute".into(), "CN、1 分钟".into()));
        assert_eq!(rich(joined), "<bdi>CN</bdi>, 1 minute");
    }

    #[test]
    fn what_does_not_exist_is_told() {
        assert!(Text::say("common-skip").exists() && Text::of("state", "AGREED").exists() && Text::plain("x").exists());
        assert!(!Text::of("kind", "<b>").exists());
        assert_eq!(rich(Text::of("kind", "<b>")), "kind-&#60;b&#62;");
    }
}
