//! `GET /p/{slug}/agreements/{id}/preview`, `GET /p/{slug}/offers/{id}/preview`, `GET /p/{slug}/publish/{id}/preview`: the
//! first rows of our table as the other side sees them.

use askama::Template;

use crate::format::Count;
use crate::text::{Text, filters};
use crate::view::{Layout, Party};

/// Most columns of a preview: more are counted.
const MAX_COLUMNS: usize = 60;

/// Whose eyes it is seen with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeenBy {
    /// The consumer of an agreement.
    Consumer {
        /// The agreement.
        agreement: String,
        /// Who it is.
        party: Party,
    },
    /// Whoever takes an offer.
    Buyer {
        /// The product's id.
        product: String,
        /// Its version.
        version: String,
    },
    /// Whoever would take terms that are being written.
    Reader {
        /// The publication.
        publication: String,
    },
}

/// The rows under an alternative of the terms.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FirstRows {
    /// The terms in sentences.
    pub terms: Vec<Text>,
    /// The columns that are seen.
    pub columns: Vec<String>,
    /// The rows: for each column its value, `None` where it is missing.
    pub rows: Vec<Vec<Option<String>>>,
    /// Only the beginning of the table was looked at, and gave fewer rows than a page has.
    pub looked_at_beginning: bool,
    /// No rows are seen, but aggregates over so many.
    pub aggregates: Option<Count>,
    /// Hashes are examples.
    pub sample_hashes: bool,
}

impl FirstRows {
    fn shown(&self) -> usize {
        self.columns.len().min(MAX_COLUMNS)
    }

    fn shown_columns(&self) -> &[String] {
        &self.columns[..self.shown()]
    }

    fn hidden_columns(&self) -> Count {
        Count((self.columns.len() - self.shown()) as u64)
    }

    fn shown_rows(&self) -> impl Iterator<Item = &[Option<String>]> {
        self.rows.iter().map(|row| &row[..row.len().min(self.shown())])
    }
}

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/first_rows.html", blocks = ["title"])]
pub struct FirstRowsPage {
    /// Around the page.
    pub layout: Layout,
    /// The product's title.
    pub title: String,
    /// Who sees it so.
    pub seen_by: SeenBy,
    /// For each alternative of the terms what is seen.
    pub alternatives: Vec<FirstRows>,
    /// Why nothing is seen.
    pub nothing: Option<Text>,
}

page!(FirstRowsPage);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::checks::{HOSTILE, render, render_hostile};

    #[test]
    fn rows_are_shown_as_the_other_side_sees_them() {
        let page = FirstRowsPage::sample();
        let html = render(&page);
        assert!(html.contains("<bdi>UA</bdi>") && html.contains("<th scope=\"col\"><bdi>carrier</bdi></th>"), "{html}");
        assert!(html.contains("missing"), "a value that is missing is told apart from an empty one");
        assert!(html.contains(&format!("href=\"/p/suzhou/agreements/{}\"", "agr-01jd3v7new")));
        assert!(!html.contains("Hashes"));
    }

    #[test]
    fn what_is_to_be_known_is_said() {
        let mut page = FirstRowsPage::sample_offer();
        assert!(render(&page).contains("Hashes here are examples"));
        page.alternatives[0].aggregates = Some(Count(5));
        assert!(render(&page).contains('5'));
        page.alternatives.clear();
        page.nothing = Some(Text::plain("Access ended on Sunday."));
        assert!(render(&page).contains("Access ended on Sunday."));
    }

    #[test]
    fn very_many_columns_are_cut() {
        let mut page = FirstRowsPage::sample();
        page.alternatives[0].columns = vec!["c".into(); MAX_COLUMNS + 5];
        page.alternatives[0].rows = vec![vec![Some("v".into()); MAX_COLUMNS + 5]];
        let html = render(&page);
        assert!(html.contains("5 more columns"));
        assert_eq!(html.matches("<bdi>v</bdi>").count(), MAX_COLUMNS);
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut page = FirstRowsPage::sample();
        page.title = HOSTILE.into();
        page.alternatives[0].columns[0] = HOSTILE.into();
        page.alternatives[0].rows[0][0] = Some(HOSTILE.into());
        page.alternatives[0].terms = vec![Text::plain(HOSTILE)];
        page.nothing = Some(Text::plain(HOSTILE));
        if let SeenBy::Consumer { agreement, party } = &mut page.seen_by {
            *agreement = HOSTILE.into();
            party.name = HOSTILE.into();
        }
        render_hostile(&page);
    }
}
