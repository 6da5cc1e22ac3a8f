//! Samples of the remaining pages.

use super::{NEGOTIATION, TRANSFER, about, bearings, event, hefei, layout, negotiations, suzhou, when};
use crate::Text;
use crate::format::{Bytes, Count};
use crate::pages::{
    AccessLevel, Check, Counts, Disk, ErrorPage, FailingJob, HomePage, JobQueue, LoginPage, NewPassword, NewToken, NodePage, NotFoundPage,
    PeoplePage, PersonRow, PersonTyped, TokenRow, TokensPage, Verdict,
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
            audits: if login == "admin" { String::new() } else { "wuxi".into() },
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
    /// A node with some things to mend.
    pub fn sample() -> Self {
        let check = |name, verdict, found| Check { name: Text::say(name), about: None, verdict, found, said: None, mend: None, href: None };
        let say = Text::say;
        Self {
            layout: layout("/p/suzhou/node"),
            public_url: "http://data.suzhou.example.cn".into(),
            database: "SQLite".into(),
            database_size: Some(Bytes(50_541_363)),
            started: when("06:14:00"),
            uptime: Span { seconds: 28_140 },
            participants: Count(3),
            disk: Some(Disk { free: Bytes(412_316_860_416), size: Bytes(1_099_511_627_776), data: Bytes(88_046_829_568) }),
            backup: Some(when("02:00:11")),
            jobs: JobQueue {
                due: Count(0),
                retrying: Count(1),
                oldest: Some(when("11:20:45")),
                failing: Some(FailingJob {
                    what: say("node-job-negotiation"),
                    since: when("11:20:45"),
                    attempts: Count(17),
                    error: Some(Text::plain("did:web:data.wuhan.example.cn:p:wuhan did not answer within 10 seconds")),
                    href: Some(format!("/p/suzhou/negotiations/{NEGOTIATION}")),
                }),
            },
            checks: vec![
                Check {
                    mend: Some(say("node-check-address-mend")),
                    ..check("node-check-address", Verdict::Bad, say("node-check-address-plain"))
                },
                Check {
                    about: Some("合肥光伏发电量日报".into()),
                    said: Some(Text::plain("The bucket answered 403: the key may not list it.")),
                    mend: Some(say("node-check-feed-mend").with("when", when("15:00:00"))),
                    href: Some("/p/suzhou/products/pv-daily".into()),
                    ..check("node-check-feeds", Verdict::Look, say("node-check-feed-failed").with("n", 4_u64))
                },
                Check {
                    about: Some("Wuhan Optics Valley".into()),
                    said: Some(Text::plain("connection refused")),
                    mend: Some(say("node-check-peer-mend")),
                    href: Some("/p/suzhou/peers/did%3Aweb%3Adata.wuhan.example.cn%3Ap%3Awuhan".into()),
                    ..check("node-check-peers", Verdict::Look, say("node-check-peer-failed"))
                },
                check("node-check-database", Verdict::Well, say("node-check-database-ok")),
                check("node-check-disk", Verdict::Well, say("node-check-disk-ok").with("free", Bytes(412_316_860_416))),
                check("node-check-backup", Verdict::Well, say("node-check-backup-ok").with("ago", Span { seconds: 43_000 }.ago())),
                check("node-check-connections", Verdict::Well, say("node-check-connections-ok").with("n", 2_u64)),
            ],
        }
    }

    /// A node that is well.
    pub fn sample_well() -> Self {
        let page = Self::sample();
        let checks = page.checks.iter().filter(|check| check.verdict == Verdict::Well).cloned().collect();
        Self { checks, jobs: JobQueue::default(), public_url: "https://data.suzhou.example.cn".into(), ..page }
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
