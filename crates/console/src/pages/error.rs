//! The page for a request that failed: what went wrong and what to do next.

use askama::Template;

use crate::text::{Text, filters};
use crate::view::Layout;

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/error.html", blocks = ["title"])]
pub struct ErrorPage {
    /// Around the page; the request id is shown in the page as well.
    pub layout: Layout,
    /// The code from the table of errors, `FDC-…`.
    pub code: String,
    /// What went wrong, in one sentence.
    pub message: Text,
    /// What to do next.
    pub next: Option<Text>,
    /// The page of the documentation about the code, an address of our own making.
    pub docs_url: Option<String>,
    /// A path of this console to go back to.
    pub back: Option<String>,
}

page!(ErrorPage);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::checks::{HOSTILE, render, render_hostile};

    #[test]
    fn it_says_what_happened_and_what_to_do() {
        let page = ErrorPage::sample();
        let html = render(&page);
        assert!(html.contains(&page.code));
        assert!(html.contains(&page.message.to_string()));
        assert!(html.contains("try again later"));
        assert!(html.contains(&format!("<code><bdi>{}</bdi></code>", page.layout.request_id)));
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut page = ErrorPage::sample();
        page.message = Text::plain(HOSTILE);
        page.next = Some(Text::plain(HOSTILE));
        page.layout.request_id = HOSTILE.into();
        render_hostile(&page);
    }
}
