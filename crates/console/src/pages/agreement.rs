//! `GET /p/{slug}/agreements/{id}`: the document both sides hold, and what it gives.
//!
//! The consumer asks for access with `POST …/transfers` and then downloads the Delta Sharing
//! profile at `…/profile`, or is led to the list of files by `…/files`; both download the document at `…/document`; the provider can end the agreement with `POST …/end` and `reason`.

use askama::Template;

use crate::format::Count;
use crate::states::{AgreementState, Role};
use crate::text::{Text, filters};
use crate::view::{Layout, Party, ProductRef, Terms, TransferRow, When};

/// What the consumer can do with the agreement now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Nothing: we are the provider, or the agreement is over.
    None,
    /// Access can be asked for.
    Available,
    /// Access was asked for and is not open yet.
    Requested,
    /// Access is open.
    Ready {
        /// Name of the profile file, for example `flights.share`.
        file_name: String,
        /// The table as `share.schema.table`.
        table: String,
        /// When the credential in the profile expires.
        expires: Option<When>,
    },
    /// Access to files is open: `GET …/files` leads to their list at the provider.
    Files,
    /// Access is paused.
    Suspended,
}

/// How often the product was used, and how often it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uses {
    /// Uses so far.
    pub used: Count,
    /// The limit, if the agreement has one.
    pub limit: Option<Count>,
}

/// What it costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentView {
    /// The price.
    pub price: Text,
    /// Whether it is paid.
    pub state: PaymentState,
}

/// Whether a price is paid, as far as this side knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaymentState {
    /// We are the provider, and have not recorded a payment: `POST …/paid` with `reference` does.
    OwedToUs,
    /// We are the consumer: the provider records payments.
    OwedByUs,
    /// We are the provider, and recorded it.
    Paid {
        /// When.
        when: When,
        /// What it is found by.
        reference: String,
    },
}

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/agreement.html", blocks = ["title"])]
pub struct AgreementPage {
    /// Around the page.
    pub layout: Layout,
    /// The id in URLs and in the protocol.
    pub id: String,
    /// What it is about.
    pub product: ProductRef,
    /// Who provides.
    pub provider: Party,
    /// Who consumes.
    pub consumer: Party,
    /// Our side.
    pub role: Role,
    /// Whether it is in force.
    pub state: AgreementState,
    /// When it was signed.
    pub signed: When,
    /// When it ended, and the reason that was given.
    pub ended: Option<(When, Option<String>)>,
    /// The SHA-256 digest of the canonical document, in hexadecimal.
    pub digest: String,
    /// The terms.
    pub terms: Terms,
    /// The whole document as indented JSON.
    pub document_json: String,
    /// The negotiation that it came of.
    pub negotiation_id: Option<String>,
    /// What it costs, if anything.
    pub payment: Option<PaymentView>,
    /// What the consumer can do.
    pub access: Access,
    /// Uses, where they are counted here.
    pub uses: Option<Uses>,
    /// The transfers under it, the latest first.
    pub transfers: Vec<TransferRow>,
    /// Whether the user may end it.
    pub can_end: bool,
}

page!(AgreementPage);

impl AgreementPage {
    /// Whether something can change without the user's doing.
    fn is_live(&self) -> bool {
        self.access == Access::Requested || self.transfers.iter().any(|t| !t.state.is_final())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::checks::{HOSTILE, form, render, render_hostile};

    #[test]
    fn the_consumer_gets_a_profile_and_three_lines() {
        let page = AgreementPage::sample();
        let html = render(&page);
        let base = format!("/p/suzhou/agreements/{}", page.id);
        assert!(html.contains(&format!("href=\"{base}/profile\"")));
        assert!(html.contains("import delta_sharing"));
        assert!(html.contains("load_as_pandas"));
        assert!(form(&html, &format!("{base}/end")).is_none());
        assert!(html.contains(&page.digest));
        assert!(html.contains(&format!("href=\"{base}/document\"")));
        assert!(html.contains(&format!("fetch {} --out", page.id)));
        assert!(html.contains(&format!("topic=agreement:{}", page.id)));
    }

    #[test]
    fn access_can_be_asked_for_once() {
        let mut page = AgreementPage::sample();
        let action = format!("/p/suzhou/agreements/{}/transfers", page.id);
        for (access, asks) in [(Access::None, false), (Access::Available, true), (Access::Requested, false), (Access::Suspended, false)] {
            page.access = access.clone();
            let html = render(&page);
            assert_eq!(form(&html, &action).is_some(), asks, "{access:?}");
            assert!(!html.contains("/profile\""), "{access:?}");
        }
    }

    #[test]
    fn files_are_listed_elsewhere_or_fetched() {
        let mut page = AgreementPage::sample();
        page.access = Access::Files;
        let html = render(&page);
        assert!(html.contains(&format!("href=\"/p/suzhou/agreements/{}/files\"", page.id)));
        assert!(html.contains(&format!("fetch {} --out", page.id)));
        assert!(!html.contains("/profile\"") && !html.contains("delta_sharing"));
    }

    #[test]
    fn the_provider_sees_uses_and_can_end_it() {
        let page = AgreementPage::sample_provider();
        let html = render(&page);
        let end = form(&html, &format!("/p/suzhou/agreements/{}/end", page.id));
        assert!(end.expect("a form").contains("name=\"reason\""));
        assert!(html.contains("<progress"));
        assert!(!html.contains("/profile\""));
    }

    #[test]
    fn a_peers_table_name_cannot_add_python() {
        let mut page = AgreementPage::sample();
        page.access = Access::Ready { file_name: "a.share".into(), table: "s.d.t\")\nimport os\nos.system(\"x".into(), expires: None };
        let html = render(&page);
        assert!(!html.contains("\nimport os"));
        assert!(html.contains("\\u000aimport os"));
    }

    #[test]
    fn the_provider_records_a_payment_and_the_consumer_pays() {
        let mut page = AgreementPage::sample_provider();
        let action = format!("/p/suzhou/agreements/{}/paid", page.id);
        for (state, records) in [
            (PaymentState::OwedToUs, true),
            (PaymentState::OwedByUs, false),
            (PaymentState::Paid { when: When::default(), reference: "B 7".into() }, false),
        ] {
            page.payment = Some(PaymentView { price: Text::plain("80.00 CNY"), state: state.clone() });
            let html = render(&page);
            assert!(html.contains("80.00 CNY"));
            assert_eq!(form(&html, &action).is_some_and(|form| form.contains("name=\"reference\"")), records, "{state:?}");
        }
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut page = AgreementPage::sample();
        page.payment = Some(PaymentView {
            price: Text::plain(HOSTILE),
            state: PaymentState::Paid { when: When::default(), reference: HOSTILE.into() },
        });
        page.product.title = HOSTILE.into();
        page.provider.name = HOSTILE.into();
        page.terms.sentences = vec![Text::plain(HOSTILE)];
        page.document_json = HOSTILE.into();
        page.ended = Some((When::default(), Some(HOSTILE.into())));
        page.access = Access::Ready { file_name: HOSTILE.into(), table: HOSTILE.into(), expires: None };
        render_hostile(&page);
    }
}
