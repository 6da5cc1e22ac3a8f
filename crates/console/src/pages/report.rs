//! A report over a period, as a file: HTML that needs nothing else, to be kept, mailed and printed. It says what its maker
//! says; in English, like the records it is made from.

use askama::Template;

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportColumn {
    /// Its heading.
    pub name: &'static str,
    /// Whether it holds numbers.
    pub number: bool,
}

/// A part of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportSection {
    /// Its heading.
    pub title: &'static str,
    /// The table's columns.
    pub columns: Vec<ReportColumn>,
    /// Its rows, each with as many cells as there are columns.
    pub rows: Vec<Vec<String>>,
}

/// The file.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/report.html")]
pub struct ReportFile {
    /// Its heading.
    pub title: String,
    /// What is said of the whole: names and values.
    pub facts: Vec<(&'static str, String)>,
    /// Whether lines were left out.
    pub cut: bool,
    /// Its parts.
    pub sections: Vec<ReportSection>,
}

impl ReportFile {
    /// The file's style, as it stands between its tags.
    pub const STYLE: &'static str = include_str!("../../assets/report.css");
    /// Reports are in English, like the files beside them.
    const CUT: &'static str = "Some parts are longer than what a report holds; the rest of their lines was left out.";
    const NOTHING: &'static str = "Nothing in this period.";

    /// The file as HTML.
    ///
    /// # Errors
    /// Formatting failed, which no field's value can cause.
    pub fn html(&self) -> Result<String, askama::Error> {
        self.render()
    }

    /// The cells of a row, each with whether it is a number.
    fn cells<'a>(section: &'a ReportSection, row: &'a [String]) -> impl Iterator<Item = (bool, &'a str)> {
        section.columns.iter().map(|column| column.number).zip(row.iter().map(String::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::checks::HOSTILE;

    #[test]
    fn it_needs_nothing_else_and_hostile_text_stays_text() {
        let columns = vec![ReportColumn { name: "Agreement", number: false }, ReportColumn { name: "Reads", number: true }];
        let rows = vec![vec![HOSTILE.to_owned(), "12".to_owned()]];
        let file = ReportFile {
            title: format!("Report of {HOSTILE}"),
            facts: vec![("Participant", HOSTILE.into())],
            cut: true,
            sections: vec![
                ReportSection { title: "Usage", columns: columns.clone(), rows },
                ReportSection { title: "Refusals", columns, rows: Vec::new() },
            ],
        };
        let html = file.html().expect("renders");
        assert!(html.starts_with("<!doctype html>\n<html lang=\"en\">"), "{html}");
        assert!(!html.contains("<script") && html.contains("alert(1)"), "{html}");
        for outside in ["http://", "https://", "src=", "@import", "url("] {
            assert!(!html.contains(outside), "{outside} in {html}");
        }
        assert!(html.contains("<td class=\"num\">12</td>") && html.contains("Nothing in this period."), "{html}");
        assert!(html.contains("left out"), "{html}");
    }
}
