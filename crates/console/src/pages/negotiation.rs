//! `GET /p/{slug}/negotiations/{id}`: one negotiation, live (Dataspace Protocol 2025-1,
//! section 7).
//!
//! What can be done now is a form to `POST …/{agree|accept|terminate}`; `terminate` takes
//! `reason`.

use askama::Template;

use crate::states::{NegotiationState, Role, Stepper};
use crate::text::{Text, filters};
use crate::view::{EventView, Layout, Party, ProductRef, Terms};

/// What the user may do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NegotiationActions {
    /// As the provider: send the agreement.
    pub agree: bool,
    /// As the consumer: accept the provider's offer.
    pub accept: bool,
    /// Either side: end it without an agreement.
    pub terminate: bool,
}

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/negotiation.html", blocks = ["title"])]
pub struct NegotiationPage {
    /// Around the page.
    pub layout: Layout,
    /// The id in URLs.
    pub id: String,
    /// What it is about.
    pub product: ProductRef,
    /// The other side.
    pub peer: Party,
    /// Our side.
    pub role: Role,
    /// Where it stands.
    pub state: NegotiationState,
    /// The states reached so far, in any order.
    pub visited: Vec<NegotiationState>,
    /// What happened, the first event first.
    pub events: Vec<EventView>,
    /// The terms on the table.
    pub terms: Terms,
    /// What the user may do now.
    pub actions: NegotiationActions,
    /// The agreement that came of it.
    pub agreement_id: Option<String>,
    /// `providerPid` of the protocol, once known.
    pub provider_pid: Option<String>,
    /// `consumerPid` of the protocol, once known.
    pub consumer_pid: Option<String>,
    /// Why the next message has not reached the other side yet, for people.
    pub delivery_problem: Option<Text>,
}

page!(NegotiationPage);

impl NegotiationPage {
    fn stepper(&self) -> Stepper {
        self.state.stepper(&self.visited)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::checks::{HOSTILE, form, render, render_hostile};

    #[test]
    fn a_held_request_can_be_approved_or_declined() {
        let page = NegotiationPage::sample_waiting();
        let html = render(&page);
        let base = format!("/p/suzhou/negotiations/{}", page.id);
        assert!(form(&html, &format!("{base}/agree")).is_some());
        let end = form(&html, &format!("{base}/terminate")).expect("a form");
        assert!(end.contains("name=\"reason\""));
        assert!(form(&html, &format!("{base}/accept")).is_none());
        assert!(html.contains(&format!("data-live=\"/p/suzhou/events?topic=negotiation:{}\"", page.id)));
        assert!(html.contains("<noscript><meta http-equiv=\"refresh\""));
    }

    #[test]
    fn a_finalized_negotiation_leads_to_its_agreement() {
        let page = NegotiationPage::sample();
        let html = render(&page);
        let agreement = page.agreement_id.as_deref().expect("the sample has one");
        assert!(html.contains(&format!("href=\"/p/suzhou/agreements/{agreement}\"")));
        assert!(!html.contains("data-live=\"/"), "nothing can follow");
        assert!(!html.contains("http-equiv=\"refresh\""));
        assert!(!html.contains("/terminate"));
        assert!(html.contains("aria-current=\"step\""));
        assert_eq!(html.matches("class=\"event\"").count(), page.events.len());
    }

    #[test]
    fn an_offer_can_be_accepted() {
        let mut page = NegotiationPage::sample_waiting();
        page.role = Role::Consumer;
        page.state = NegotiationState::Offered;
        page.actions = NegotiationActions { accept: true, ..NegotiationActions::default() };
        let html = render(&page);
        let action = format!("/p/suzhou/negotiations/{}/accept", page.id);
        assert!(form(&html, &action).is_some());
        assert!(!html.contains("/agree\""));
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut page = NegotiationPage::sample();
        page.product.title = HOSTILE.into();
        page.peer.name = HOSTILE.into();
        page.peer.did = HOSTILE.into();
        page.events[0].reason = Some(HOSTILE.into());
        page.events[0].who.name = HOSTILE.into();
        page.terms.sentences = vec![Text::plain(HOSTILE)];
        page.terms.odrl_json = HOSTILE.into();
        page.provider_pid = Some(HOSTILE.into());
        page.delivery_problem = Some(Text::plain(HOSTILE));
        render_hostile(&page);
    }
}
