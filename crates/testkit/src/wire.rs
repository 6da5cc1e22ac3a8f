//! Protocol messages as a peer would write them, right or wrong: plain JSON, made without the node's own types.

use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};

/// The context of every message.
pub const CONTEXT: &str = "https://w3id.org/dspace/2025/1/context.jsonld";

/// A fresh identifier.
pub fn urn() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("urn:uuid:00000000-0000-4000-8000-{:012x}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A message with its own `@id`.
pub fn message(kind: &str, members: Value) -> Value {
    let mut message = json!({"@context": [CONTEXT], "@type": kind, "@id": urn()});
    let Value::Object(members) = members else { panic!("members are an object") };
    message.as_object_mut().expect("an object").extend(members);
    message
}

/// An offer that permits use under the given constraints.
pub fn offer(id: &str, target: &str, constraints: &[Value]) -> Value {
    let mut permission = json!({"action": "use"});
    if !constraints.is_empty() {
        permission["constraint"] = json!(constraints);
    }
    json!({"@id": id, "@type": "Offer", "target": target, "permission": [permission]})
}

/// A first request.
pub fn first_request(consumer_pid: &str, callback: &str, offer: &Value) -> Value {
    message("ContractRequestMessage", json!({"consumerPid": consumer_pid, "callbackAddress": callback, "offer": offer}))
}
