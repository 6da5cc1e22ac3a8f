//! `GET`, `POST /p/{slug}/publish/{id}/source`: the first step, where the content comes from.
//!
//! The form is `multipart/form-data` and begins with `csrf`; then come `kind` (`table`, `files`), `from` (`upload`,
//! `paths`, `s3`, `postgres`), the files (`files`, `folder`) and the fields of the other places. `do=remove:{name}` takes
//! an uploaded file back. With scripts, files go one by one by `PUT …/upload?name=` and are shown with their progress.

use askama::Template;

use crate::fields::Field;
use crate::format::Bytes;
use crate::pages::PublishFrame;
use crate::text::{Text, filters};
use crate::view::{Layout, MAX_FILES_SHOWN};

/// A file that was sent to the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadedFileView {
    /// Its path.
    pub name: String,
    /// Its size.
    pub bytes: Bytes,
}

/// The form as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceForm {
    /// `table` or `files`.
    pub kind: String,
    /// `upload`, `paths`, `s3`, `postgres`.
    pub from: String,
    /// Paths on the node's machine, one a line.
    pub paths: String,
    /// Whether files stay where they are.
    pub in_place: bool,
    /// The connection to S3.
    pub s3_connection: String,
    /// Keys and prefixes, one a line.
    pub s3_paths: String,
    /// The connection to a database.
    pub postgres_connection: String,
    /// The query.
    pub query: String,
    /// The version of a Delta table.
    pub delta_version: String,
    /// The sheet of a workbook.
    pub sheet: String,
    /// Texts that stand for a missing value, apart by commas.
    pub nulls: String,
}

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/publish_source.html", blocks = ["title"])]
pub struct PublishSourcePage {
    /// Around the page.
    pub layout: Layout,
    /// Around the step.
    pub frame: PublishFrame,
    /// The form.
    pub form: SourceForm,
    /// The uploaded files.
    pub uploaded: Vec<UploadedFileView>,
    /// Whether the person may name paths on the node's machine.
    pub operator: bool,
    /// Names of the connections to S3.
    pub s3: Vec<String>,
    /// Names of the connections to databases.
    pub postgres: Vec<String>,
}

page!(PublishSourcePage);

impl PublishSourcePage {
    fn shown_uploads(&self) -> &[UploadedFileView] {
        &self.uploaded[..self.uploaded.len().min(MAX_FILES_SHOWN)]
    }

    fn hidden_uploads(&self) -> usize {
        self.uploaded.len().saturating_sub(MAX_FILES_SHOWN)
    }

    fn has_more(&self) -> bool {
        !(self.form.delta_version.is_empty() && self.form.sheet.is_empty() && self.form.nulls.is_empty())
    }

    fn paths(&self) -> Field {
        let field = self.frame.problems.field("paths", Text::say("publish-paths"), &self.form.paths);
        field.hint(Text::say("publish-paths-hint")).rows(3)
    }

    fn s3_paths(&self) -> Field {
        let field = self.frame.problems.field("s3-paths", Text::say("publish-s3-paths"), &self.form.s3_paths);
        field.hint(Text::say("publish-s3-paths-hint")).rows(3)
    }

    fn query(&self) -> Field {
        let field = self.frame.problems.field("query", Text::say("publish-query"), &self.form.query);
        field.hint(Text::say("publish-query-hint")).rows(6)
    }

    fn delta_version(&self) -> Field {
        let field = self.frame.problems.field("delta-version", Text::say("publish-delta-version"), &self.form.delta_version);
        field.hint(Text::say("publish-delta-version-hint")).max(20)
    }

    fn sheet(&self) -> Field {
        let field = self.frame.problems.field("sheet", Text::say("publish-sheet"), &self.form.sheet);
        field.hint(Text::say("publish-sheet-hint")).max(100)
    }

    fn nulls(&self) -> Field {
        let field = self.frame.problems.field("nulls", Text::say("publish-nulls-texts"), &self.form.nulls);
        field.hint(Text::say("publish-nulls-texts-hint")).max(1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::Problems;
    use crate::pages::checks::{HOSTILE, form, render, render_hostile};
    use crate::pages::{ProgressView, Stage};

    #[test]
    fn one_form_takes_words_and_files() {
        let page = PublishSourcePage::sample();
        let html = render(&page);
        let form = form(&html, &format!("/p/suzhou/publish/{}/source", page.frame.id)).expect("the form");
        assert!(form.contains("enctype=\"multipart/form-data\""));
        let token = form.find("name=\"csrf\"").expect("the token");
        for field in ["name=\"kind\"", "name=\"from\"", "name=\"query\"", "name=\"paths\"", "name=\"files\"", "name=\"folder\""] {
            assert!(form.find(field).expect(field) > token, "{field} before the token");
        }
        for field in ["name=\"kind\"", "name=\"from\""] {
            assert!(form.find("name=\"files\"") > form.find(field), "what the files are is said before they come: {field}");
        }
        assert!(form.contains("value=\"remove:2026/flights.csv\""));
        assert!(form.contains("name=\"from\" value=\"upload\" checked"));
    }

    #[test]
    fn who_is_no_operator_names_no_paths() {
        let page = PublishSourcePage { operator: false, s3: Vec::new(), ..PublishSourcePage::sample() };
        let html = render(&page);
        assert!(!html.contains("name=\"paths\"") && !html.contains("name=\"s3-paths\""));
        assert!(html.contains("href=\"/p/suzhou/connections\""));
    }

    #[test]
    fn while_it_runs_there_is_nothing_to_change() {
        let mut page = PublishSourcePage::sample();
        page.frame.stage = Stage::Preparing(ProgressView::default());
        page.frame.form = false;
        let html = render(&page);
        assert!(!html.contains("id=\"step\"") && html.contains("/cancel\"") && html.contains("http-equiv=\"refresh\""));
        assert!(html.contains("data-live=\"/p/suzhou/events?topic=publication:"));
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut page = PublishSourcePage::sample();
        page.uploaded[0].name = HOSTILE.into();
        page.form.query = format!("</textarea>{HOSTILE}");
        page.form.sheet = HOSTILE.into();
        page.s3 = vec![HOSTILE.into()];
        page.frame.title = HOSTILE.into();
        page.frame.problems = Problems::default();
        page.frame.problems.add("query", Text::plain(HOSTILE));
        page.frame.stage = Stage::Failed { code: HOSTILE.into(), message: Text::plain(HOSTILE) };
        render_hostile(&page);
    }
}
