//! Agreements: one document, the same bytes on both sides.

use crate::{
    canonical,
    error::{Code, Error, Result},
    ids::FOREIGN_ID_MAX_CHARS,
    participant::Did,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What both parties agreed to: a DSP `Agreement` as it went over the wire, and what is read from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    /// `@id`, chosen by the provider.
    pub id: String,
    /// The dataset.
    pub target: String,
    /// The provider.
    pub assigner: Did,
    /// The consumer.
    pub assignee: Did,
    /// When it was made.
    pub timestamp: Timestamp,
    /// The whole document.
    pub document: Value,
    /// SHA-256 (hex) of the document's RFC 8785 form: equal on both sides.
    pub digest: String,
}

impl Agreement {
    /// Writes an agreement about `odrl` rules.
    pub fn make(id: &str, target: &str, assigner: &Did, assignee: &Did, timestamp: Timestamp, odrl: &Value) -> Result<Self> {
        let mut document = json!({
            "@id": id,
            "@type": "Agreement",
            "target": target,
            "assigner": assigner,
            "assignee": assignee,
            "timestamp": timestamp,
        });
        if let (Some(map), Some(rules)) = (document.as_object_mut(), odrl.as_object()) {
            for key in ["permission", "prohibition", "obligation"] {
                if let Some(rule) = rules.get(key) {
                    map.insert(key.to_owned(), rule.clone());
                }
            }
        }
        Self::read(document)
    }

    /// Reads an agreement from its document.
    pub fn read(document: Value) -> Result<Self> {
        let text = |key: &str| {
            document
                .get(key)
                .and_then(Value::as_str)
                .filter(|s| !s.is_empty() && s.len() <= FOREIGN_ID_MAX_CHARS)
                .ok_or_else(|| Error::new(Code::AgreementMismatch, format!("The agreement needs \"{key}\" as a text.")))
        };
        let id = text("@id")?.to_owned();
        let target = text("target")?.to_owned();
        let assigner = Did::parse(text("assigner")?)?;
        let assignee = Did::parse(text("assignee")?)?;
        let timestamp = Timestamp::parse(text("timestamp")?)
            .ok_or_else(|| Error::new(Code::AgreementMismatch, "The agreement's \"timestamp\" is not an instant with offset."))?;
        let digest = canonical::digest(&document).ok_or_else(|| Error::invalid("The agreement is not canonical JSON."))?;
        Ok(Self { id, target, assigner, assignee, timestamp, document, digest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_and_its_digest_are_stable() {
        let did = |s: &str| Did::parse(s).expect("did");
        let made = Agreement::make(
            "agr_1",
            "flights",
            &did("did:web:p.example"),
            &did("did:web:c.example"),
            Timestamp::parse("2026-11-21T00:00:00Z").expect("instant"),
            &json!({"@type": "Offer", "permission": [{"action": "use"}]}),
        )
        .expect("made");
        // The golden form: a change here breaks agreements already stored by peers.
        assert_eq!(
            canonical::to_canonical_json(&made.document).as_deref(),
            Some(
                r#"{"@id":"agr_1","@type":"Agreement","assignee":"did:web:c.example","assigner":"did:web:p.example","permission":[{"action":"use"}],"target":"flights","timestamp":"2026-11-21T00:00:00Z"}"#
            )
        );
        assert_eq!(made.digest, "563815a2b558763ef9ea149aba427bd9b4e48f0e5823823e38f65a233677ac2e");
        assert_eq!(Agreement::read(made.document.clone()).expect("read"), made);
    }

    #[test]
    fn incomplete_documents_are_refused() {
        let whole = json!({"@id": "a", "target": "t", "assigner": "p", "assignee": "c", "timestamp": "2026-11-21T00:00:00Z"});
        assert!(Agreement::read(whole.clone()).is_ok());
        for key in ["@id", "target", "assigner", "assignee", "timestamp"] {
            let mut part = whole.clone();
            part.as_object_mut().expect("object").remove(key);
            assert!(Agreement::read(part).is_err(), "{key}");
        }
        let mut vague = whole;
        vague["timestamp"] = json!("yesterday");
        assert!(Agreement::read(vague).is_err());
    }
}
