//! The page for an address where there is nothing, or nothing that the user may see. Both look
//! the same, so that nobody learns what exists.

use askama::Template;

use crate::text::filters;
use crate::view::Layout;

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/not_found.html", blocks = ["title"])]
pub struct NotFoundPage {
    /// Around the page.
    pub layout: Layout,
}

page!(NotFoundPage);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::checks::{HOSTILE, render, render_hostile};

    #[test]
    fn it_leads_back() {
        let html = render(&NotFoundPage::sample());
        assert!(html.contains("href=\"/p/suzhou\""));
        let mut page = NotFoundPage::sample();
        page.layout.participants.clear();
        page.layout.user = None;
        assert!(render(&page).contains("href=\"/login\""));
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut page = NotFoundPage::sample();
        page.layout.path = HOSTILE.into();
        page.layout.participants[0].name = HOSTILE.into();
        page.layout.user = Some(crate::view::UserView { name: HOSTILE.into() });
        page.layout.flash = Some(crate::view::Flash { kind: crate::view::FlashKind::Error, text: crate::Text::plain(HOSTILE) });
        render_hostile(&page);
    }
}
