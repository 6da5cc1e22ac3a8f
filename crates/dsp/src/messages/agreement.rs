//! What nodes of this program tell each other about an agreement after it was signed.
//!
//! Deviation: the Dataspace Protocol 2025-1 ends with `FINALIZED` and has no such message. This one is posted to
//! `…/agreements/{id}/events` below the peer's base, authenticated like any other. A connector that does not know the
//! path answers 404, 405 or 501 and learns from the suspension or termination of its transfers. It is plain JSON with the
//! names below; it claims no term of the protocol's JSON-LD context.

use super::{put, put_reasons, put_some, read::Object, start};
use crate::{
    error::WireError,
    json,
    limits::{ID_MAX_CHARS, Limits, REASON_MAX_CHARS},
};
use serde_json::{Map, Value};

/// Longest instant.
const INSTANT_MAX_CHARS: usize = 40;

/// An event of an agreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgreementEventMessage {
    /// `@id` of this message.
    pub message_id: Option<String>,
    /// The agreement.
    pub agreement_id: String,
    /// Grows with each event of the agreement that its sender tells.
    pub sequence: u64,
    /// `notice`, `ended`, `stopped`, `resumed`, `expired` or `renewed`.
    pub kind: String,
    /// When it happened, as RFC 3339.
    pub at: String,
    /// When notice was given.
    pub notice_at: Option<String>,
    /// When the agreement ends.
    pub ends_at: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// The agreement that renews it.
    pub renewed_by: Option<String>,
}

impl AgreementEventMessage {
    /// Its `@type`.
    pub const TYPE: &'static str = "AgreementEventMessage";

    /// Reads the message. Members that we do not know are passed over: a later version may have more to say.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let value = json::read(bytes, &Limits::MESSAGE)?;
        let object = Object::root(&value, Self::TYPE)?;
        let sequence = object.need("sequence")?.as_u64().filter(|n| *n > 0 && i64::try_from(*n).is_ok());
        let sequence = sequence.ok_or_else(|| object.error("sequence", "\"sequence\" must be a whole number from 1."))?;
        Ok(Self {
            message_id: object.opt_id("@id")?,
            agreement_id: object.id("agreementId")?,
            sequence,
            kind: object.text("kind", ID_MAX_CHARS)?,
            at: object.text("at", INSTANT_MAX_CHARS)?,
            notice_at: object.opt_text("noticeAt", INSTANT_MAX_CHARS)?,
            ends_at: object.opt_text("endsAt", INSTANT_MAX_CHARS)?,
            reason: object.opt_text("reason", REASON_MAX_CHARS)?,
            renewed_by: object.opt_id("renewedBy")?,
        })
    }

    /// Prints the message.
    pub fn to_json(&self) -> Value {
        let mut map = Map::new();
        put_some(&mut map, "@id", self.message_id.as_deref());
        put(&mut map, "@type", Self::TYPE);
        put(&mut map, "agreementId", &self.agreement_id);
        map.insert("sequence".to_owned(), self.sequence.into());
        put(&mut map, "kind", &self.kind);
        put(&mut map, "at", &self.at);
        put_some(&mut map, "noticeAt", self.notice_at.as_deref());
        put_some(&mut map, "endsAt", self.ends_at.as_deref());
        put_some(&mut map, "reason", self.reason.as_deref());
        put_some(&mut map, "renewedBy", self.renewed_by.as_deref());
        map.into()
    }
}

/// Why an event was refused, in the shape of the protocol's errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgreementEventError {
    /// A code.
    pub code: Option<String>,
    /// In words.
    pub reasons: Vec<String>,
}

impl AgreementEventError {
    /// Prints it.
    pub fn to_json(&self) -> Value {
        let mut map = start(None, "AgreementEventError");
        put_reasons(&mut map, self.code.as_deref(), &self.reasons);
        map.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn message() -> AgreementEventMessage {
        AgreementEventMessage {
            message_id: Some("urn:uuid:1".into()),
            agreement_id: "agr_1".into(),
            sequence: 3,
            kind: "notice".into(),
            at: "2026-11-22T00:00:00Z".into(),
            notice_at: None,
            ends_at: Some("2026-12-22T00:00:00Z".into()),
            reason: Some("moved".into()),
            renewed_by: None,
        }
    }

    #[test]
    fn its_wire_form_is_stable() {
        let wire = json!({"@id": "urn:uuid:1", "@type": "AgreementEventMessage", "agreementId": "agr_1", "sequence": 3,
            "kind": "notice", "at": "2026-11-22T00:00:00Z", "endsAt": "2026-12-22T00:00:00Z", "reason": "moved"});
        assert_eq!(message().to_json(), wire);
        assert_eq!(AgreementEventMessage::parse(wire.to_string().as_bytes()).expect("read"), message());
        let mut more = wire;
        more["futureMember"] = json!({"a": [1]});
        assert_eq!(AgreementEventMessage::parse(more.to_string().as_bytes()).expect("read"), message());
    }

    #[test]
    fn what_is_no_event_is_refused_by_member() {
        for (member, value) in [
            ("@type", json!("TransferStartMessage")),
            ("agreementId", json!("a b")),
            ("sequence", json!(0)),
            ("sequence", json!(-1)),
            ("sequence", json!(u64::MAX)),
            ("sequence", json!("3")),
            ("kind", json!(7)),
            ("at", json!("2".repeat(41))),
            ("reason", json!("x".repeat(REASON_MAX_CHARS + 1))),
            ("renewedBy", json!("\u{7}")),
        ] {
            let mut wire = message().to_json();
            wire[member] = value;
            let e = AgreementEventMessage::parse(wire.to_string().as_bytes()).expect_err("refused");
            assert!(e.to_string().contains(member), "{member}: {e}");
        }
        assert!(AgreementEventMessage::parse(b"[]").is_err());
        assert!(AgreementEventMessage::parse(b"{\"@type\": \"AgreementEventMessage\"").is_err());
    }
}
