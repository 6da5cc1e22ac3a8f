//! `GET /p/{slug}/agreements/{id}`: the document both sides hold, and what it gives.
//!
//! The consumer asks for access with `POST …/transfers` and then downloads the Delta Sharing
//! profile at `…/profile`, or is led to the list of files by `…/files`; both download the document at `…/document`; either side gives notice with `POST …/end` and `reason`, where the terms let it; the provider stops and resumes it with
//! `POST …/stop` and `…/resume`; the consumer renews it with `POST …/renew`.

use askama::Template;

use crate::compared::ComparedRow;
use crate::format::{Bytes, Count};
use crate::states::{AgreementState, Role};
use crate::text::{Text, filters};
use crate::view::{EventView, Layout, Party, ProductRef, Terms, TransferRow, When};

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

/// How often the product was used, and how often it may be; and what was delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uses {
    /// Uses so far.
    pub used: Count,
    /// The limit, if the agreement has one.
    pub limit: Option<Count>,
    /// Requests that bytes were given for.
    pub requests: Count,
    /// Rows that were given.
    pub rows: Count,
    /// Bytes that were given.
    pub volume: Bytes,
    /// The most bytes, if the agreement has a limit.
    pub volume_limit: Option<Bytes>,
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
#[expect(clippy::struct_excessive_bools, reason = "each is a form that the page has or has not")]
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
    /// When it is over, by notice or by its terms, as long as it is not.
    pub ends: Option<When>,
    /// Who gave notice (a name), and why.
    pub notice: Option<(Party, Option<String>)>,
    /// The provider's emergency stop: since when, and why.
    pub stopped: Option<(When, String)>,
    /// The notice by which either side may end it, in words.
    pub notice_period: Option<Text>,
    /// The agreement that this one renews.
    pub renewal_of: Option<String>,
    /// The agreement that renews this one.
    pub renewed_by: Option<String>,
    /// When a rule renews it.
    pub renews: Option<When>,
    /// A renewal whose terms are others: what differs, line by line.
    pub changes: Option<Vec<ComparedRow>>,
    /// Who signed it, and whether the signature is right.
    pub signatures: Vec<(Party, bool)>,
    /// What became of it after signing, oldest first.
    pub events: Vec<EventView>,
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
    /// Whether there are rows to be seen as the consumer sees them: we provide a table.
    pub has_preview: bool,
    /// Whether the user may give notice.
    pub can_end: bool,
    /// Whether the user may stop it for now.
    pub can_stop: bool,
    /// Whether the user may take a stop back.
    pub can_resume: bool,
    /// Whether the user may renew it.
    pub can_renew: bool,
}

page!(AgreementPage);

impl AgreementPage {
    /// Whether something can change without the user's doing.
    fn is_live(&self) -> bool {
        matches!(self.state, AgreementState::Ending | AgreementState::Stopped)
            || self.access == Access::Requested
            || self.transfers.iter().any(|t| !t.state.is_final())
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
        assert!(html.contains(&format!("href=\"/p/suzhou/agreements/{}/preview\"", page.id)));
        assert!(!render(&AgreementPage::sample()).contains("/preview\""));
    }

    #[test]
    fn what_can_be_done_is_a_form_each() {
        let mut page = AgreementPage::sample_provider();
        (page.can_end, page.can_stop, page.can_resume) = (false, true, false);
        let base = format!("/p/suzhou/agreements/{}", page.id);
        let html = render(&page);
        assert!(form(&html, &format!("{base}/stop")).expect("a form").contains("required"));
        for step in ["end", "resume", "renew"] {
            assert!(form(&html, &format!("{base}/{step}")).is_none(), "{step}");
        }
        (page.can_end, page.can_stop, page.can_resume) = (true, false, true);
        let html = render(&page);
        assert!(form(&html, &format!("{base}/resume")).is_some() && form(&html, &format!("{base}/stop")).is_none());
    }

    #[test]
    fn changed_terms_are_shown_before_they_are_accepted() {
        let mut page = AgreementPage::sample();
        page.can_renew = true;
        let action = format!("/p/suzhou/agreements/{}/renew", page.id);
        let html = render(&page);
        assert!(!form(&html, &action).expect("a form").contains("accept"));
        page.changes = Some(crate::compared::Compared::sample().rows);
        let html = render(&page);
        assert!(form(&html, &action).expect("a form").contains("name=\"accept\""));
        assert!(html.contains("chip-changed"));
    }

    #[test]
    fn the_history_tells_notice_stop_and_what_renews_it() {
        let page = AgreementPage::sample_ending();
        let html = render(&page);
        assert!(html.contains("data-state=\"ENDING\"") && html.contains("class=\"timeline\""));
        assert!(html.contains("href=\"/p/suzhou/agreements/agr-01jd3v7new\""));
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
        page.stopped = Some((When::default(), HOSTILE.into()));
        page.notice = Some((page.consumer.clone(), Some(HOSTILE.into())));
        page.renewed_by = Some(HOSTILE.into());
        page.signatures[0].0.name = HOSTILE.into();
        page.renewal_of = Some(HOSTILE.into());
        page.access = Access::Ready { file_name: HOSTILE.into(), table: HOSTILE.into(), expires: None };
        render_hostile(&page);
    }
}
