//! What the four steps of a publication share: where it stands, the way through the steps, and what was found in the
//! source.
//!
//! A step that can be changed is one form with the id `step`. Whatever button sends it saves it first; `go` names the
//! step to go on with, so that nobody loses what was typed by looking at another step.

use askama::Template;
use askama::filters::HtmlSafe;

use crate::Text;
use crate::fields::Problems;
use crate::format::{Bytes, Count};
use crate::pages::{ColumnProfile, ColumnView, FileView};
use crate::text::filters;
use crate::view::{MAX_COLUMNS_SHOWN, MAX_FILES_SHOWN};

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Where the content comes from.
    Source,
    /// What it is, for people.
    Describe,
    /// Who may use it, and how.
    Terms,
    /// Everything once more, then out.
    Review,
}

impl Step {
    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::Source, Self::Describe, Self::Terms, Self::Review];

    /// The last part of its address, and its name in forms.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Describe => "describe",
            Self::Terms => "terms",
            Self::Review => "review",
        }
    }

    /// The one of that name.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.code() == code)
    }

    /// Its name for people.
    pub fn text(self) -> Text {
        Text::of("publish-step", self.code())
    }
}

/// How far the reading of a source is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Template)]
#[template(path = "parts/progress.html")]
pub struct ProgressView {
    /// What is being done, in words.
    pub phase: Text,
    /// The file that is being read.
    pub file: Option<String>,
    /// Files done.
    pub files_done: Count,
    /// All files; `None` while they are being counted.
    pub files: Option<Count>,
    /// How much of it is done, in percent, where that is known.
    pub percent: Option<u64>,
}

impl HtmlSafe for ProgressView {}

/// A hint at personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonalHint {
    /// The column.
    pub column: String,
    /// What it may hold: the message `publish-personal-{category}`, or the code where there is none.
    pub category: String,
    /// Whether it is as good as certain.
    pub found: bool,
    /// The share of the sampled values that fit, in percent.
    pub percent: u64,
}

impl PersonalHint {
    pub(crate) fn category_text(&self) -> Text {
        let text = Text::of("publish-personal", &self.category);
        if text.exists() { text } else { Text::plain(self.category.clone()) }
    }
}

/// What was found in the source.
#[derive(Debug, Clone, PartialEq, Eq, Default, Template)]
#[template(path = "parts/found.html")]
pub struct Found {
    /// Rows, for tables.
    pub rows: Option<Count>,
    /// How many files.
    pub files: Count,
    /// Their size.
    pub bytes: Bytes,
    /// The columns, for tables.
    pub columns: Vec<ColumnView>,
    /// What was measured of them.
    pub profile: Vec<ColumnProfile>,
    /// The files, where they are known; perhaps not all.
    pub listed: Vec<FileView>,
}

impl HtmlSafe for Found {}

impl Found {
    fn shown_columns(&self) -> &[ColumnView] {
        &self.columns[..self.columns.len().min(MAX_COLUMNS_SHOWN)]
    }

    fn hidden_columns(&self) -> Count {
        Count(self.columns.len().saturating_sub(MAX_COLUMNS_SHOWN) as u64)
    }

    fn shown_files(&self) -> &[FileView] {
        &self.listed[..self.listed.len().min(MAX_FILES_SHOWN)]
    }

    fn hidden_files(&self) -> Count {
        Count(self.files.0.saturating_sub(self.shown_files().len() as u64))
    }

    fn column_count(&self) -> Count {
        Count(self.columns.len() as u64)
    }

    fn profile_of(&self, column: &str) -> Option<&ColumnProfile> {
        self.profile.iter().find(|p| p.name == column)
    }
}

/// Where a publication stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// Nothing was read yet.
    Draft,
    /// The source is being read.
    Preparing(ProgressView),
    /// It was read.
    Prepared(Box<Found>),
    /// It could not be read.
    Failed {
        /// The code of the error.
        code: String,
        /// What the matter is.
        message: Text,
    },
    /// It is in the catalogue.
    Published {
        /// The product's page.
        href: String,
    },
}

impl Stage {
    const fn code(&self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Preparing(_) => "preparing",
            Self::Prepared(_) => "prepared",
            Self::Failed { .. } => "failed",
            Self::Published { .. } => "published",
        }
    }

    /// As a coloured label: its words and the tone of the chip.
    pub(crate) fn chip(&self) -> StageChip {
        let tone = match self {
            Self::Draft => "calm",
            Self::Preparing(_) => "wait",
            Self::Prepared(_) | Self::Published { .. } => "good",
            Self::Failed { .. } => "bad",
        };
        StageChip { code: self.code(), tone }
    }

    pub(crate) const fn is_preparing(&self) -> bool {
        matches!(self, Self::Preparing(_))
    }
}

/// A stage as a coloured label.
#[derive(Debug, Clone, Copy, Template)]
#[template(
    source = r#"<span class="chip chip-{{ tone }}" data-state="{{ code }}">{{ Text::of("publish-stage", code) }}</span>"#,
    ext = "html"
)]
pub(crate) struct StageChip {
    code: &'static str,
    tone: &'static str,
}

impl HtmlSafe for StageChip {}

/// What stands around every step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishFrame {
    /// The id in addresses.
    pub id: String,
    /// The title so far; may be empty.
    pub title: String,
    /// The step shown.
    pub step: Step,
    /// The steps with nothing left to do.
    pub done: Vec<Step>,
    /// Where it stands.
    pub stage: Stage,
    /// Hints at personal data in what was read.
    pub personal: Vec<PersonalHint>,
    /// Whether they were confirmed.
    pub personal_accepted: bool,
    /// Whether this step has a form, which is saved on the way to another step.
    pub form: bool,
    /// What is wrong with it.
    pub problems: Problems,
}

impl PublishFrame {
    pub(crate) fn heading(&self) -> Text {
        if self.title.is_empty() { Text::say("publish-untitled") } else { Text::plain(self.title.clone()) }
    }

    pub(crate) fn is_done(&self, step: Step) -> bool {
        self.done.contains(&step)
    }

    /// Whether something is as good as certainly personal data.
    pub(crate) fn personal_found(&self) -> bool {
        self.personal.iter().any(|hint| hint.found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_have_names() {
        for step in Step::ALL {
            assert_eq!(Step::from_code(step.code()), Some(step));
            assert!(step.text().exists(), "{step:?}");
        }
        assert_eq!(Step::from_code("x"), None);
    }

    #[test]
    fn stages_are_said() {
        for stage in [Stage::Draft, Stage::Preparing(ProgressView::default()), Stage::Prepared(Box::default())] {
            assert!(Text::of("publish-stage", stage.code()).exists(), "{stage:?}");
        }
    }

    #[test]
    fn progress_without_a_total_has_no_length() {
        let mut progress = ProgressView { phase: Text::plain("Reading"), files: None, file: Some("<b>".into()), ..ProgressView::default() };
        let html = progress.to_string();
        assert!(html.contains("<progress") && !html.contains("value=") && !html.contains("<b>"), "{html}");
        progress.percent = Some(25);
        let html = progress.to_string();
        assert!(html.contains("value=\"25\"") && html.contains("25 % done"), "{html}");
    }
}
