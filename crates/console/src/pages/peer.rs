//! `GET /p/{slug}/peers/{did}`: one peer, what it offers and what we have to do with it.
//!
//! `POST …/refresh` reads its catalogue again, `POST …/remove` forgets it.

use askama::Template;

use crate::pages::{AgreementRow, CatalogCard, CatalogCopy};
use crate::text::{Text, filters};
use crate::view::{Layout, NegotiationRow, TransferRow, When};

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/peer.html", blocks = ["title"])]
pub struct PeerPage {
    /// Around the page.
    pub layout: Layout,
    /// Who it is, and the copy of its catalogue.
    pub copy: CatalogCopy,
    /// The address it was found at.
    pub address: Option<String>,
    /// When it last answered.
    pub last_contact: When,
    /// Why the last contact failed.
    pub problem: Option<Text>,
    /// Its first products by title.
    pub products: Vec<CatalogCard>,
    /// The latest negotiations.
    pub negotiations: Vec<NegotiationRow>,
    /// The agreements that came of them.
    pub agreements: Vec<AgreementRow>,
    /// The latest transfers.
    pub transfers: Vec<TransferRow>,
}

page!(PeerPage);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::checks::{HOSTILE, form, render, render_hostile};

    #[test]
    fn a_peer_can_be_read_again_and_removed() {
        let page = PeerPage::sample();
        let html = render(&page);
        let base = "/p/suzhou/peers/did%3Aweb%3Adata.hefei.example.cn%3Ap%3Ahefei";
        assert!(form(&html, &format!("{base}/refresh")).is_some());
        assert!(form(&html, &format!("{base}/remove")).is_some());
        assert!(html.contains(&format!("/p/suzhou/agreements/{}", page.agreements[0].id.replace(':', "%3A"))));
    }

    #[test]
    fn a_peer_without_deals_says_so() {
        let mut page = PeerPage::sample();
        page.products.clear();
        page.negotiations.clear();
        page.agreements.clear();
        page.transfers.clear();
        page.problem = Some(Text::plain("It did not answer."));
        page.copy.problem = Some(Text::plain("It answered 500."));
        let html = render(&page);
        assert!(!html.contains("<table"));
        assert!(html.contains("It did not answer.") && html.contains("It answered 500."));
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut page = PeerPage::sample();
        page.copy.name = HOSTILE.into();
        page.copy.did = HOSTILE.into();
        page.copy.problem = Some(Text::plain(HOSTILE));
        page.address = Some(HOSTILE.into());
        page.problem = Some(Text::plain(HOSTILE));
        page.products[0].title = HOSTILE.into();
        page.products[0].id = HOSTILE.into();
        page.agreements[0].product = HOSTILE.into();
        render_hostile(&page);
    }
}
