//! Lists that are narrowed by a search and by the values of properties (facets).
//!
//! What a list shows stands in its address alone: every choice is a link, so that a list works without scripts, can be
//! shared, and the way back leads back.

use crate::format::Count;
use crate::text::Text;
use std::fmt::Write as _;

/// Values of a facet that are shown; whoever looks for another one searches.
pub const CHOICES_SHOWN: usize = 12;

/// What a list was asked for: a path and the parameters that are set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Narrowed {
    path: String,
    pairs: Vec<(&'static str, String)>,
}

impl Narrowed {
    /// A list in full.
    pub fn new(path: impl Into<String>) -> Self {
        Self { path: path.into(), pairs: Vec::new() }
    }

    /// Sets a parameter, unless its value is empty.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.pairs.retain(|(n, _)| *n != name);
        if !value.is_empty() {
            self.pairs.push((name, value.to_owned()));
        }
        self
    }

    /// The value of a parameter; empty where it is not set.
    pub fn get(&self, name: &str) -> &str {
        self.pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_str()).unwrap_or_default()
    }

    /// Its path.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Whether it is narrowed at all.
    pub(crate) fn is_narrowed(&self) -> bool {
        !self.pairs.is_empty()
    }

    /// What a search form sends along: everything but the text itself.
    pub(crate) fn kept(&self) -> impl Iterator<Item = &(&'static str, String)> {
        self.pairs.iter().filter(|(name, _)| *name != "q")
    }

    /// The address.
    pub fn href(&self) -> String {
        let mut out = self.path.clone();
        for (i, (name, value)) in self.pairs.iter().enumerate() {
            out.push(if i == 0 { '?' } else { '&' });
            out.push_str(name);
            out.push('=');
            encode(&mut out, value);
        }
        out
    }

    /// The address with one parameter changed, or without it where the value is empty.
    pub fn but(&self, name: &'static str, value: &str) -> String {
        self.clone().with(name, value).href()
    }
}

/// Percent-encodes all but what never has a meaning in an address.
fn encode(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing into a string does not fail.
            _ = write!(out, "%{byte:02X}");
        }
    }
}

/// A property that a list can be narrowed by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facet {
    /// Its parameter.
    pub name: &'static str,
    /// What people call it.
    pub title: Text,
    /// Its values, the chosen one among them, then the most frequent.
    pub choices: Vec<Choice>,
    /// How many values are not shown.
    pub more: Count,
}

/// A value to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What it is called.
    pub label: Text,
    /// How many there are.
    pub count: Count,
    /// Whether the list is narrowed to it.
    pub chosen: bool,
    /// Where choosing leads: to the list narrowed to it, or no longer so.
    pub href: String,
}

impl Facet {
    /// A facet from its values with their counts, the most frequent first. None where there is nothing to choose.
    pub fn of(list: &Narrowed, name: &'static str, title: Text, values: &[(String, u64)], label: impl Fn(&str) -> Text) -> Option<Self> {
        let chosen = list.get(name);
        let choice = |value: &str, count: u64| Choice {
            label: label(value),
            count: Count(count),
            chosen: value == chosen,
            href: list.but(name, if value == chosen { "" } else { value }),
        };
        let mut choices = Vec::new();
        if !chosen.is_empty() {
            let count = values.iter().find(|(value, _)| value == chosen).map_or(0, |(_, count)| *count);
            choices.push(choice(chosen, count));
        }
        let others = values.iter().filter(|(value, _)| value != chosen);
        choices.extend(others.take(CHOICES_SHOWN).map(|(value, count)| choice(value, *count)));
        let more = Count((values.len() as u64).saturating_sub(choices.len() as u64));
        (!choices.is_empty()).then_some(Self { name, title, choices, more })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_what_a_list_shows() {
        let list = Narrowed::new("/p/a/catalog").with("q", "轴承 A&B").with("kind", "table").with("peer", "");
        assert_eq!(list.href(), "/p/a/catalog?q=%E8%BD%B4%E6%89%BF%20A%26B&kind=table");
        assert_eq!(list.but("kind", ""), "/p/a/catalog?q=%E8%BD%B4%E6%89%BF%20A%26B");
        assert_eq!(list.but("kind", "files"), list.clone().with("kind", "files").href());
        assert_eq!(Narrowed::new("/x").href(), "/x");
        assert_eq!(list.kept().collect::<Vec<_>>(), [&("kind", "table".to_owned())]);
    }

    #[test]
    fn a_choice_is_undone_by_itself() {
        let values: Vec<(String, u64)> = (0..20).map(|i| (format!("v{i}"), 100 - i)).collect();
        let label = |value: &str| Text::plain(value);
        let list = Narrowed::new("/x").with("kind", "v19");
        let facet = Facet::of(&list, "kind", Text::plain("Kind"), &values, label).expect("a facet");
        assert_eq!(facet.choices.len(), CHOICES_SHOWN + 1);
        assert!(facet.choices[0].chosen && facet.choices[0].href == "/x", "{facet:?}");
        assert_eq!((facet.choices[0].count, facet.more), (Count(81), Count(7)));
        assert!(facet.choices[1..].iter().all(|c| !c.chosen));
        let gone = Narrowed::new("/x").with("kind", "gone");
        let facet = Facet::of(&gone, "kind", Text::plain("Kind"), &[], label).expect("what was chosen can be undone");
        assert_eq!(facet.choices[0].count, Count(0));
        assert_eq!(Facet::of(&Narrowed::new("/x"), "kind", Text::plain("Kind"), &[], label), None);
    }
}
