//! `GET /p/{slug}/catalog?q=…&peer=…&kind=…&license=…&language=…&page=…`: what peers offer, from the copies of their
//! catalogues.
//!
//! `POST /p/{slug}/catalog/refresh` (`peer`, or none for all) begins to read them again.

use askama::Template;

use crate::format::{Bytes, Count};
use crate::narrow::{Facet, Narrowed};
use crate::states::Kind;
use crate::text::{Text, filters};
use crate::view::{Layout, Span};

/// The copies that a page lists beside the products; the page of the peers has all.
const COPIES_SHOWN: usize = 8;

/// A product in a catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogCard {
    /// The id of the dataset, which `id` takes.
    pub id: String,
    /// Whose it is: the name, or the DID.
    pub peer: String,
    /// The peer's DID, which `peer` takes.
    pub did: String,
    /// The title.
    pub title: String,
    /// The description, or its beginning.
    pub description: Option<String>,
    /// What it is.
    pub kind: Kind,
    /// The version, where it is told.
    pub version: Option<String>,
    /// The licence, where it is told.
    pub license: Option<String>,
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

/// The copy of a peer's catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogCopy {
    /// The peer's name, or its DID.
    pub name: String,
    /// The peer's DID.
    pub did: String,
    /// How many products it holds.
    pub products: Count,
    /// How long ago it was read to its end.
    pub read: Option<Span>,
    /// Whether it is being read right now.
    pub under_way: bool,
    /// Why the last reading failed.
    pub problem: Option<Text>,
}

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/catalog.html", blocks = ["title"])]
pub struct CatalogPage {
    /// Around the page.
    pub layout: Layout,
    /// The one peer whose catalogue this is, by name and DID; `None` for all.
    pub of: Option<(String, String)>,
    /// What was asked for.
    pub list: Narrowed,
    /// What it can be narrowed by.
    pub facets: Vec<Facet>,
    /// The products on this page.
    pub cards: Vec<CatalogCard>,
    /// Which part this is.
    pub paging: Paging,
    /// The copies that were looked in, those with a problem first.
    pub copies: Vec<CatalogCopy>,
}

page!(CatalogPage);

impl CatalogPage {
    /// Whether this is all that one peer offers.
    fn is_one_in_full(&self) -> bool {
        self.of.is_some() && self.list.kept().count() == 1 && self.list.get("q").is_empty()
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the template lends what it matched")]
    fn page_href(&self, page: &u64) -> String {
        self.list.but("page", &page.to_string())
    }

    fn shown_copies(&self) -> &[CatalogCopy] {
        &self.copies[..self.copies.len().min(COPIES_SHOWN)]
    }

    fn hidden_copies(&self) -> Count {
        Count(self.copies.len().saturating_sub(COPIES_SHOWN) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::checks::{HOSTILE, form, render, render_hostile};

    #[test]
    fn cards_link_to_products_and_the_search_keeps_the_filters() {
        let mut page = CatalogPage::sample();
        page.list = page.list.with("kind", "table");
        let html = render(&page);
        let search = form(&html, "/p/suzhou/catalog").expect("the search");
        assert!(search.contains("name=\"q\""));
        assert!(search.contains("name=\"kind\" value=\"table\""));
        let href = format!("&amp;id={}\"", page.cards[0].id);
        assert!(html.contains("href=\"/p/suzhou/catalog/product?peer=did%3Aweb%3A"));
        assert!(html.contains(&href), "{href}");
        assert!(html.contains("page=2\" rel=\"next\""));
        assert!(!html.contains("rel=\"prev\""));
        assert!(form(&html, "/p/suzhou/catalog/refresh").is_some());
    }

    #[test]
    fn the_last_page_has_no_next() {
        let mut page = CatalogPage::sample();
        page.list = page.list.with("q", "轴承 A&B");
        page.paging.page = page.paging.pages;
        let html = render(&page);
        assert!(!html.contains("rel=\"next\""));
        assert!(html.contains("q=%E8%BD%B4%E6%89%BF%20A%26B&#38;page="), "{html}");
    }

    #[test]
    fn nothing_found_says_what_to_do() {
        let mut page = CatalogPage::sample();
        page.cards.clear();
        let narrowed = page.list.clone().with("q", "unicorns");
        page.list = narrowed;
        assert!(render(&page).contains("Show the whole catalogue"));
        page.list = Narrowed::new("/p/suzhou/catalog").with("peer", "did:web:x");
        page.of = Some(("X".into(), "did:web:x".into()));
        assert!(render(&page).contains("nothing at the moment"));
        page.list = Narrowed::new("/p/suzhou/catalog");
        page.of = None;
        page.copies.clear();
        assert!(render(&page).contains("href=\"/p/suzhou/peers\">Add a peer"));
    }

    #[test]
    fn a_chosen_filter_is_undone_by_its_link() {
        let html = render(&CatalogPage::sample_narrowed());
        assert!(html.contains("href=\"/p/suzhou/catalog?peer="), "the other stays");
        assert!(html.contains("aria-current=\"true\"><bdi>Table</bdi>"), "{html}");
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut page = CatalogPage::sample();
        page.of = Some((HOSTILE.into(), HOSTILE.into()));
        page.list = page.list.with("q", HOSTILE).with("kind", HOSTILE);
        page.facets[0].choices[0].label = Text::plain(HOSTILE);
        let card = &mut page.cards[0];
        card.id = HOSTILE.into();
        card.peer = HOSTILE.into();
        card.title = HOSTILE.into();
        card.description = Some(HOSTILE.into());
        card.keywords = vec![HOSTILE.into()];
        card.version = Some(HOSTILE.into());
        card.license = Some(HOSTILE.into());
        page.copies[0].name = HOSTILE.into();
        page.copies[0].problem = Some(Text::plain(HOSTILE));
        render_hostile(&page);
    }
}
