//! `GET`, `POST /p/{slug}/publish/{id}/terms`: the third step, terms by sentences.
//!
//! The form carries all of the terms: `offers` (how many), `o{i}` (alternatives of an offer), `o{i}p{j}` (sentences of
//! an alternative), and for a sentence `o{i}p{j}s{k}` its kind, with `-choice`, `-value`, `-unit` and `-peer` as the kind
//! has them. `do` says what to do with them: `add-{i}-{j}` (of the kind in `o{i}p{j}-add`), `remove-{i}-{j}-{k}`,
//! `alternative-{i}`, `drop-{i}-{j}`, `preset-{name}`, `withdraw-{i}`. `o{i}-price` is the price, or empty. Text in `o{i}-odrl` that differs from
//! `o{i}-was` replaces the sentences.

use askama::Template;

use crate::fields::Field;
use crate::pages::PublishFrame;
use crate::text::{Text, filters};
use crate::view::Layout;

/// What a sentence is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SentenceKind {
    /// These participants alone, or all but these.
    Recipient,
    /// Until, from, before, after an instant.
    DateTime,
    /// For a time after the agreement.
    ElapsedTime,
    /// At most so many reads.
    Count,
    /// Where participants are established.
    Spatial,
    /// What for.
    Purpose,
    /// Later versions are included.
    Version,
    /// Either side may end the agreement with a notice.
    NoticePeriod,
    /// At most so many bytes.
    Volume,
    /// These columns of a table alone.
    Fields,
    /// These rows of a table alone.
    RowFilter,
    /// Values of a table hidden in part.
    Mask,
    /// Aggregates alone, over groups of so many rows.
    MinGroupSize,
}

impl SentenceKind {
    /// All of them, as they are offered.
    pub const ALL: [Self; 13] = [
        Self::Recipient,
        Self::DateTime,
        Self::ElapsedTime,
        Self::Count,
        Self::Volume,
        Self::Spatial,
        Self::Purpose,
        Self::Fields,
        Self::RowFilter,
        Self::Mask,
        Self::MinGroupSize,
        Self::Version,
        Self::NoticePeriod,
    ];

    /// Its name in forms: that of the left operand.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Recipient => "recipient",
            Self::DateTime => "dateTime",
            Self::ElapsedTime => "elapsedTime",
            Self::Count => "count",
            Self::Spatial => "spatial",
            Self::Purpose => "purpose",
            Self::Version => "version",
            Self::NoticePeriod => "noticePeriod",
            Self::Volume => "volume",
            Self::Fields => "fields",
            Self::RowFilter => "rowFilter",
            Self::Mask => "mask",
            Self::MinGroupSize => "minGroupSize",
        }
    }

    /// The one of that name.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.code() == code)
    }

    /// How it is offered: `Until a date …`.
    fn text(self) -> Text {
        Text::of("terms-sentence", self.code())
    }

    /// What can be chosen in it, by code: the messages `terms-choice-{kind}-{code}`.
    const fn choices(self) -> &'static [&'static str] {
        match self {
            Self::DateTime => &["lt", "lteq", "gteq", "gt", "eq", "neq"],
            Self::Recipient | Self::Spatial | Self::Purpose => &["isAnyOf", "isNoneOf"],
            Self::ElapsedTime
            | Self::Count
            | Self::Version
            | Self::NoticePeriod
            | Self::Volume
            | Self::Fields
            | Self::RowFilter
            | Self::Mask
            | Self::MinGroupSize => &[],
        }
    }

    fn choice_text(self, code: &str) -> Text {
        Text::of("terms-choice", &format!("{}-{code}", self.code()))
    }
}

/// Units of lengths of time, by their ISO 8601 designators; `iso` is a duration written as such.
pub(crate) const UNITS: [&str; 6] = ["PT-H", "P-D", "P-W", "P-M", "P-Y", "iso"];

/// A peer that can be ticked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerChoice {
    /// Its name.
    pub name: String,
    /// Its DID.
    pub did: String,
    /// Whether it is ticked.
    pub ticked: bool,
}

/// A sentence of the terms, as its fields stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentenceForm {
    /// What it is about.
    pub kind: SentenceKind,
    /// The operator: one of the kind's choices.
    pub choice: String,
    /// Its value: an instant, a number, one entry a line.
    pub value: String,
    /// The unit of a length of time.
    pub unit: String,
    /// The peers that can be ticked, for recipients.
    pub peers: Vec<PeerChoice>,
    /// Whether it was added just now: the reader goes on there.
    pub fresh: bool,
}

impl SentenceForm {
    const fn units() -> [&'static str; 6] {
        UNITS
    }

    /// Of a sentence about the content of a table: the message before its value, that after it, how many lines it has.
    const fn content(&self) -> Option<(&'static str, &'static str, u8)> {
        match self.kind {
            SentenceKind::Volume => Some(("terms-volume-before", "terms-volume-after", 1)),
            SentenceKind::Fields => Some(("terms-fields-before", "terms-fields-after", 3)),
            SentenceKind::RowFilter => Some(("terms-filter-before", "terms-filter-after", 2)),
            SentenceKind::Mask => Some(("terms-mask-before", "terms-mask-after", 2)),
            SentenceKind::MinGroupSize => Some(("terms-group-before", "terms-group-after", 1)),
            _ => None,
        }
    }

    fn unit_text(code: &str) -> Text {
        Text::of("terms-unit", code)
    }
}

/// One way of being permitted: all of its sentences hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AlternativeForm {
    /// The sentences.
    pub sentences: Vec<SentenceForm>,
}

/// Whether somebody may use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Yes.
    May,
    /// If they declare this.
    Declaring(Vec<Text>),
    /// No, because.
    MayNot(Text),
}

/// Who may do what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewRow {
    /// A peer's name; `None` is anybody else.
    pub name: Option<String>,
    /// The answer.
    pub answer: Answer,
    /// The bounds: how often, until when.
    pub bounds: Vec<Text>,
}

/// An offer as a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferForm {
    /// Its alternatives; none where the terms cannot be put into sentences.
    pub alternatives: Vec<AlternativeForm>,
    /// The price as it was typed.
    pub price: String,
    /// ODRL.
    pub odrl: String,
    /// What tells whether the ODRL was edited.
    pub was: String,
    /// Who may do what; empty while a sentence is incomplete.
    pub preview: Vec<PreviewRow>,
    /// How many known peers are not in the preview.
    pub more_peers: u64,
}

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/publish_terms.html", blocks = ["title"])]
pub struct PublishTermsPage {
    /// Around the page.
    pub layout: Layout,
    /// Around the step. Problems belong to fields such as `o0p0s0-value` and `o0-odrl`.
    pub frame: PublishFrame,
    /// The offers; none means open to every participant.
    pub offers: Vec<OfferForm>,
}

page!(PublishTermsPage);

/// Terms to begin with.
const PRESETS: [&str; 5] = ["partner", "research", "evaluation", "country", "open"];

impl PublishTermsPage {
    const fn presets() -> [&'static str; 5] {
        PRESETS
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    fn price_field(&self, i: &usize, offer: &OfferForm) -> Field {
        let field = self.frame.problems.field(&format!("o{i}-price"), Text::say("terms-price-label"), &offer.price);
        field.hint(Text::say("terms-price-hint")).max(40)
    }

    fn preset_text(code: &str) -> Text {
        Text::of("terms-preset", code)
    }

    fn problem(&self, field: &str) -> Option<&Text> {
        self.frame.problems.of(field)
    }

    /// The attributes of a field with a problem.
    fn aria(&self, field: &str) -> Aria {
        Aria { field: field.to_owned(), wrong: self.problem(field).is_some() }
    }
}

/// The attributes that tie a field to its problem.
#[derive(Debug, Clone, Template)]
#[template(source = r#"{% if wrong %} aria-invalid="true" aria-describedby="{{ field }}-problem"{% endif %}"#, ext = "html")]
struct Aria {
    field: String,
    wrong: bool,
}

impl askama::filters::HtmlSafe for Aria {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::checks::{HOSTILE, form, render, render_hostile};

    #[test]
    fn the_form_carries_all_terms() {
        let page = PublishTermsPage::sample();
        let html = render(&page);
        let form = form(&html, &format!("/p/suzhou/publish/{}/terms", page.frame.id)).expect("the form");
        assert!(form.contains("name=\"offers\" value=\"1\"") && form.contains("name=\"o0\" value=\"2\""));
        for (j, alternative) in page.offers[0].alternatives.iter().enumerate() {
            assert!(form.contains(&format!("name=\"o0p{j}\" value=\"{}\"", alternative.sentences.len())));
            for (k, sentence) in alternative.sentences.iter().enumerate() {
                assert!(form.contains(&format!("name=\"o0p{j}s{k}\" value=\"{}\"", sentence.kind.code())));
                assert!(form.contains(&format!("value=\"remove-0-{j}-{k}\"")));
            }
        }
        assert!(form.contains("name=\"o0-odrl\"") && form.contains("name=\"o0-was\""));
    }

    #[test]
    fn every_kind_choice_unit_and_preset_has_words() {
        for kind in SentenceKind::ALL {
            assert_eq!(SentenceKind::from_code(kind.code()), Some(kind));
            assert!(kind.text().exists(), "{kind:?}");
            for choice in kind.choices() {
                assert!(kind.choice_text(choice).exists(), "{kind:?} {choice}");
            }
        }
        for unit in UNITS {
            assert!(SentenceForm::unit_text(unit).exists(), "{unit}");
        }
        for preset in PRESETS {
            assert!(PublishTermsPage::preset_text(preset).exists(), "{preset}");
        }
    }

    #[test]
    fn no_offers_is_open_to_all() {
        let page = PublishTermsPage { offers: Vec::new(), ..PublishTermsPage::sample() };
        let html = render(&page);
        assert!(html.contains("name=\"offers\" value=\"0\"") && html.contains("value=\"preset-evaluation\""));
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut page = PublishTermsPage::sample();
        let sentence = &mut page.offers[0].alternatives[0].sentences[0];
        sentence.value = format!("</textarea>{HOSTILE}");
        sentence.peers[0].name = HOSTILE.into();
        sentence.peers[0].did = HOSTILE.into();
        page.offers[0].odrl = format!("</textarea>{HOSTILE}");
        page.offers[0].preview[0].name = Some(HOSTILE.into());
        page.frame.problems.add("o0-odrl", Text::plain(HOSTILE));
        render_hostile(&page);
    }
}
