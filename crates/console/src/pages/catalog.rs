//! `GET /p/{slug}/catalog?peer=…&q=…&page=…`: a peer's catalogue.

use askama::Template;

use crate::format::{Bytes, Count};
use crate::states::Kind;
use crate::text::filters;
use crate::view::Layout;

/// A product in the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogCard {
    /// The id of the dataset, which `id` takes.
    pub id: String,
    /// The title.
    pub title: String,
    /// The description, or its beginning.
    pub description: Option<String>,
    /// What it is.
    pub kind: Kind,
    /// The version, where it is told.
    pub version: Option<String>,
    /// Keywords.
    pub keywords: Vec<String>,
    /// Rows, for tables.
    pub rows: Option<Count>,
    /// Size of all files.
    pub bytes: Option<Bytes>,
    /// How many offers it has.
    pub offers: Count,
}

/// Which part of a list is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paging {
    /// The page, from 1.
    pub page: u64,
    /// How many pages there are, at least 1.
    pub pages: u64,
    /// How many things there are on all pages.
    pub total: Count,
}

impl Paging {
    fn previous(&self) -> Option<u64> {
        self.page.checked_sub(1).filter(|page| *page >= 1)
    }

    fn next(&self) -> Option<u64> {
        (self.page < self.pages).then(|| self.page + 1)
    }
}

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/catalog.html", blocks = ["title"])]
pub struct CatalogPage {
    /// Around the page.
    pub layout: Layout,
    /// The peer's address as it was asked for.
    pub peer: String,
    /// The peer's name, or its DID.
    pub name: String,
    /// The peer's DID.
    pub did: String,
    /// What is searched for; empty for everything.
    pub query: String,
    /// The products on this page.
    pub cards: Vec<CatalogCard>,
    /// Which part this is.
    pub paging: Paging,
}

page!(CatalogPage);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::checks::{HOSTILE, form, render, render_hostile};

    #[test]
    fn cards_link_to_products_and_the_search_keeps_the_peer() {
        let page = CatalogPage::sample();
        let html = render(&page);
        let search = form(&html, "/p/suzhou/catalog").expect("the search");
        assert!(search.contains("name=\"q\""));
        assert!(search.contains("name=\"peer\" value=\"did:web:"));
        let href = format!("&amp;id={}\"", page.cards[0].id);
        assert!(html.contains("href=\"/p/suzhou/catalog/product?peer=did%3Aweb%3A"));
        assert!(html.contains(&href), "{href}");
        assert!(html.contains("&amp;page=2\" rel=\"next\""));
        assert!(!html.contains("rel=\"prev\""));
    }

    #[test]
    fn the_last_page_has_no_next() {
        let mut page = CatalogPage::sample();
        page.query = "轴承 A&B".into();
        page.paging.page = page.paging.pages;
        let html = render(&page);
        assert!(!html.contains("rel=\"next\""));
        assert!(html.contains("&amp;q=%E8%BD%B4%E6%89%BF%20A%26B&amp;page="));
    }

    #[test]
    fn nothing_found_says_what_to_do() {
        let mut page = CatalogPage::sample();
        page.cards.clear();
        page.query = "unicorns".into();
        assert!(render(&page).contains("Show the whole catalogue"));
        page.query.clear();
        assert!(render(&page).contains("offers you nothing"));
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut page = CatalogPage::sample();
        page.peer = HOSTILE.into();
        page.name = HOSTILE.into();
        page.did = HOSTILE.into();
        page.query = HOSTILE.into();
        page.cards[0].id = HOSTILE.into();
        page.cards[0].title = HOSTILE.into();
        page.cards[0].description = Some(HOSTILE.into());
        page.cards[0].keywords = vec![HOSTILE.into()];
        page.cards[0].version = Some(HOSTILE.into());
        render_hostile(&page);
    }
}
