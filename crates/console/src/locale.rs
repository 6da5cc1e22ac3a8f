//! The languages of the console and the catalogue of its messages.
//!
//! A message is written once per language in `locales/{en,zh}/*.ftl` ([Fluent]), one file per
//! area. The files are built into the binary; the tests of this crate see to it that both
//! languages hold the same messages with the same variables, that each is used and none is missing.
//!
//! [Fluent]: https://projectfluent.org

use std::any::Any;
use std::fmt::Write as _;
use std::sync::OnceLock;

use askama::Values;
use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};

use crate::format::Count;

/// Under this name a locale travels through askama's runtime values.
const VALUE: &str = "locale";

/// A language of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Locale {
    /// English: what is shown when nothing is known of the reader.
    #[default]
    En,
    /// Simplified Chinese.
    Zh,
}

/// The files of one area in both languages: `area => "en", "zh"`.
macro_rules! areas {
    ($($area:literal),+ $(,)?) => {
        /// Area, English file, Chinese file.
        pub(crate) const AREAS: &[(&str, &str, &str)] = &[
            $((
                $area,
                include_str!(concat!("../locales/en/", $area, ".ftl")),
                include_str!(concat!("../locales/zh/", $area, ".ftl")),
            ),)+
        ];
    };
}

// One file per area, named after its page or its part; a key begins with its area. Alphabetical.
areas! {
    "advice",
    "agreement",
    "agreements",
    "catalog",
    "cause",
    "common",
    "connections",
    "copy",
    "detail",
    "error",
    "event",
    "evidence",
    "first-rows",
    "home",
    "kind",
    "label",
    "lineage",
    "login",
    "money",
    "negotiation",
    "negotiations",
    "node",
    "not-found",
    "notice",
    "peer",
    "peers",
    "people",
    "product",
    "products",
    "publish",
    "rhythm",
    "role",
    "rules",
    "shared-files",
    "state",
    "step",
    "terms",
    "tokens",
    "transfer",
    "transfers",
    "versions",
    "waiting",
}

impl Locale {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::En, Self::Zh];

    /// The BCP 47 tag of pages in it, for `lang` and `Content-Language`. Chinese names its
    /// region, by which browsers choose the glyphs.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh-CN",
        }
    }

    /// The name in URLs and cookies.
    pub const fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh",
        }
    }

    /// What its speakers call it, for the switch. The same in every language.
    pub const fn own_name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::Zh => "中文",
        }
    }

    /// The one with this [`code`](Self::code).
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.code() == code)
    }

    /// The one that serves a BCP 47 tag of a reader: `zh-Hant-TW` is better served by
    /// Simplified Chinese than by English.
    pub fn from_tag(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|it| it.code().eq_ignore_ascii_case(primary))
    }

    /// The locale that a template is rendered with; English where none was given.
    pub(crate) fn of(values: &dyn Values) -> Self {
        values.get_value(VALUE).and_then(|it| it.downcast_ref()).copied().unwrap_or_default()
    }

    fn bundle(self) -> &'static FluentBundle<FluentResource> {
        static BUNDLES: OnceLock<[FluentBundle<FluentResource>; 2]> = OnceLock::new();
        let [en, zh] = BUNDLES.get_or_init(|| Self::ALL.map(build));
        match self {
            Self::En => en,
            Self::Zh => zh,
        }
    }

    /// The message of this language alone.
    fn format_strictly(self, key: &str, args: &FluentArgs<'_>) -> Option<String> {
        let bundle = self.bundle();
        let pattern = bundle.get_message(key)?.value()?;
        // A variable that was not given leaves its name in the text, which the tests would find.
        Some(bundle.format_pattern(pattern, Some(args), &mut Vec::new()).into_owned())
    }

    /// A message in this language; one that it lacks in English, and one that English lacks by
    /// its key, which at least can be searched for.
    pub(crate) fn format(self, key: &str, args: &FluentArgs<'_>) -> String {
        self.format_strictly(key, args).or_else(|| Self::En.format_strictly(key, args)).unwrap_or_else(|| key.to_owned())
    }

    /// Whether the catalogue has this message in this language.
    pub fn has(self, key: &str) -> bool {
        self.bundle().get_message(key).is_some_and(|message| message.value().is_some())
    }
}

/// A locale as the one runtime value that templates are rendered with.
impl Values for Locale {
    fn get_value<'a>(&'a self, key: &str) -> Option<&'a dyn Any> {
        (key == VALUE).then_some(self as &dyn Any)
    }
}

fn build(locale: Locale) -> FluentBundle<FluentResource> {
    let mut bundle = FluentBundle::new_concurrent(locale.tag().parse().into_iter().collect());
    // Foreign text is isolated with `<bdi>`, which does not end up in what people copy.
    bundle.set_use_isolating(false);
    bundle.set_formatter(Some(|value, _| match value {
        FluentValue::Number(number) => Some(grouped(number.value)),
        _ => None,
    }));
    for (_, en, zh) in AREAS {
        let text = match locale {
            Locale::En => en,
            Locale::Zh => zh,
        };
        // What can be read of a file is used; a test refuses files with errors in them.
        let resource = FluentResource::try_new((*text).to_owned()).unwrap_or_else(|(resource, _)| resource);
        bundle.add_resource_overriding(resource);
    }
    bundle
}

/// A number with thousands separators, which are the same in both languages.
fn grouped(value: f64) -> String {
    let text = value.abs().to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut out = String::new();
    if value < 0.0 {
        out.push('-');
    }
    match whole.parse() {
        Ok(whole) => _ = write!(out, "{}", Count(whole)),
        Err(_) => out.push_str(whole),
    }
    if !fraction.is_empty() {
        _ = write!(out, ".{fraction}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_find_their_language() {
        for (tag, found) in [
            ("zh", Some(Locale::Zh)),
            ("zh-Hant-TW", Some(Locale::Zh)),
            ("ZH-cn", Some(Locale::Zh)),
            ("en-GB", Some(Locale::En)),
            ("de", None),
            ("zhuang", None),
            ("", None),
        ] {
            assert_eq!(Locale::from_tag(tag), found, "{tag}");
        }
        for locale in Locale::ALL {
            assert_eq!(Locale::from_code(locale.code()), Some(locale));
            assert_eq!(Locale::from_tag(locale.tag()), Some(locale));
        }
    }

    #[test]
    fn numbers_are_grouped() {
        for (value, text) in [(0.0, "0"), (1234.0, "1,234"), (-1_234_567.5, "-1,234,567.5"), (1e21, "1000000000000000000000")] {
            assert_eq!(grouped(value), text);
        }
    }

    #[test]
    fn a_missing_message_is_its_key() {
        assert_eq!(Locale::Zh.format("no-such-message", &FluentArgs::new()), "no-such-message");
    }
}
