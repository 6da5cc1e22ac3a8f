//! Believable instances of every page, for the gallery (`examples/gallery.rs`) and the tests.
//! The participant is Suzhou Industrial Park; its peers are other zones.

mod catalog;
mod deals;
mod evidence;
mod first_rows;
mod gallery;
mod lineage;
mod publish;
mod rooms;
mod rules;

pub use gallery::gallery;

use crate::format::Count;
use crate::pages::ColumnView;
use crate::states::{Chip, Message, NegotiationState, Role, TransferState};
use crate::text::Digits;
use crate::view::{EventView, Layout, NegotiationRow, ParticipantView, Party, ProductRef, Subject, Terms, TransferRow, UserView, When};
use crate::{Locale, Text};

const NEGOTIATION: &str = "neg-01jd3v6k9q";
const AGREEMENT: &str = "urn:uuid:5b0f6a52-5c84-4f0e-9a39-2d6c1f0b7a11";
const TRANSFER: &str = "tra-01jd3vb2m4";
const HEFEI: &str = "did:web:data.hefei.example.cn:p:hefei";

fn when(time: &str) -> When {
    When::utc(format!("2026-11-21T{time}Z"))
}

/// The layout of a page at `path`, which must be one of the participant `suzhou`.
pub fn layout(path: &str) -> Layout {
    let participant = |slug: &str, name: &str| ParticipantView { slug: slug.into(), name: name.into(), current: slug == "suzhou" };
    Layout {
        locale: Locale::En,
        user: Some(UserView { name: "lin.yue".into() }),
        participants: vec![
            participant("suzhou", "Suzhou Industrial Park"),
            participant("kunshan", "Kunshan Development Zone"),
            participant("wuxi", "无锡高新区"),
        ],
        csrf: "hJ4kq0-Zc2m".into(),
        flash: None,
        path: path.into(),
        here: path.into(),
        request_id: "req-01jd3v8w2c".into(),
        version: "0.1.0".into(),
        now: when("14:03:27"),
        waiting: Count(1),
        audits: false,
        log_held: false,
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
    EventView { when: when(time), who, message, state, reason: None, cause: None, version: None, subject: None }
}

fn about(mut event: EventView, title: &str, href: &str) -> EventView {
    event.subject = Some(Subject { title: title.into(), href: format!("/p/suzhou/{href}") });
    event
}

fn terms() -> Terms {
    Terms {
        sentences: vec![
            Text::say("terms-before").with("at", "2027-01-01T00:00:00Z"),
            Text::say("terms-times").with("n", Digits(100)),
            Text::say("terms-only-countries").with("where", Text::joined(vec![Text::plain("CN"), Text::plain("SG")], "terms-comma")),
            Text::say("terms-only-purpose").with("what", "research"),
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
        version: Some("3".into()),
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
