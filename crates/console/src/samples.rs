//! Believable instances of every page, for the gallery (`examples/gallery.rs`) and the tests.
//! The participant is Suzhou Industrial Park; its peers are other zones.

use crate::format::{Bytes, Count};
use crate::pages::{
    Access, AccessLevel, AgreementPage, AgreementRow, AgreementsPage, CatalogCard, CatalogPage, Check, ColumnProfile, ColumnView, Counts,
    ErrorPage, FileView, HomePage, JobQueue, LoginPage, NegotiationActions, NegotiationPage, NegotiationsPage, NewToken, NodePage,
    NotFoundPage, OfferView, Owner, Paging, PeerRow, PeersPage, ProductPage, ProductRow, ProductsPage, Publication, TokenRow, TokensPage,
    TransferActions, TransferPage, TransfersPage, Uses,
};
use crate::states::{AgreementState, Chip, Kind, Message, NegotiationState, ProductState, Role, TransferState};
use crate::view::{
    EventView, Flash, FlashKind, Layout, NegotiationRow, ParticipantView, Party, ProductRef, Subject, Terms, TransferRow, UserView, When,
};

const NEGOTIATION: &str = "neg-01jd3v6k9q";
const AGREEMENT: &str = "urn:uuid:5b0f6a52-5c84-4f0e-9a39-2d6c1f0b7a11";
const TRANSFER: &str = "tra-01jd3vb2m4";
const HEFEI: &str = "did:web:data.hefei.example.cn:p:hefei";

fn when(time: &str) -> When {
    When { iso: format!("2026-11-21T{time}Z"), text: format!("21 Nov 2026, {} UTC", &time[..5]) }
}

/// The layout of a page at `path`, which must be one of the participant `suzhou`.
pub fn layout(path: &str) -> Layout {
    let participant = |slug: &str, name: &str| ParticipantView { slug: slug.into(), name: name.into(), current: slug == "suzhou" };
    Layout {
        user: Some(UserView { name: "lin.yue".into() }),
        participants: vec![
            participant("suzhou", "Suzhou Industrial Park"),
            participant("kunshan", "Kunshan Development Zone"),
            participant("wuxi", "无锡高新区"),
        ],
        csrf: "hJ4kq0-Zc2m".into(),
        flash: None,
        path: path.into(),
        request_id: "req-01jd3v8w2c".into(),
        version: "0.1.0".into(),
        now: when("14:03:27"),
    }
}

fn party(name: &str, did: &str, ours: bool) -> Party {
    Party { name: name.into(), did: did.into(), ours }
}

fn suzhou() -> Party {
    let did = "did:web:data.suzhou.example.cn:p:suzhou";
    party("Suzhou Industrial Park", did, true)
}

fn hefei() -> Party {
    party("Hefei High-tech Zone", HEFEI, false)
}

fn zgc() -> Party {
    let did = "did:web:data.zgc.example.cn:p:zgc";
    party("Zhongguancun 中关村", did, false)
}

fn event(time: &str, who: Party, message: Message, state: Option<Chip>) -> EventView {
    EventView { when: when(time), who, message, state, reason: None, subject: None }
}

fn about(mut event: EventView, title: &str, href: &str) -> EventView {
    event.subject = Some(Subject { title: title.into(), href: format!("/p/suzhou/{href}") });
    event
}

fn terms() -> Terms {
    Terms {
        sentences: vec![
            "You may use the product until 1 January 2027, 00:00 UTC.".into(),
            "You may read it 100 times in all.".into(),
            "Only participants in China (CN) may use it.".into(),
            "You declare that you use it for research.".into(),
        ],
        odrl_json: r#"{
  "@type": "Offer",
  "permission": [
    {
      "action": "use",
      "constraint": [
        { "leftOperand": "dateTime", "operator": "lt", "rightOperand": "2027-01-01T00:00:00Z" },
        { "leftOperand": "count", "operator": "lteq", "rightOperand": 100 },
        { "leftOperand": "spatial", "operator": "eq", "rightOperand": "CN" },
        { "leftOperand": "purpose", "operator": "eq", "rightOperand": "research" }
      ]
    }
  ]
}"#
        .into(),
    }
}

fn bearings() -> ProductRef {
    ProductRef {
        id: "bearing-vibration".into(),
        title: "Bearing vibration, 42 machines".into(),
        version: "3".into(),
        href: Some(format!("/p/suzhou/catalog/product?peer={}&id=bearing-vibration", HEFEI.replace(':', "%3A"))),
    }
}

fn negotiations() -> Vec<NegotiationRow> {
    let row = |id: &str, product: &str, peer, role, state, waiting_for_us, time| NegotiationRow {
        id: id.into(),
        product: product.into(),
        peer,
        role,
        state,
        waiting_for_us,
        updated: when(time),
    };
    vec![
        row("neg-01jd3v9x5r", "Flights from New York, 2013", zgc(), Role::Provider, NegotiationState::Requested, true, "14:01:10"),
        row(NEGOTIATION, "Bearing vibration, 42 machines", hefei(), Role::Consumer, NegotiationState::Finalized, false, "13:58:02"),
        row("neg-01jd3u1c7t", "Air quality, hourly", zgc(), Role::Consumer, NegotiationState::Verified, false, "11:20:45"),
        row("neg-01jd3r8m2p", "合肥光伏发电量日报", hefei(), Role::Consumer, NegotiationState::Terminated, false, "09:12:31"),
    ]
}

fn transfers() -> Vec<TransferRow> {
    let row = |id: &str, product: &str, peer, role, state, time| TransferRow {
        id: id.into(),
        product: product.into(),
        peer,
        role,
        state,
        format: "HttpData-PULL".into(),
        updated: when(time),
    };
    vec![
        row(TRANSFER, "Bearing vibration, 42 machines", hefei(), Role::Consumer, TransferState::Started, "13:59:40"),
        row("tra-01jd3t0a8d", "Flights from New York, 2013", zgc(), Role::Provider, TransferState::Suspended, "12:44:09"),
        row("tra-01jd3p5e1w", "Air quality, hourly", zgc(), Role::Consumer, TransferState::Completed, "08:30:00"),
    ]
}

fn negotiation_events() -> Vec<EventView> {
    use NegotiationState::{Agreed, Finalized, Requested, Verified};
    let line = |time, who, message, state: NegotiationState| event(time, who, message, Some(state.into()));
    vec![
        line("13:57:59", suzhou(), Message::ContractRequest, Requested),
        line("13:58:00", hefei(), Message::ContractAgreement, Agreed),
        line("13:58:01", suzhou(), Message::ContractAgreementVerification, Verified),
        line("13:58:02", hefei(), Message::ContractFinalized, Finalized),
    ]
}

fn columns() -> Vec<ColumnView> {
    [
        ("time_hour", "timestamp[us, UTC]", false),
        ("carrier", "string", false),
        ("flight", "int64", false),
        ("origin", "string", false),
        ("dest", "string", false),
        ("dep_delay", "double", true),
        ("air_time", "double", true),
        ("distance", "int64", false),
    ]
    .map(|(name, data_type, nullable)| ColumnView { name: name.into(), data_type: data_type.into(), nullable })
    .into()
}

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
                declined,
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

impl ProductsPage {
    /// A few products.
    pub fn sample() -> Self {
        let row = |id: &str, title: &str, kind: &str, rows: Option<u64>, bytes, state| ProductRow {
            id: id.into(),
            title: title.into(),
            kind: Kind(kind.into()),
            version: "2".into(),
            versions: Count(2),
            offers: Count(1),
            rows: rows.map(Count),
            bytes: Bytes(bytes),
            state,
            published: when("10:02:00"),
        };
        Self {
            layout: layout("/p/suzhou/products"),
            products: vec![
                row("flights", "Flights from New York, 2013", "table", Some(336_776), 7_340_032, ProductState::Published),
                row("line-7-torque", "苏州七号线拧紧扭矩", "table", Some(12_480_112), 1_288_490_189, ProductState::Published),
                row("weld-images", "Weld seams, labelled images", "files", None, 48_318_382_080, ProductState::Withdrawn),
            ],
            after: None,
        }
    }
}

impl ProductPage {
    /// One of our own.
    pub fn sample() -> Self {
        let profile = |name: &str, nulls, distinct, min: &str, max: &str| ColumnProfile {
            name: name.into(),
            nulls: Count(nulls),
            distinct: Some(Count(distinct)),
            min: Some(min.into()),
            max: Some(max.into()),
        };
        Self {
            layout: layout("/p/suzhou/products/flights"),
            owner: Owner::Ours { state: ProductState::Published, publication: Publication { schema: true, profile: false } },
            id: "flights".into(),
            title: "Flights from New York, 2013".into(),
            description: Some(
                "All flights that left the three airports of New York in 2013, with their \
                 delays and distances.\n\nOne row per flight, times in UTC."
                    .into(),
            ),
            keywords: ["aviation", "delays", "new york"].map(Into::into).into(),
            kind: Kind("table".into()),
            version: "2".into(),
            versions: vec!["2".into(), "1".into()],
            published: Some(when("10:02:00")),
            rows: Some(Count(336_776)),
            bytes: Some(Bytes(7_340_032)),
            columns: columns(),
            profile: vec![
                profile("time_hour", 0, 6_936, "2013-01-01T10:00:00Z", "2014-01-01T04:00:00Z"),
                profile("carrier", 0, 16, "9E", "YV"),
                profile("flight", 0, 3_844, "1", "8500"),
                profile("dep_delay", 8_255, 527, "-43", "1301"),
                profile("distance", 0, 214, "17", "4983"),
            ],
            files: vec![FileView {
                name: "part-00000.parquet".into(),
                format: "application/vnd.apache.parquet".into(),
                bytes: Bytes(7_340_032),
            }],
            offers: vec![OfferView { id: "flights-research".into(), terms: terms() }],
        }
    }

    /// A peer's.
    pub fn sample_peer() -> Self {
        Self {
            layout: layout("/p/suzhou/catalog/product"),
            owner: Owner::Peer { address: HEFEI.into(), name: hefei().name, did: hefei().did },
            id: "bearing-vibration".into(),
            title: bearings().title,
            description: Some(
                "Vibration spectra of the spindle bearings of 42 milling machines over 18 \
                 months, with the dates of every replacement. Made for predicting failures."
                    .into(),
            ),
            keywords: ["manufacturing", "vibration", "predictive maintenance", "轴承"].map(Into::into).into(),
            version: "3".into(),
            versions: Vec::new(),
            profile: Vec::new(),
            files: Vec::new(),
            offers: vec![
                OfferView { id: "research".into(), terms: terms() },
                OfferView {
                    id: "commercial".into(),
                    terms: Terms {
                        sentences: vec![
                            "You may use the product for 90 days from the agreement on.".into(),
                            "You may use it for any purpose.".into(),
                        ],
                        ..terms()
                    },
                },
            ],
            ..Self::sample()
        }
    }
}

impl PeersPage {
    /// Three contacts.
    pub fn sample() -> Self {
        let row = |party: Party, reachable, time| PeerRow {
            name: party.name,
            address: party.did.clone(),
            did: party.did,
            reachable,
            last_contact: when(time),
        };
        Self {
            layout: layout("/p/suzhou/peers"),
            address: String::new(),
            problem: None,
            peers: vec![
                row(hefei(), true, "13:59:40"),
                row(zgc(), true, "12:44:09"),
                row(party("Wuhan East Lake", "did:web:127.0.0.1%3A7400:p:wuhan", false), false, "08:00:12"),
            ],
        }
    }
}

impl CatalogPage {
    /// The first of two pages.
    pub fn sample() -> Self {
        let card = |id: &str, title: &str, description: &str, rows, keywords: &[&str]| CatalogCard {
            id: id.into(),
            title: title.into(),
            description: Some(description.into()),
            kind: Kind("table".into()),
            version: Some("3".into()),
            keywords: keywords.iter().map(|k| (*k).into()).collect(),
            rows: Some(Count(rows)),
            bytes: Some(Bytes(rows * 96)),
            offers: Count(2),
        };
        Self {
            layout: layout("/p/suzhou/catalog"),
            peer: HEFEI.into(),
            name: hefei().name,
            did: hefei().did,
            query: String::new(),
            cards: vec![
                card(
                    "bearing-vibration",
                    &bearings().title,
                    "Vibration spectra of the spindle bearings of 42 milling machines over 18 months.",
                    1_204_332,
                    &["manufacturing", "vibration", "轴承"],
                ),
                card(
                    "pv-daily",
                    "合肥光伏发电量日报",
                    "合肥高新区 318 座分布式光伏电站的逐日发电量、辐照度与组件温度。",
                    348_210,
                    &["能源", "光伏"],
                ),
                card(
                    "display-defects",
                    "Display panel defects",
                    "Defect classes and positions from automatic inspection of 8.6-generation panels.",
                    88_412,
                    &["displays", "quality"],
                ),
            ],
            paging: Paging { page: 1, pages: 2, total: Count(27) },
        }
    }
}

impl NegotiationsPage {
    /// One of each sort.
    pub fn sample() -> Self {
        Self { layout: layout("/p/suzhou/negotiations"), negotiations: negotiations(), after: Some("v1.0192f3".into()) }
    }
}

impl NegotiationPage {
    /// Finished with an agreement.
    pub fn sample() -> Self {
        Self {
            layout: layout(&format!("/p/suzhou/negotiations/{NEGOTIATION}")),
            id: NEGOTIATION.into(),
            product: bearings(),
            peer: hefei(),
            role: Role::Consumer,
            state: NegotiationState::Finalized,
            visited: vec![NegotiationState::Requested, NegotiationState::Agreed, NegotiationState::Verified, NegotiationState::Finalized],
            events: negotiation_events(),
            terms: terms(),
            actions: NegotiationActions::default(),
            agreement_id: Some("agr-01jd3v6m0e".into()),
            provider_pid: Some("urn:uuid:0c7cf0c7-3e0a-4a51-8e43-6f6b2a0b9d10".into()),
            consumer_pid: Some("urn:uuid:ddb7a0b9-7a37-4a7c-a86e-1a3c8a54a5b4".into()),
            delivery_problem: None,
        }
    }

    /// A peer's request that a person must decide.
    pub fn sample_waiting() -> Self {
        let first = event("14:01:10", zgc(), Message::ContractRequest, Some(NegotiationState::Requested.into()));
        Self {
            layout: layout("/p/suzhou/negotiations/neg-01jd3v9x5r"),
            id: "neg-01jd3v9x5r".into(),
            product: ProductRef {
                id: "flights".into(),
                title: "Flights from New York, 2013".into(),
                version: "2".into(),
                href: Some("/p/suzhou/products/flights".into()),
            },
            peer: zgc(),
            role: Role::Provider,
            state: NegotiationState::Requested,
            visited: vec![NegotiationState::Requested],
            events: vec![first],
            actions: NegotiationActions { agree: true, accept: false, terminate: true },
            agreement_id: None,
            ..Self::sample()
        }
    }

    /// Declined, after a counter-offer.
    pub fn sample_terminated() -> Self {
        let mut end = event("14:02:44", zgc(), Message::ContractNegotiationTermination, Some(NegotiationState::Terminated.into()));
        end.reason = Some("We found another source.".into());
        let mut page = Self::sample_waiting();
        page.events.push(event("14:02:01", suzhou(), Message::ContractOffer, Some(NegotiationState::Offered.into())));
        page.events.push(end);
        page.state = NegotiationState::Terminated;
        page.visited.push(NegotiationState::Offered);
        page.actions = NegotiationActions::default();
        page
    }
}

impl AgreementsPage {
    /// One of each state.
    pub fn sample() -> Self {
        let row = |id: &str, product: &str, peer, role, state| AgreementRow {
            id: id.into(),
            product: product.into(),
            peer,
            role,
            state,
            signed: when("13:58:00"),
        };
        Self {
            layout: layout("/p/suzhou/agreements"),
            agreements: vec![
                row("agr-01jd3v6m0e", &bearings().title, hefei(), Role::Consumer, AgreementState::Active),
                row("agr-01jd3t0000", "Flights from New York, 2013", zgc(), Role::Provider, AgreementState::Expired),
                row("agr-01jd3p0000", "Air quality, hourly", zgc(), Role::Consumer, AgreementState::Ended),
            ],
            after: None,
        }
    }
}

impl AgreementPage {
    /// We consume, and access is open.
    pub fn sample() -> Self {
        let id = "agr-01jd3v6m0e";
        Self {
            layout: layout(&format!("/p/suzhou/agreements/{id}")),
            id: id.into(),
            product: bearings(),
            provider: hefei(),
            consumer: suzhou(),
            role: Role::Consumer,
            state: AgreementState::Active,
            signed: when("13:58:00"),
            ended: None,
            digest: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
            terms: terms(),
            document_json: format!(
                "{{\n  \"@type\": \"Agreement\",\n  \"@id\": \"{AGREEMENT}\",\n  \"target\": \
                 \"bearing-vibration\",\n  \"assigner\": \"{HEFEI}\",\n  \"assignee\": \"{}\"\n}}",
                suzhou().did
            ),
            negotiation_id: Some(NEGOTIATION.into()),
            access: Access::Ready {
                file_name: "bearing-vibration.share".into(),
                table: "hefei.default.bearing-vibration".into(),
                expires: Some(When { iso: "2026-12-21T14:00:00Z".into(), text: "21 Dec 2026, 14:00 UTC".into() }),
            },
            uses: None,
            transfers: transfers().into_iter().take(1).collect(),
            can_end: false,
        }
    }

    /// We consume, and have not asked for access yet.
    pub fn sample_available() -> Self {
        Self { access: Access::Available, transfers: Vec::new(), ..Self::sample() }
    }

    /// We provide.
    pub fn sample_provider() -> Self {
        Self {
            product: ProductRef {
                id: "flights".into(),
                title: "Flights from New York, 2013".into(),
                version: "2".into(),
                href: Some("/p/suzhou/products/flights".into()),
            },
            provider: suzhou(),
            consumer: zgc(),
            role: Role::Provider,
            access: Access::None,
            uses: Some(Uses { used: Count(37), limit: Some(Count(100)) }),
            transfers: transfers().into_iter().skip(1).take(1).collect(),
            can_end: true,
            ..Self::sample()
        }
    }
}

impl TransfersPage {
    /// One of each sort.
    pub fn sample() -> Self {
        Self { layout: layout("/p/suzhou/transfers"), transfers: transfers(), after: None }
    }
}

impl TransferPage {
    /// Paused by the provider, which is us.
    pub fn sample() -> Self {
        use TransferState::{Requested, Started, Suspended};
        let mut pause = event("12:44:09", suzhou(), Message::TransferSuspension, Some(Suspended.into()));
        pause.reason = Some("The source is being repaired until the evening.".into());
        Self {
            layout: layout("/p/suzhou/transfers/tra-01jd3t0a8d"),
            id: "tra-01jd3t0a8d".into(),
            product: AgreementPage::sample_provider().product,
            peer: zgc(),
            role: Role::Provider,
            state: Suspended,
            visited: vec![Requested, Started, Suspended],
            format: "HttpData-PULL".into(),
            agreement_id: "agr-01jd3t0000".into(),
            events: vec![
                event("12:01:00", zgc(), Message::TransferRequest, Some(Requested.into())),
                event("12:01:01", suzhou(), Message::TransferStart, Some(Started.into())),
                pause,
            ],
            actions: TransferActions { suspend: false, resume: true, complete: true, terminate: true },
            provider_pid: Some("urn:uuid:7f2b7f0e-0f4b-4a43-9f1f-3a0c6a3e2a01".into()),
            consumer_pid: Some("urn:uuid:aa0d0f7c-62a5-4f2e-8a4d-1b6a5c1d9e02".into()),
            delivery_problem: Some("the peer did not answer within 10 seconds".into()),
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
        let check = |name: &str, ok, detail: &str| Check { name: name.into(), ok, detail: detail.into() };
        Self {
            layout: layout("/p/suzhou/node"),
            public_url: "https://data.suzhou.example.cn".into(),
            database: "SQLite 3.51, 48.2 MiB".into(),
            started: when("06:14:00"),
            uptime: "7 hours 49 minutes".into(),
            participants: Count(3),
            jobs: JobQueue { due: Count(0), retrying: Count(1), failed: Count(0), oldest: None },
            checks: vec![
                check("Database", true, "Answers in 1 ms, schema version 7."),
                check("Clock", true, "Within 0.2 s of two peers."),
                check("Public address", false, "Not reachable from here. Check that your proxy forwards it to 127.0.0.1:7400."),
                check("Disk", true, "212 GiB free."),
            ],
        }
    }
}

impl ErrorPage {
    /// A peer that does not answer.
    pub fn sample() -> Self {
        Self {
            layout: layout("/p/suzhou/catalog"),
            code: "FDC-PEER-UNREACHABLE".into(),
            message: "The peer at did:web:127.0.0.1%3A7400:p:wuhan did not answer.".into(),
            next: Some("Check the address, and ask the other organisation whether its node is running.".into()),
            docs_url: None,
            back: Some("/p/suzhou/peers".into()),
        }
    }
}

impl NotFoundPage {
    /// For somebody who is signed in.
    pub fn sample() -> Self {
        let mut layout = layout("/p/suzhou/nowhere");
        layout.flash = Some(Flash { kind: FlashKind::Success, text: "The product was withdrawn.".into() });
        Self { layout }
    }
}
