//! Two versions of terms side by side, with what differs marked in words.

use askama::Template;
use askama::filters::HtmlSafe;

use crate::text::{Digits, Text, filters};
use crate::view::When;

/// What became of a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It stayed.
    Same,
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It says something else.
    Changed,
}

impl Change {
    #[cfg(test)]
    const ALL: [Self; 4] = [Self::Same, Self::Added, Self::Removed, Self::Changed];

    /// Its name in classes and messages.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }

    pub(crate) fn text(self) -> Text {
        Text::of("versions-term", self.code())
    }
}

/// Where a version of the terms comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionSource {
    /// The offer in the catalogue.
    Published,
    /// The consumer asked for it.
    Asked,
    /// The provider offered it.
    Offered,
    /// The agreement.
    Agreement,
}

impl VersionSource {
    #[cfg(test)]
    const ALL: [Self; 4] = [Self::Published, Self::Asked, Self::Offered, Self::Agreement];

    const fn code(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Asked => "asked",
            Self::Offered => "offered",
            Self::Agreement => "agreement",
        }
    }
}

/// A version of the terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionView {
    /// Its number, from 1.
    pub n: u64,
    /// Where it comes from.
    pub source: VersionSource,
    /// Whose it is, by name.
    pub who: String,
    /// When it came.
    pub when: When,
}

impl VersionView {
    /// `2 · offered by Hefei`.
    fn text(&self) -> Text {
        Text::of("versions-from", self.source.code()).with("n", Digits(self.n)).with("who", &self.who)
    }
}

/// A line: a term as it was and as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComparedRow {
    /// What became of it.
    pub change: Change,
    /// As it was.
    pub before: Option<Text>,
    /// As it is.
    pub after: Option<Text>,
}

/// Two versions side by side.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "parts/compared.html")]
pub struct Compared {
    /// All versions there are, the first first; the page lets choose where there are more than two.
    pub versions: Vec<VersionView>,
    /// The one on the left: its place in `versions`.
    pub before: usize,
    /// The one on the right.
    pub after: usize,
    /// The lines.
    pub rows: Vec<ComparedRow>,
    /// The left one as indented ODRL.
    pub before_odrl: String,
    /// The right one.
    pub after_odrl: String,
}

impl HtmlSafe for Compared {}

impl Compared {
    /// Both sides that can be seen, with their ODRL.
    fn sides(&self) -> impl Iterator<Item = (&VersionView, &str)> {
        let side = |place: usize, odrl| Some((self.versions.get(place)?, odrl));
        [side(self.before, self.before_odrl.as_str()), side(self.after, self.after_odrl.as_str())].into_iter().flatten()
    }

    /// The choices of both fields: their name, label and which version is chosen.
    fn choices(&self) -> [(&'static str, &'static str, u64); 2] {
        let n = |place: usize| self.versions.get(place).map_or(0, |version| version.n);
        [("from", "versions-compare", n(self.before)), ("to", "versions-with", n(self.after))]
    }

    fn is_same(&self) -> bool {
        self.rows.iter().all(|row| row.change == Change::Same)
    }

    fn differences(&self) -> u64 {
        self.rows.iter().filter(|row| row.change != Change::Same).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_and_source_has_words() {
        for change in Change::ALL {
            assert!(change.text().exists(), "{change:?}");
        }
        for source in VersionSource::ALL {
            assert!(Text::of("versions-from", source.code()).exists(), "{source:?}");
        }
    }

    #[test]
    fn what_differs_is_marked_in_words() {
        let html = Compared::sample().to_string();
        assert!(html.contains(">changed<") && html.contains(">added<") && html.contains(">removed<"), "{html}");
        assert!(html.contains("It may be read at most 100 times.") && html.contains("It may be read at most 10 times."));
        assert_eq!(html.matches("<select").count(), 2, "three versions can be chosen from");
        let two = Compared { versions: Compared::sample().versions[..2].to_vec(), before: 0, after: 1, ..Compared::sample() };
        assert!(!two.to_string().contains("<select"));
        let same = Compared { rows: Vec::new(), ..two };
        assert!(same.to_string().contains("say the same"));
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut compared = Compared::sample();
        compared.versions[1].who = "<script>".into();
        compared.rows[0].after = Some(Text::plain("<script>"));
        compared.after_odrl = "</code><script>".into();
        assert!(!compared.to_string().contains("<script>"));
    }
}
