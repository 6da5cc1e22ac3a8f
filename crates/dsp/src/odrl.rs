//! The shape of ODRL policies in messages and catalogues
//! ([DSP 2025-1, contract-schema](https://w3id.org/dspace/2025/1/negotiation/contract-schema.json)).
//!
//! Inside the node a policy is ODRL in its short form, with numbers as numbers. The schema allows a right operand to be
//! a text, a list or an object, but not a number, so numbers travel as typed literals
//! (`{"@type": "xsd:integer", "@value": 100}`) and the normaliser turns them back: both sides hold the same document
//! and the same digest.

use crate::{
    CONTEXT,
    error::{WireError, clip, join},
    limits::{ID_MAX_CHARS, NAME_MAX_CHARS},
};
use serde_json::{Map, Value, json};

const LOGICAL: &[&str] = &["and", "andSequence", "or", "xone"];
const OPERATORS: &[&str] =
    &["eq", "gt", "gteq", "hasPart", "isA", "isAllOf", "isAnyOf", "isNoneOf", "isPartOf", "lt", "lteq", "neq", "term-lteq"];
/// Members of a policy or rule that hold rules or constraints.
const LISTS: &[&str] = &["permission", "prohibition", "obligation", "duty", "constraint", "and", "andSequence", "or", "xone"];

/// A policy from elsewhere (an offer file) in the short form that messages carry; the DSP context is assumed if it
/// names none. Whoever makes agreements from it first brings it here: what is already short arrives unchanged at the
/// other side, so both compute one digest.
pub fn short_form(policy: &Value) -> Result<Value, WireError> {
    let mut document = policy.clone();
    if let Some(map) = document.as_object_mut()
        && !map.contains_key("@context")
    {
        map.insert("@context".to_owned(), json!([CONTEXT]));
    }
    let mut out = crate::normalise(&document)?;
    if let Some(map) = out.as_object_mut() {
        map.shift_remove("@context");
    }
    Ok(out)
}

/// An offer in a message: `@type`, `@id`, `target`, and at least one permission or prohibition.
pub fn check_message_offer(offer: &Value, path: &str) -> Result<(), WireError> {
    let map = policy(offer, "Offer", path)?;
    id(map, "target", path)
}

/// An offer in a catalogue: as in a message, but without a target, which is the dataset.
pub fn check_catalog_offer(offer: &Value, path: &str) -> Result<(), WireError> {
    let map = policy(offer, "Offer", path)?;
    if map.contains_key("target") {
        return Err(WireError::new(&join(path, "target"), "An offer in a catalogue has no \"target\": it is the dataset."));
    }
    Ok(())
}

/// An agreement: as an offer in a message, with `assigner`, `assignee` and `timestamp`.
pub fn check_agreement(agreement: &Value, path: &str) -> Result<(), WireError> {
    let map = policy(agreement, "Agreement", path)?;
    for key in ["target", "assigner", "assignee"] {
        id(map, key, path)?;
    }
    text(map, "timestamp", path, ID_MAX_CHARS).map(drop)
}

/// A policy as it goes over the wire in a message: numbers and truth values as typed literals.
pub fn to_wire(policy: &Value) -> Value {
    wire(policy)
}

/// A policy as it stands in a catalogue: as on the wire, without a target.
pub fn to_catalog(offer: &Value) -> Value {
    let mut out = wire(offer);
    if let Some(map) = out.as_object_mut() {
        map.shift_remove("target");
    }
    out
}

fn wire(value: &Value) -> Value {
    let Value::Object(map) = value else { return value.clone() };
    let mut out = Map::new();
    for (key, member) in map {
        let member = if LISTS.contains(&key.as_str()) {
            match member {
                Value::Array(items) => items.iter().map(wire).collect(),
                Value::Null => continue,
                one => json!([wire(one)]),
            }
        } else if key == "rightOperand" {
            literal(member)
        } else {
            member.clone()
        };
        out.insert(key.clone(), member);
    }
    Value::Object(out)
}

fn literal(value: &Value) -> Value {
    match value {
        Value::Bool(_) => json!({"@type": "xsd:boolean", "@value": value}),
        Value::Number(n) if n.is_f64() => json!({"@type": "xsd:double", "@value": value}),
        Value::Number(_) => json!({"@type": "xsd:integer", "@value": value}),
        other => other.clone(),
    }
}

fn policy<'a>(value: &'a Value, class: &str, path: &str) -> Result<&'a Map<String, Value>, WireError> {
    let map = object(value, path)?;
    match map.get("@type").and_then(Value::as_str) {
        Some(found) if found == class => {}
        Some(found) => {
            return Err(WireError::new(&join(path, "@type"), format!("\"{class}\" is expected here, not \"{}\".", clip(found))));
        }
        None => return Err(WireError::new(&join(path, "@type"), format!("\"@type\": \"{class}\" is missing."))),
    }
    id(map, "@id", path)?;
    let mut rules_found = false;
    for key in ["permission", "prohibition", "obligation"] {
        let at = join(path, key);
        for (i, rule) in list(map, key, &at)?.iter().enumerate() {
            check_rule(rule, &join(&at, i))?;
            rules_found |= key != "obligation";
        }
    }
    if !rules_found {
        return Err(WireError::new(path, "A policy needs at least one permission or prohibition."));
    }
    Ok(map)
}

fn check_rule(rule: &Value, path: &str) -> Result<(), WireError> {
    let map = object(rule, path)?;
    text(map, "action", path, NAME_MAX_CHARS)?;
    let at = join(path, "constraint");
    for (i, constraint) in list(map, "constraint", &at)?.iter().enumerate() {
        check_constraint(constraint, &join(&at, i))?;
    }
    let at = join(path, "duty");
    for (i, duty) in list(map, "duty", &at)?.iter().enumerate() {
        check_rule(duty, &join(&at, i))?;
    }
    Ok(())
}

fn check_constraint(constraint: &Value, path: &str) -> Result<(), WireError> {
    let map = object(constraint, path)?;
    let mut logical = LOGICAL.iter().filter(|k| map.contains_key(**k));
    if let Some(key) = logical.next() {
        if logical.next().is_some() || map.contains_key("leftOperand") {
            return Err(WireError::new(path, "A constraint is one of and, andSequence, or, xone, or a leftOperand with its operator."));
        }
        let at = join(path, key);
        for (i, inner) in list(map, key, &at)?.iter().enumerate() {
            check_constraint(inner, &join(&at, i))?;
        }
        return Ok(());
    }
    text(map, "leftOperand", path, NAME_MAX_CHARS)?;
    let operator = text(map, "operator", path, NAME_MAX_CHARS)?;
    if !OPERATORS.contains(&operator) {
        return Err(WireError::new(&join(path, "operator"), format!("\"{}\" is not an operator.", clip(operator))));
    }
    match map.get("rightOperand") {
        None | Some(Value::Null) => Err(WireError::new(&join(path, "rightOperand"), "\"rightOperand\" is missing.")),
        Some(_) => Ok(()),
    }
}

fn object<'a>(value: &'a Value, path: &str) -> Result<&'a Map<String, Value>, WireError> {
    value.as_object().ok_or_else(|| WireError::new(path, "An object is expected here."))
}

fn list<'a>(map: &'a Map<String, Value>, key: &str, at: &str) -> Result<&'a [Value], WireError> {
    match map.get(key) {
        None => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => Err(WireError::new(at, format!("\"{key}\" must be a list."))),
    }
}

fn text<'a>(map: &'a Map<String, Value>, key: &str, path: &str, max: usize) -> Result<&'a str, WireError> {
    let at = || join(path, key);
    match map.get(key) {
        None | Some(Value::Null) => Err(WireError::new(&at(), format!("\"{key}\" is missing."))),
        Some(Value::String(text)) if text.is_empty() || text.chars().count() > max => {
            Err(WireError::new(&at(), format!("\"{key}\" must have 1 to {max} characters.")))
        }
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(WireError::new(&at(), format!("\"{key}\" must be a text."))),
    }
}

fn id(map: &Map<String, Value>, key: &str, path: &str) -> Result<(), WireError> {
    let found = text(map, key, path, ID_MAX_CHARS)?;
    if found.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(WireError::new(&join(path, key), format!("\"{key}\" is not an identifier: it contains spaces or control characters.")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer() -> Value {
        json!({"@type": "Offer", "@id": "o", "target": "d", "permission": [{"action": "use", "constraint": [
            {"leftOperand": "count", "operator": "lteq", "rightOperand": 100}]}]})
    }

    #[test]
    fn numbers_travel_as_typed_literals() {
        let wired = to_wire(&offer());
        assert_eq!(wired["permission"][0]["constraint"][0]["rightOperand"], json!({"@type": "xsd:integer", "@value": 100}));
        assert_eq!(to_wire(&wired), wired);
        assert!(to_catalog(&offer()).get("target").is_none());
        assert_eq!(to_wire(&json!({"permission": {"action": "use"}})), json!({"permission": [{"action": "use"}]}));
    }

    #[test]
    fn policies_from_elsewhere_become_short() {
        let long = json!({"@type": "odrl:Offer", "@id": "o", "odrl:target": {"@id": "d"}, "odrl:permission": {"odrl:action": {"@id": "odrl:use"},
            "odrl:constraint": {"odrl:leftOperand": {"@id": "odrl:count"}, "odrl:operator": {"@id": "odrl:lteq"},
                "odrl:rightOperand": {"@type": "xsd:integer", "@value": "100"}}}});
        assert_eq!(short_form(&long).as_ref(), Ok(&offer()));
        assert_eq!(short_form(&offer()).as_ref(), Ok(&offer()));
        assert_eq!(short_form(&to_wire(&offer())).as_ref(), Ok(&offer()));
        assert!(short_form(&json!([])).is_err());
    }

    #[test]
    fn shapes_are_checked() {
        assert_eq!(check_message_offer(&offer(), ""), Ok(()));
        assert!(check_catalog_offer(&offer(), "").is_err());
        let with = |pointer: &str, value: Value| {
            let mut changed = offer();
            *changed.pointer_mut(pointer).expect("pointer") = value;
            changed
        };
        for (pointer, value) in [
            ("", json!("o")),
            ("/@type", json!("Set")),
            ("/@type", json!(["Offer"])),
            ("/@id", json!(7)),
            ("/@id", json!("")),
            ("/target", json!(null)),
            ("/target", json!("x y")),
            ("/permission", json!([])),
            ("/permission", json!({"action": "use"})),
            ("/permission/0", json!("use")),
            ("/permission/0/action", json!({"@id": "use", "http://www.w3.org/ns/odrl/2/refinement": []})),
            ("/permission/0/constraint", json!({})),
            ("/permission/0/constraint/0", json!([])),
            ("/permission/0/constraint/0", json!({})),
            ("/permission/0/constraint/0/operator", json!("like")),
            ("/permission/0/constraint/0/leftOperand", json!(["count"])),
            ("/permission/0/constraint/0/rightOperand", json!(null)),
            ("/permission/0/constraint/0", json!({"and": [], "or": []})),
            ("/permission/0/constraint/0", json!({"and": [{"or": {}}]})),
        ] {
            assert!(check_message_offer(&with(pointer, value.clone()), "").is_err(), "{pointer} {value}");
        }
        let nested = json!({"and": [{"or": [{"leftOperand": "a", "operator": "eq", "rightOperand": "b"}]}]});
        assert_eq!(check_message_offer(&with("/permission/0/constraint/0", nested), ""), Ok(()));
    }

    #[test]
    fn an_agreement_names_its_parties() {
        let mut agreement = offer();
        for (key, value) in
            [("@type", "Agreement"), ("assigner", "did:web:p"), ("assignee", "did:web:c"), ("timestamp", "2026-11-21T00:00:00Z")]
        {
            agreement[key] = json!(value);
        }
        assert_eq!(check_agreement(&agreement, ""), Ok(()));
        for key in ["@id", "@type", "target", "assigner", "assignee", "timestamp", "permission"] {
            let mut part = agreement.clone();
            part.as_object_mut().expect("object").remove(key);
            assert!(check_agreement(&part, "").is_err(), "{key}");
        }
    }
}
