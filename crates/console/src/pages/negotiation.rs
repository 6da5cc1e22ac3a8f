//! `GET /p/{slug}/negotiations/{id}`: one negotiation, live (Dataspace Protocol 2025-1,
//! section 7).
//!
//! What can be done now is a form to `POST …/{step}` ([`crate::decision::NegotiationStep`]): `offer` and `counter` take
//! `terms`, `terminate` takes `reason`; all send the `revision` that the page shows. `?from=1&to=3` compares two versions
//! of the terms.

use askama::Template;

use crate::compared::Compared;
use crate::decision::Decision;
use crate::states::{NegotiationState, Role, Stepper};
use crate::text::{Text, filters};
use crate::view::{EndingView, EventView, Layout, Party, ProductRef, Terms, When};

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
    /// Two versions of the terms, where there are several.
    pub compared: Option<Compared>,
    /// What the user may do now.
    pub decision: Decision,
    /// The agreement that came of it.
    pub agreement_id: Option<String>,
    /// How it ended, where that was before its time.
    pub ending: Option<EndingView>,
    /// When a rule decides, if nobody does before.
    pub rule_at: Option<When>,
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

    /// Who waits for whom.
    fn situation(&self) -> Text {
        Text::say(match self.state {
            _ if !self.decision.is_ours() => "negotiation-turn",
            NegotiationState::Offered => "negotiation-offered",
            NegotiationState::Agreed => "negotiation-signed",
            NegotiationState::Verified => "negotiation-verified",
            _ => "negotiation-asked",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::NegotiationStep;
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
        let offer = form(&html, &format!("{base}/offer")).expect("another form");
        assert!(offer.contains("name=\"terms\"") && offer.contains("leftOperand") && offer.contains("name=\"revision\" value=\"4\""));
        assert!(html.contains("signs an agreement on exactly these terms"), "what a step will do");
        assert!(html.contains(&format!("data-live=\"/p/suzhou/events?topic=negotiation:{}\"", page.id)));
        assert!(!html.contains("http-equiv=\"refresh\""), "what is typed stays");
        let theirs = NegotiationPage { decision: Decision { steps: vec![NegotiationStep::Terminate], ..page.decision.clone() }, ..page };
        assert!(render(&theirs).contains("<noscript><meta http-equiv=\"refresh\""));
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
        page.decision.steps = vec![NegotiationStep::Accept, NegotiationStep::Counter];
        let html = render(&page);
        let action = format!("/p/suzhou/negotiations/{}/accept", page.id);
        assert!(form(&html, &action).is_some());
        assert!(!html.contains("/agree\""));
        assert!(html.contains("data-live=\"/p/suzhou/events"));
        page.decision.problem = Some(Text::plain("No such operand."));
        let wrong = render(&page);
        assert!(!wrong.contains("data-live=\"/"), "it is no page that can be read again");
        assert!(wrong.contains("<details class=\"confirm\" id=\"counter\" open>") && wrong.contains("aria-invalid=\"true\""));
    }

    #[test]
    fn versions_are_compared() {
        let html = render(&NegotiationPage::sample_countered());
        assert!(html.contains("id=\"versions\"") && html.contains("href=\"#versions\""));
        assert!(!render(&NegotiationPage::sample()).contains("id=\"versions\""));
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
        page.decision = Decision { steps: NegotiationStep::ALL.to_vec(), odrl: format!("</textarea>{HOSTILE}"), ..Decision::default() };
        page.decision.problem = Some(Text::plain(HOSTILE));
        page.decision.negotiation = page.id.clone();
        render_hostile(&page);
    }
}
