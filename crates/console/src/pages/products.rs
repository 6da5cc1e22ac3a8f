//! `GET /p/{slug}/products?q=…&kind=…&state=…&after=…`: our own products.

use askama::Template;

use crate::format::{Bytes, Count};
use crate::narrow::{Facet, Narrowed};
use crate::states::{Kind, ProductState};
use crate::text::filters;
use crate::view::{Layout, When};

/// One product, by its latest version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductRow {
    /// The id in the catalogue and in URLs.
    pub id: String,
    /// The title.
    pub title: String,
    /// What it is.
    pub kind: Kind,
    /// The latest version.
    pub version: String,
    /// How many versions there are.
    pub versions: Count,
    /// How many offers the latest version has.
    pub offers: Count,
    /// Rows, for tables.
    pub rows: Option<Count>,
    /// Size of all files.
    pub bytes: Bytes,
    /// Whether it is in the catalogue.
    pub state: ProductState,
    /// When the latest version was published.
    pub published: When,
}

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/products.html", blocks = ["title"])]
pub struct ProductsPage {
    /// Around the page.
    pub layout: Layout,
    /// What was asked for.
    pub list: Narrowed,
    /// What it can be narrowed by.
    pub facets: Vec<Facet>,
    /// How many products match.
    pub total: Count,
    /// The products, by id.
    pub products: Vec<ProductRow>,
    /// Where the list goes on: an opaque cursor, sent back as `?after=`.
    pub after: Option<String>,
}

page!(ProductsPage);

impl ProductsPage {
    fn next_href(&self, after: &str) -> String {
        self.list.but("after", after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::checks::{HOSTILE, render, render_hostile};

    #[test]
    fn products_link_to_their_pages() {
        let page = ProductsPage::sample();
        let html = render(&page);
        for product in &page.products {
            assert!(html.contains(&format!("href=\"/p/suzhou/products/{}\"", product.id)));
            assert!(html.contains(&product.title));
        }
        assert!(html.contains("336,776"));
        assert!(html.contains("data-state=\"WITHDRAWN\""));
    }

    #[test]
    fn no_products_says_how_to_add_one() {
        let mut page = ProductsPage::sample();
        page.products.clear();
        let html = render(&page);
        assert!(html.contains("product add"));
        assert!(!html.contains("<table"));
        page.list = page.list.with("q", "unicorns");
        let html = render(&page);
        assert!(html.contains("Show all products") && !html.contains("product add"));
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut page = ProductsPage::sample();
        page.products[0].title = HOSTILE.into();
        page.products[0].id = "../x\"?y=<".into();
        page.after = Some("a&b=\"c".into());
        let html = render_hostile(&page);
        assert!(html.contains("href=\"/p/suzhou/products/..%2Fx%22%3Fy%3D%3C\""));
        assert!(html.contains("href=\"/p/suzhou/products?after=a%26b%3D%22c\""));
    }
}
