//! `GET /p/{slug}/transfers/{id}`: one transfer, live (Dataspace Protocol 2025-1, section 9).
//!
//! What can be done now is a form to `POST …/{start|suspend|resume|complete|terminate}`; `suspend`
//! and `terminate` take `reason`.

use askama::Template;

use crate::states::{Role, Stepper, TransferState};
use crate::text::{Text, filters};
use crate::view::{EndingView, EventView, Layout, Party, ProductRef, When};

/// What the user may do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one button, and any set of them can occur")]
pub struct TransferActions {
    /// As the provider: open access that was asked for.
    pub start: bool,
    /// Pause access.
    pub suspend: bool,
    /// Open access again.
    pub resume: bool,
    /// End it as planned.
    pub complete: bool,
    /// End it early.
    pub terminate: bool,
}

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/transfer.html", blocks = ["title"])]
pub struct TransferPage {
    /// Around the page.
    pub layout: Layout,
    /// The id in URLs.
    pub id: String,
    /// What is delivered.
    pub product: ProductRef,
    /// The other side.
    pub peer: Party,
    /// Our side.
    pub role: Role,
    /// Where it stands.
    pub state: TransferState,
    /// The states reached so far, in any order.
    pub visited: Vec<TransferState>,
    /// The transfer format, for example `HttpData-PULL`.
    pub format: String,
    /// The agreement that it is under.
    pub agreement_id: String,
    /// What happened, the first event first.
    pub events: Vec<EventView>,
    /// What the user may do now.
    pub actions: TransferActions,
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

page!(TransferPage);

impl TransferPage {
    fn stepper(&self) -> Stepper {
        self.state.stepper(&self.visited)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::checks::{HOSTILE, form, render, render_hostile};

    #[test]
    fn only_what_is_allowed_has_a_button() {
        let mut page = TransferPage::sample();
        for (actions, allowed) in [
            (TransferActions { suspend: true, terminate: true, ..TransferActions::default() }, ["suspend", "terminate"].as_slice()),
            (TransferActions { resume: true, complete: true, ..TransferActions::default() }, &["resume", "complete"]),
            (TransferActions { start: true, ..TransferActions::default() }, &["start"]),
            (TransferActions::default(), &[]),
        ] {
            page.actions = actions;
            let html = render(&page);
            for action in ["start", "suspend", "resume", "complete", "terminate"] {
                let url = format!("/p/suzhou/transfers/{}/{action}", page.id);
                assert_eq!(form(&html, &url).is_some(), allowed.contains(&action));
            }
        }
    }

    #[test]
    fn it_is_live_until_it_is_final() {
        let mut page = TransferPage::sample();
        let live = format!("data-live=\"/p/suzhou/events?topic=transfer:{}\"", page.id);
        assert!(render(&page).contains(&live));
        page.state = TransferState::Completed;
        assert!(!render(&page).contains(&live));
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut page = TransferPage::sample();
        page.product.title = HOSTILE.into();
        page.peer.name = HOSTILE.into();
        page.format = HOSTILE.into();
        page.events[0].reason = Some(HOSTILE.into());
        page.consumer_pid = Some(HOSTILE.into());
        page.delivery_problem = Some(Text::plain(HOSTILE));
        render_hostile(&page);
    }
}
