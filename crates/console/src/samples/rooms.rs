//! Samples of the remaining pages.

use super::{NEGOTIATION, TRANSFER, about, bearings, event, hefei, layout, negotiations, suzhou, when};
use crate::Text;
use crate::format::Count;
use crate::pages::{
    AccessLevel, Check, Counts, ErrorPage, HomePage, JobQueue, LoginPage, NewPassword, NewToken, NodePage, NotFoundPage, PeoplePage,
    PersonRow, PersonTyped, TokenRow, TokensPage,
};
use crate::states::{Message, NegotiationState, TransferState};
use crate::view::{Flash, FlashKind, Span};

impl LoginPage {
    /// The form as it is first seen.
    pub fn sample() -> Self {
        let mut layout = layout("/login");
        layout.user = None;
        layout.participants.clear();
        Self { layout, name: String::new(), next: Some("/p/suzhou/products".into()), problem: None }
    }
}

impl HomePage {
    /// A participant in business.
    pub fn sample() -> Self {
        let flights = "Flights from New York, 2013";
        let mut declined = about(
            event("09:12:31", hefei(), Message::ContractNegotiationTermination, Some(NegotiationState::Terminated.into())),
            "合肥光伏发电量日报",
            "negotiations/neg-01jd3r8m2p",
        );
        declined.reason = Some("The purpose does not fit our licence.".into());
        let negotiation = format!("negotiations/{NEGOTIATION}");
        let transfer = format!("transfers/{TRANSFER}");
        Self {
            layout: layout("/p/suzhou"),
            name: suzhou().name,
            did: suzhou().did,
            counts: Counts { products: Count(12), open_negotiations: Count(2), active_agreements: Count(31), started_transfers: Count(1) },
            has_peers: true,
            has_agreements: true,
            waiting: negotiations().into_iter().take(1).collect(),
            events: vec![
                about(
                    event("13:59:40", hefei(), Message::TransferStart, Some(TransferState::Started.into())),
                    &bearings().title,
                    &transfer,
                ),
                about(
                    event("13:58:00", hefei(), Message::ContractAgreement, Some(NegotiationState::Agreed.into())),
                    &bearings().title,
                    &negotiation,
                ),
                about(event("10:02:00", suzhou(), Message::ProductPublished, None), flights, "products/flights"),
            ],
        }
    }

    /// A participant on its first day.
    pub fn sample_empty() -> Self {
        Self {
            counts: Counts::default(),
            has_peers: false,
            has_agreements: false,
            waiting: Vec::new(),
            events: Vec::new(),
            ..Self::sample()
        }
    }
}

impl PeoplePage {
    /// As who runs the node sees it, just after somebody was added.
    pub fn sample() -> Self {
        let row = |id: &str, login: &str, name: &str, participants: &str| PersonRow {
            id: id.into(),
            login: login.into(),
            name: name.into(),
            admin: participants.is_empty(),
            participants: participants.into(),
            me: login == "lin.yue",
            created: when("09:00:00"),
        };
        Self {
            layout: layout("/p/suzhou/people"),
            login: "lin.yue".into(),
            password_problem: None,
            people: Some(vec![
                row("usr_1", "chen.wei", "陈伟", "suzhou kunshan"),
                row("usr_2", "lin.yue", "Lin Yue", ""),
                row("usr_3", "mei", "Mei Lin", "suzhou"),
            ]),
            created: Some(NewPassword { login: "mei".into(), secret: "Zk3v9Qx7Lm2pR8sT".into() }),
            typed: PersonTyped { participants: "suzhou".into(), ..PersonTyped::default() },
            problem: None,
        }
    }
}

impl TokensPage {
    /// Two tokens.
    pub fn sample() -> Self {
        let row = |id: &str, name: &str, access, last_used| TokenRow {
            id: id.into(),
            name: name.into(),
            access,
            created: when("09:00:00"),
            last_used,
            expires: None,
        };
        Self {
            layout: layout("/p/suzhou/tokens"),
            participant: suzhou().name,
            tokens: vec![
                row("tok-01jd3a", "nightly import", AccessLevel::Write, Some(when("02:00:04"))),
                row("tok-01jd3b", "dashboard", AccessLevel::Read, None),
            ],
            created: None,
            name: String::new(),
            problem: None,
        }
    }

    /// Just after a token was made.
    pub fn sample_created() -> Self {
        Self {
            created: Some(NewToken { name: "dashboard".into(), secret: "fdc_suzhou_Zk3v9Qx7Lm2pR8sT1uW4yB6nC0dF5gHj".into() }),
            ..Self::sample()
        }
    }
}

impl NodePage {
    /// A node with one thing to mend.
    pub fn sample() -> Self {
        let check = |name, ok, detail| Check { name: Text::say(name), ok, detail: Text::say(detail) };
        Self {
            layout: layout("/p/suzhou/node"),
            public_url: "https://data.suzhou.example.cn".into(),
            database: "SQLite 3.51, 48.2 MiB".into(),
            started: when("06:14:00"),
            uptime: Span { seconds: 28_140 },
            participants: Count(3),
            jobs: JobQueue { due: Count(0), retrying: Count(1), failed: Count(0), oldest: None },
            checks: vec![
                check("node-check-database", true, "node-check-database-ok"),
                check("node-check-address", false, "node-check-address-plain"),
                check("node-check-jobs", true, "node-check-jobs-ok"),
            ],
        }
    }
}

impl ErrorPage {
    /// A peer that does not answer.
    pub fn sample() -> Self {
        Self {
            layout: layout("/p/suzhou/catalog"),
            code: "FDC-2006".into(),
            message: Text::say("error-problem")
                .with("title", Text::of("error", "FDC-2006"))
                .with("message", "The peer at did:web:127.0.0.1%3A7400:p:wuhan did not answer."),
            next: Some(Text::say("advice-peer-down")),
            docs_url: None,
            back: Some("/p/suzhou/peers".into()),
        }
    }
}

impl NotFoundPage {
    /// For somebody who is signed in.
    pub fn sample() -> Self {
        let mut layout = layout("/p/suzhou/nowhere");
        layout.flash = Some(Flash { kind: FlashKind::Success, text: Text::say("notice-product-withdrawn") });
        Self { layout }
    }
}
