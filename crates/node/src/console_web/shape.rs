//! From what the node knows to what pages show.

use super::{guard::Room, sentences, words};
use crate::app::{
    cause::{Cause, Exchange, name},
    views::Names,
};
use fondaco_console::{
    Text,
    states::{self, Message, NegotiationState, ProductState, Role, TransferState},
    view::{self, EventView, NegotiationRow, Party, Subject, Terms, TransferRow},
};
use fondaco_core::{
    negotiation::{self, Negotiation},
    participant::Did,
    policy::Policy,
    product::{self, ProductRef},
    transfer::{self, Transfer},
};
use fondaco_store::Event;
use serde_json::Value;
use std::collections::HashMap;
use url::form_urlencoded;

/// Longest text taken from JSON for one cell of a table; a page is not the place for more.
const CELL_MAX_CHARS: usize = 200;

pub fn role(role: negotiation::Role) -> Role {
    match role {
        negotiation::Role::Provider => Role::Provider,
        negotiation::Role::Consumer => Role::Consumer,
    }
}

pub fn negotiation_state(state: &negotiation::State) -> NegotiationState {
    use negotiation::State as S;
    match state {
        S::Requested { .. } => NegotiationState::Requested,
        S::Offered { .. } => NegotiationState::Offered,
        S::Accepted { .. } => NegotiationState::Accepted,
        S::Agreed { .. } => NegotiationState::Agreed,
        S::Verified { .. } => NegotiationState::Verified,
        S::Finalized { .. } => NegotiationState::Finalized,
        S::Terminated { .. } => NegotiationState::Terminated,
    }
}

pub fn transfer_state(state: &transfer::State) -> TransferState {
    use transfer::State as S;
    match state {
        S::Requested => TransferState::Requested,
        S::Started { .. } => TransferState::Started,
        S::Suspended { .. } => TransferState::Suspended,
        S::Completed { .. } => TransferState::Completed,
        S::Terminated { .. } => TransferState::Terminated,
    }
}

pub fn product_state(state: product::ProductState) -> ProductState {
    match state {
        product::ProductState::Published => ProductState::Published,
        product::ProductState::Withdrawn => ProductState::Withdrawn,
    }
}

pub fn kind(kind: &str) -> states::Kind {
    states::Kind(kind.to_owned())
}

/// A party of a deal: ourselves by our name, others by theirs or their DID.
pub fn party(room: &Room, names: &Names, did: &Did) -> Party {
    let ours = *did == room.participant.did;
    let name = if ours { room.participant.name.clone() } else { names.peer(did).to_owned() };
    Party { name, did: did.to_string(), ours }
}

/// Where the actor of an event wrote itself with something else than a DID (our slug, a login), it is on our side.
fn actor(room: &Room, names: &Names, actor: &str) -> Party {
    match Did::parse(actor) {
        Ok(did) if actor.starts_with("did:") || did == room.participant.did => party(room, names, &did),
        _ => party(room, names, &room.participant.did),
    }
}

/// The terms of an ODRL document, in words and as they are.
pub fn terms(odrl: &Value) -> Terms {
    let sentences = match Policy::from_odrl(odrl) {
        Ok(policy) => sentences::of(&policy),
        Err(e) => vec![Text::say("terms-unreadable").with("detail", e.to_string())],
    };
    Terms { sentences, odrl_json: pretty(odrl) }
}

/// The price in terms, as it is typed, where they have one that can be read.
pub fn price(odrl: &Value) -> Option<String> {
    Policy::from_odrl(odrl).ok()?.price.map(|price| price.to_string())
}

/// JSON for reading.
pub fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}

/// A value of a JSON document in a cell of a table.
pub fn cell(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match text.char_indices().nth(CELL_MAX_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// A query string.
pub fn query(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// A path segment: everything but letters, digits and a few marks is percent-encoded.
pub fn segment(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// The product of a deal: ours by its title and page, a peer's by its id and the page about it.
pub fn product_of_deal(room: &Room, names: &Names, role: negotiation::Role, peer: &Did, dataset: &str) -> view::ProductRef {
    let base = room.base();
    let ours = ProductRef::parse_dataset_id(dataset);
    let href = match (role, &ours) {
        (negotiation::Role::Provider, Some(p)) => Some(format!("{base}/products/{}?version={}", segment(p.id.as_str()), p.version)),
        (negotiation::Role::Provider, None) => None,
        (negotiation::Role::Consumer, _) => Some(format!("{base}/catalog/product?{}", query(&[("peer", peer.as_str()), ("id", dataset)]))),
    };
    view::ProductRef {
        id: dataset.to_owned(),
        title: names.title(role, Some(peer), dataset).to_owned(),
        version: ours.map(|p| p.version.to_string()),
        href,
    }
}

pub fn negotiation_row(room: &Room, names: &Names, n: &Negotiation) -> NegotiationRow {
    NegotiationRow {
        id: n.id.to_string(),
        product: names.title(n.role, Some(&n.peer.did), &n.dataset).to_owned(),
        peer: party(room, names, &n.peer.did),
        role: role(n.role),
        state: negotiation_state(&n.state),
        waiting_for_us: n.is_our_turn(),
        updated: words::when(n.updated_at),
    }
}

pub fn transfer_row(room: &Room, names: &Names, t: &Transfer) -> TransferRow {
    TransferRow {
        id: t.id.to_string(),
        product: names.title(t.role, Some(&t.peer.did), &t.dataset).to_owned(),
        peer: party(room, names, &t.peer.did),
        role: role(t.role),
        state: transfer_state(&t.state),
        format: t.format.clone(),
        updated: words::when(t.updated_at),
    }
}

/// The message an event stands for. An event without one (a rule that could not be followed, an agreement that came
/// into force by the message before) is not a line of its own.
pub fn message(kind: &str) -> Option<Message> {
    Some(match kind {
        "negotiation.requested" => Message::ContractRequest,
        "negotiation.offered" => Message::ContractOffer,
        "negotiation.accepted" => Message::ContractAccepted,
        "negotiation.agreed" => Message::ContractAgreement,
        "negotiation.verified" => Message::ContractAgreementVerification,
        "negotiation.finalized" => Message::ContractFinalized,
        "negotiation.terminated" => Message::ContractNegotiationTermination,
        "transfer.requested" => Message::TransferRequest,
        "transfer.started" => Message::TransferStart,
        "transfer.suspended" => Message::TransferSuspension,
        "transfer.completed" => Message::TransferCompletion,
        "transfer.terminated" => Message::TransferTermination,
        "product.published" => Message::ProductPublished,
        "product.withdrawn" => Message::ProductWithdrawn,
        "product.stopped" => Message::ProductStopped,
        "product.resumed" => Message::ProductResumed,
        "agreement.notice" => Message::AgreementNotice,
        "agreement.ended" => Message::AgreementEnded,
        "agreement.paid" => Message::AgreementPaid,
        "agreement.stopped" => Message::AgreementStopped,
        "agreement.resumed" => Message::AgreementResumed,
        "agreement.expired" => Message::AgreementExpired,
        "agreement.renewed" => Message::AgreementRenewed,
        "agreement.untold" => Message::AgreementUntold,
        "agreement.held" => Message::AgreementHeld,
        _ => return None,
    })
}

fn chip(kind: &str) -> Option<states::Chip> {
    let (of, state) = kind.split_once('.')?;
    let code = state.to_ascii_uppercase();
    match of {
        "negotiation" => NegotiationState::from_code(&code).map(Into::into),
        "transfer" => TransferState::from_code(&code).map(Into::into),
        _ => None,
    }
}

/// What was said about an ending.
fn reason(detail: &Value) -> Option<String> {
    let reasons = detail.get("reasons").and_then(Value::as_array)?;
    let said: Vec<&str> = reasons.iter().filter_map(Value::as_str).map(str::trim).filter(|r| !r.is_empty()).collect();
    Some(said.join(" ")).filter(|r| !r.is_empty())
}

/// Why a step was taken, as pages show it.
fn cause(cause: Cause) -> view::Cause {
    match cause {
        Cause::Person(by) => view::Cause::Person { account: by.account, token: by.token },
        Cause::Webhook => view::Cause::Webhook,
        Cause::Terms => view::Cause::Terms,
        Cause::Agreement => view::Cause::Agreement,
        Cause::Rule { at, action } => view::Cause::Rule { at: at.as_ref().map(name), action: name(&action) },
        Cause::Exchange(Exchange { message, url, status, answer, attempts, .. }) => {
            view::Cause::Exchange { message, url, status, answer, attempts }
        }
    }
}

/// Why a message has not arrived yet: the exchange, where it is known, as the timeline shows those that failed for good.
pub fn undelivered(exchange: Option<&Exchange>, said: Option<&str>) -> Option<Text> {
    exchange.map(|exchange| cause(Cause::Exchange(exchange.clone())).text()).or_else(|| said.map(Text::detail))
}

/// A line of a timeline; `None` for an event without a message.
pub fn event(room: &Room, names: &Names, event: &Event, subject: Option<Subject>) -> Option<EventView> {
    Some(EventView {
        when: words::when(event.at),
        who: actor(room, names, &event.actor),
        message: message(&event.kind)?,
        state: chip(&event.kind),
        reason: reason(&event.detail),
        cause: Cause::of(&event.detail).map(cause),
        version: None,
        subject,
    })
}

/// The lines of one process, oldest first, and what a rule that could not be followed said last.
///
/// An event that leaves the state where it was is such a note, and not a message.
///
/// `version` tells which version of the terms an event brought, by the event's id.
pub fn timeline(room: &Room, names: &Names, events: &[Event], version: impl Fn(i64) -> Option<u64>) -> (Vec<EventView>, Option<String>) {
    let mut lines = Vec::new();
    let mut note = None;
    let mut before = "";
    for e in events {
        if e.kind == before {
            note = Some(e.text.clone());
        } else {
            lines.extend(event(room, names, e, None).map(|line| EventView { version: version(e.id), ..line }));
            note = None;
        }
        before = &e.kind;
    }
    (lines, note)
}

/// The events of several processes, newest first, without notes.
pub fn without_notes<T>(events: Vec<(Event, T)>) -> Vec<(Event, T)> {
    let mut older: HashMap<String, String> = HashMap::new();
    let mut kept: Vec<(Event, T)> = Vec::new();
    for (event, more) in events.into_iter().rev() {
        let repeated = older.insert(event.topic.clone(), event.kind.clone()).is_some_and(|kind| kind == event.kind);
        if !repeated {
            kept.push((event, more));
        }
    }
    kept.reverse();
    kept
}

/// The states a process has been in, by its events.
pub fn visited<T>(events: &[Event], from_code: impl Fn(&str) -> Option<T>) -> Vec<T> {
    events.iter().filter_map(|e| e.kind.split_once('.')).filter_map(|(_, state)| from_code(&state.to_ascii_uppercase())).collect()
}

/// How a process ended.
pub fn ending(room: &Room, names: &Names, ours: bool, peer: &Did, ending: &negotiation::Ending) -> view::EndingView {
    let said: Vec<&str> = ending.reasons.iter().map(|r| r.trim()).filter(|r| !r.is_empty()).collect();
    let cause = ending.code.as_deref().map(|code| Text::of("error", code)).filter(Text::exists);
    view::EndingView {
        who: party(room, names, if ours { &room.participant.did } else { peer }),
        cause,
        code: ending.code.clone(),
        reason: Some(said.join(" ")).filter(|r| !r.is_empty()),
    }
}

/// Our pid and the peer's, as (provider's, consumer's).
pub fn pids(role: negotiation::Role, own: &str, peer: Option<&String>) -> (Option<String>, Option<String>) {
    let (own, peer) = (Some(own.to_owned()), peer.cloned());
    match role {
        negotiation::Role::Provider => (own, peer),
        negotiation::Role::Consumer => (peer, own),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fondaco_core::{participant::Slug, time::Timestamp};
    use serde_json::json;

    fn recorded(topic: &str, kind: &str, text: &str) -> Event {
        Event {
            id: 1,
            participant: Slug::parse("acme").expect("slug"),
            topic: topic.into(),
            kind: kind.into(),
            actor: "did:web:x".into(),
            text: text.into(),
            detail: json!({}),
            at: Timestamp::default(),
        }
    }

    #[test]
    fn every_state_has_its_message_and_chip() {
        for state in NegotiationState::ALL {
            let kind = format!("negotiation.{}", state.code().to_ascii_lowercase());
            assert!(message(&kind).is_some() && chip(&kind).is_some(), "{kind}");
        }
        for state in TransferState::ALL {
            let kind = format!("transfer.{}", state.code().to_ascii_lowercase());
            assert!(message(&kind).is_some() && chip(&kind).is_some(), "{kind}");
        }
        assert!(message("agreement.concluded").is_none());
    }

    #[test]
    fn reasons_are_what_was_said() {
        assert_eq!(reason(&json!({"reasons": ["Too dear.", " Sorry. "]})).as_deref(), Some("Too dear. Sorry."));
        assert_eq!(reason(&json!({"reasons": ["  "]})), None);
        assert_eq!(reason(&json!({"reasons": "x"})), None);
        assert_eq!(reason(&json!({})), None);
    }

    #[test]
    fn a_note_is_not_a_message() {
        let events = ["negotiation.requested", "negotiation.requested"].map(|kind| (recorded("negotiation:1", kind, ""), ()));
        assert_eq!(without_notes(events.to_vec()).len(), 1);
        let others = ["negotiation:1", "negotiation:2"].map(|topic| (recorded(topic, "negotiation.requested", ""), ()));
        assert_eq!(without_notes(others.to_vec()).len(), 2);
    }

    #[test]
    fn segments_and_queries_are_encoded() {
        assert_eq!(segment("a/b c?d"), "a%2Fb%20c%3Fd");
        assert_eq!(query(&[("peer", "did:web:x&y"), ("id", "a b")]), "peer=did%3Aweb%3Ax%26y&id=a+b");
    }

    #[test]
    fn cells_are_short() {
        assert_eq!(cell(&json!("a")), "a");
        assert_eq!(cell(&json!(1.5)), "1.5");
        assert_eq!(cell(&json!("界".repeat(CELL_MAX_CHARS + 1))).chars().count(), CELL_MAX_CHARS + 1);
    }
}
