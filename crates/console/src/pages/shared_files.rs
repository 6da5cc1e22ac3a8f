//! The list of a product's files, as somebody who may fetch them sees it in a browser: on the public listener, where
//! there is nobody signed in, no script, and no style but [`SharedFilesPage::STYLE`], which the policy of the page's content names by
//! its hash.

use askama::Template;

use crate::Locale;
use crate::format::{Bytes, Count};
use crate::text::filters;

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/shared_files.html")]
pub struct SharedFilesPage {
    /// The language.
    pub locale: Locale,
    /// The product's title, the provider's own words.
    pub title: String,
    /// Its version.
    pub version: u32,
    /// Files of all pages.
    pub files: Count,
    /// Bytes of all files.
    pub size: Bytes,
    /// Those of this page.
    pub rows: Vec<SharedFileRow>,
    /// The address of the list that `sha256sum -c` reads.
    pub sums_url: String,
    /// The address of the list that `wget -i` reads.
    pub urls_url: String,
    /// The address of the next page.
    pub next_url: Option<String>,
}

/// A file.
#[derive(Debug, Clone)]
pub struct SharedFileRow {
    /// Its name in the product.
    pub path: String,
    /// Its size.
    pub size: Bytes,
    /// Its SHA-256.
    pub sha256: String,
    /// Where it is fetched.
    pub url: String,
}

impl SharedFilesPage {
    /// The page's style, as it stands between its tags.
    pub const STYLE: &'static str = include_str!("../../assets/shared_files.css");

    /// The page as HTML.
    ///
    /// # Errors
    /// Formatting failed, which no field's value can cause.
    pub fn html(&self) -> Result<String, askama::Error> {
        self.render_with_values(&self.locale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::checks::HOSTILE;

    #[test]
    fn it_lists_files_in_both_languages_and_hostile_names_stay_text() {
        let row =
            |path: &str| SharedFileRow { path: path.into(), size: Bytes(2048), sha256: "ab".repeat(32), url: "http://h/x?sp=r&q=1".into() };
        let page = |locale| SharedFilesPage {
            locale,
            title: HOSTILE.into(),
            version: 2,
            files: Count(1_500),
            size: Bytes(4096),
            rows: vec![row("a/b.csv"), row(HOSTILE)],
            sums_url: "http://h/l?format=sha256sums&q=1".into(),
            urls_url: "http://h/l?format=urls&q=1".into(),
            next_url: Some("http://h/l?after=2&q=1".into()),
        };
        for (locale, word) in [(Locale::En, "Next page"), (Locale::Zh, "下一页")] {
            let html = page(locale).html().expect("renders");
            assert!(html.starts_with(&format!("<!doctype html>\n<html lang=\"{}\">", locale.tag())));
            assert!(html.contains("href=\"http://h/x?sp=r&#38;q=1\"") || html.contains("href=\"http://h/x?sp=r&amp;q=1\""), "{html}");
            assert!(html.contains("a/b.csv") && html.contains("2.0 KiB") && html.contains(word), "{html}");
            assert!(!html.contains("<script"), "{html}");
            assert!(html.contains(&format!("<style>{}</style>", SharedFilesPage::STYLE)), "the policy names it by its hash");
        }
    }
}
