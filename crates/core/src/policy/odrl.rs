//! From ODRL JSON to a [`Policy`], refusing what cannot be enforced, and back.
//!
//! The input is the short form that DSP messages carry (`permission`, `constraint`, `leftOperand`…); prefixes
//! (`odrl:use`) are tolerated. Longer JSON-LD forms are normalised by the wire crate before they come here.

use super::{
    CONSTRAINTS_MAX, Comparison, Constraint, NoticePeriod, PERMISSIONS_MAX, Period, Permission, Policy, SetOperator, VALUE_MAX_CHARS,
    VALUES_MAX, compensate,
};
use super::{
    filter::{FILTER_MAX_TESTS, FILTER_MAX_WRITTEN_BYTES, Filter},
    view::{Field, GROUP_SIZES, Mask},
};
use crate::{
    error::{Code, Error, Result},
    price::Price,
    time::Timestamp,
};
use serde_json::{Value, json};

/// Keys of a policy that say nothing about access.
pub(super) const DESCRIPTIVE: &[&str] =
    &["@context", "@id", "@type", "uid", "target", "assigner", "assignee", "timestamp", "profile", "callbackAddress"];

impl Policy {
    /// Reads an ODRL offer or agreement (an object with `permission`).
    ///
    /// # Errors
    /// [`Code::PolicyUnsupported`] naming the constraint this node cannot enforce; [`Code::Invalid`] for a wrong shape.
    pub fn from_odrl(value: &Value) -> Result<Self> {
        let map = value.as_object().ok_or_else(|| Error::invalid("A policy is a JSON object with a \"permission\"."))?;
        let mut permissions = Vec::new();
        let mut prices = Vec::new();
        for (key, value) in map {
            match strip(key) {
                "permission" => {
                    for rule in list(value) {
                        let (permission, price) = permission(rule)?;
                        permissions.push(permission);
                        prices.push(price);
                    }
                }
                "prohibition" | "obligation" => {
                    if !list(value).is_empty() {
                        return Err(unsupported(&format!(
                            "a {} cannot be enforced by this node; express the terms as constraints of a permission",
                            strip(key)
                        )));
                    }
                }
                _ if DESCRIPTIVE.contains(&key.as_str()) || DESCRIPTIVE.contains(&strip(key)) => {}
                _ => return Err(unsupported(&format!("\"{}\" is not a part of a policy this node knows", clip(key)))),
            }
        }
        if permissions.is_empty() {
            return Err(Error::invalid("A policy needs at least one permission; without one nobody may use the product."));
        }
        if permissions.len() > PERMISSIONS_MAX {
            return Err(Error::invalid(format!("A policy has at most {PERMISSIONS_MAX} permissions.")));
        }
        one_notice(&permissions)?;
        let price = prices.first().copied().flatten();
        if prices.iter().any(|other| *other != price) {
            return Err(unsupported("its permissions do not have one and the same price; a flat price is one for the agreement"));
        }
        Ok(Self { permissions, price })
    }

    /// The rules as ODRL JSON (`{"permission": […]}`), the same for equal policies.
    pub fn to_odrl(&self) -> Value {
        let permission: Vec<Value> = self
            .permissions
            .iter()
            .map(|p| {
                let mut rule = json!({"action": "use"});
                if !p.constraints.is_empty() {
                    rule["constraint"] = p.constraints.iter().map(constraint_json).collect();
                }
                if let Some(price) = self.price {
                    rule["duty"] = json!([compensate::to_json(price)]);
                }
                rule
            })
            .collect();
        json!({ "permission": permission })
    }

    /// Whether two ODRL documents state the same terms: equal when both can be read, else equal as JSON without the
    /// keys that only describe.
    pub fn same_terms(a: &Value, b: &Value) -> bool {
        match (Self::from_odrl(a), Self::from_odrl(b)) {
            (Ok(a), Ok(b)) => a == b,
            (Err(_), Err(_)) => bare(a) == bare(b),
            _ => false,
        }
    }
}

/// An agreement ends as a whole: every permission says the same about it, once, or none says anything.
fn one_notice(permissions: &[Permission]) -> Result<()> {
    let notices = |p: &Permission| {
        let of = |c: &Constraint| if let Constraint::NoticePeriod { period } = c { Some(period.clone()) } else { None };
        p.constraints.iter().filter_map(of).collect::<Vec<_>>()
    };
    let mut all = permissions.iter().map(notices);
    let first = all.next().unwrap_or_default();
    if first.len() > 1 || all.any(|other| other != first) {
        return Err(Error::invalid(
            "The constraint \"noticePeriod\" is about the whole agreement: every permission has it once with the same \"rightOperand\", or none has it.",
        ));
    }
    Ok(())
}

/// Two masks of one value, or of a struct and a part of it, would depend on their order.
fn one_mask(permission: &Permission) -> Result<()> {
    let masks = permission.view().masks;
    for (i, mask) in masks.iter().enumerate() {
        if masks[..i].iter().any(|before| before.field.is_within(&mask.field) || mask.field.is_within(&before.field)) {
            return Err(Error::invalid(format!("The column {} has more than one mask; it can have one.", mask.field)));
        }
    }
    Ok(())
}

/// The filters of several constraints are one when rows are looked at, and no larger than one.
fn one_filter(permission: &Permission) -> Result<()> {
    if permission.view().row_filter.is_none_or(|filter| filter.is_within_limits()) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "The row filters of a permission have at most {FILTER_MAX_TESTS} comparisons and {FILTER_MAX_WRITTEN_BYTES} bytes together."
    )))
}

/// The rules of an ODRL document without the keys that describe it.
fn bare(value: &Value) -> Value {
    let mut map = value.as_object().cloned().unwrap_or_default();
    map.retain(|key, _| !DESCRIPTIVE.contains(&key.as_str()));
    Value::Object(map)
}

fn permission(rule: &Value) -> Result<(Permission, Option<Price>)> {
    let map = rule.as_object().ok_or_else(|| Error::invalid("A permission is a JSON object."))?;
    let mut constraints = Vec::new();
    let mut price = None;
    let mut acts = false;
    for (key, value) in map {
        match strip(key) {
            "action" => {
                let action = name_of(value).ok_or_else(|| unsupported("an action must be a single name"))?;
                if strip(action) != "use" {
                    return Err(unsupported(&format!("the action \"{}\" is not known here; \"use\" is", clip(action))));
                }
                acts = true;
            }
            "constraint" => {
                for c in list(value) {
                    constraints.push(constraint(c)?);
                }
            }
            "duty" => price = compensate::price(value)?,
            "@id" | "@type" | "uid" | "target" | "assigner" | "assignee" => {}
            _ => return Err(unsupported(&format!("\"{}\" in a permission is not known here", clip(key)))),
        }
    }
    if !acts {
        return Err(Error::invalid("A permission needs an \"action\": \"use\"."));
    }
    if constraints.len() > CONSTRAINTS_MAX {
        return Err(Error::invalid(format!("A permission has at most {CONSTRAINTS_MAX} constraints.")));
    }
    let permission = Permission { constraints };
    one_mask(&permission)?;
    one_filter(&permission)?;
    Ok((permission, price))
}

/// The operators that a left operand of ours takes.
fn operators(left: &str) -> &'static str {
    match left {
        "dateTime" => "lt, lteq, gt, gteq, eq, neq",
        "elapsedTime" | "count" | "volume" => "lteq, lt",
        "version" | "minGroupSize" => "gteq",
        "fields" => "eq, isAnyOf",
        "mask" => "eq, isAllOf",
        "rowFilter" | "noticePeriod" => "eq",
        _ => "eq, neq, isAnyOf, isNoneOf",
    }
}

pub(super) fn constraint(value: &Value) -> Result<Constraint> {
    let map = value.as_object().ok_or_else(|| Error::invalid("A constraint is a JSON object."))?;
    let get = |name: &str| map.iter().find(|(k, _)| strip(k) == name).map(|(_, v)| v);
    let Some(left) = get("leftOperand").and_then(name_of).map(strip) else {
        let logical = ["and", "or", "xone", "andSequence"].iter().find(|n| get(n).is_some());
        return Err(match logical {
            Some(n) => unsupported(&format!(
                "the logical constraint \"{n}\" is not supported; list the constraints, or use several permissions for \"or\""
            )),
            None => Error::invalid("A constraint needs a \"leftOperand\"."),
        });
    };
    let op = get("operator")
        .and_then(name_of)
        .map(strip)
        .ok_or_else(|| Error::invalid(format!("The constraint \"{}\" needs an \"operator\".", clip(left))))?;
    let right =
        get("rightOperand").ok_or_else(|| Error::invalid(format!("The constraint \"{}\" needs a \"rightOperand\".", clip(left))))?;
    for key in map.keys() {
        if !matches!(strip(key), "@id" | "@type" | "uid" | "leftOperand" | "operator" | "rightOperand" | "dataType") {
            // `unit`, `status`, `rightOperandReference`… would change the meaning: never ignored.
            return Err(unsupported(&format!("\"{}\" in the constraint \"{}\" is not known here", clip(key), clip(left))));
        }
    }
    let wrong_op = || {
        unsupported(&format!(
            "the constraint \"{}\" cannot be checked with the operator \"{}\"; it takes {}",
            clip(left),
            clip(op),
            operators(left)
        ))
    };
    let wrong_value = |want: &str| Error::invalid(format!("The constraint \"{}\" needs {want} as \"rightOperand\".", clip(left)));
    match left {
        "dateTime" => {
            let at = text_of(right)
                .and_then(Timestamp::parse)
                .ok_or_else(|| wrong_value("an instant with offset such as \"2027-01-01T00:00:00Z\""))?;
            Ok(Constraint::DateTime { op: comparison(op).ok_or_else(wrong_op)?, at })
        }
        "elapsedTime" => {
            let limit = text_of(right).and_then(Period::parse).ok_or_else(|| wrong_value("an ISO 8601 duration such as \"P30D\""))?;
            match comparison(op) {
                Some(op @ (Comparison::Lt | Comparison::Lteq)) => Ok(Constraint::ElapsedTime { op, limit }),
                _ => Err(wrong_op()),
            }
        }
        "count" => {
            let n = number_of(right).ok_or_else(|| wrong_value("a whole number"))?;
            match comparison(op) {
                Some(Comparison::Lteq) => Ok(Constraint::Count { limit: n }),
                // "fewer than n" and "at most n-1" are one thing; "fewer than 0" permits nothing, and so does 0.
                Some(Comparison::Lt) => Ok(Constraint::Count { limit: n.saturating_sub(1) }),
                _ => Err(wrong_op()),
            }
        }
        "version" => {
            let n = number_of(right).and_then(|n| u32::try_from(n).ok()).filter(|n| *n >= 1);
            let from = n.ok_or_else(|| wrong_value("a version, a whole number from 1"))?;
            match comparison(op) {
                Some(Comparison::Gteq) => Ok(Constraint::Version { from }),
                _ => Err(wrong_op()),
            }
        }
        "volume" => {
            let n = number_of(right).ok_or_else(|| wrong_value("a whole number of bytes"))?;
            match comparison(op) {
                Some(Comparison::Lteq) => Ok(Constraint::Volume { limit: n }),
                Some(Comparison::Lt) => Ok(Constraint::Volume { limit: n.saturating_sub(1) }),
                _ => Err(wrong_op()),
            }
        }
        "fields" => {
            let texts = several("isAnyOf", op, right, wrong_op, || wrong_value("the names of columns"))?;
            let fields = texts.iter().map(|t| Field::parse(t)).collect::<Result<Vec<_>>>()?;
            if let Some(twice) = fields.iter().enumerate().find(|(i, f)| fields[..*i].contains(f)) {
                return Err(Error::invalid(format!("The constraint \"fields\" names the column {} twice.", twice.1)));
            }
            Ok(Constraint::Fields { fields })
        }
        "rowFilter" => match comparison(op) {
            Some(Comparison::Eq) => {
                let text = text_of(right).ok_or_else(|| wrong_value("a row filter such as \"site = 'Suzhou' AND temperature < 400\""))?;
                Ok(Constraint::RowFilter { filter: Filter::parse(text)? })
            }
            _ => Err(wrong_op()),
        },
        "mask" => {
            let texts = several("isAllOf", op, right, wrong_op, || wrong_value("masks such as \"hash(email)\""))?;
            let masks = texts.iter().map(|t| Mask::parse(t)).collect::<Result<Vec<_>>>()?;
            Ok(Constraint::Mask { masks })
        }
        "minGroupSize" => {
            let rows = number_of(right).and_then(|n| u32::try_from(n).ok()).filter(|n| GROUP_SIZES.contains(n));
            let rows = rows.ok_or_else(|| wrong_value(&format!("a whole number from {} to {}", GROUP_SIZES.start(), GROUP_SIZES.end())))?;
            match comparison(op) {
                Some(Comparison::Gteq) => Ok(Constraint::MinGroupSize { rows }),
                _ => Err(wrong_op()),
            }
        }
        "noticePeriod" => {
            let period = text_of(right)
                .and_then(NoticePeriod::parse)
                .ok_or_else(|| wrong_value("an ISO 8601 duration such as \"P30D\" (\"P0D\" for at once, ten years at most)"))?;
            match comparison(op) {
                Some(Comparison::Eq) => Ok(Constraint::NoticePeriod { period }),
                _ => Err(wrong_op()),
            }
        }
        "recipient" | "spatial" | "purpose" => {
            let op = set_operator(op).ok_or_else(wrong_op)?;
            let values = texts_of(right).ok_or_else(|| wrong_value("a text or a list of texts"))?;
            if values.is_empty() || values.len() > VALUES_MAX || values.iter().any(|v| v.is_empty() || v.len() > VALUE_MAX_CHARS) {
                return Err(wrong_value(&format!("1 to {VALUES_MAX} texts of at most {VALUE_MAX_CHARS} bytes")));
            }
            if matches!(op, SetOperator::Eq | SetOperator::Neq) && values.len() != 1 {
                return Err(wrong_value("one value with this operator (use isAnyOf or isNoneOf for several)"));
            }
            Ok(match left {
                "recipient" => Constraint::Recipient { op, values },
                "purpose" => Constraint::Purpose { op, values },
                _ => {
                    let ok = values.iter().all(|v| v.len() == 2 && v.bytes().all(|b| b.is_ascii_uppercase()));
                    if !ok {
                        return Err(wrong_value("ISO 3166-1 alpha-2 country codes such as \"CN\""));
                    }
                    Constraint::Spatial { op, values }
                }
            })
        }
        other => Err(unsupported(&format!(
            "the constraint \"{}\" cannot be enforced by this node; it knows dateTime, elapsedTime, recipient, count, volume, spatial, purpose, version, noticePeriod, fields, rowFilter, mask and minGroupSize",
            clip(other)
        ))),
    }
}

pub(super) fn constraint_json(c: &Constraint) -> Value {
    let entry = |left: &str, op: Value, right: Value| json!({"leftOperand": left, "operator": op, "rightOperand": right});
    let set = |left: &str, op: &SetOperator, values: &[String]| {
        let right = match op {
            SetOperator::Eq | SetOperator::Neq => json!(values[0]),
            SetOperator::IsAnyOf | SetOperator::IsNoneOf => json!(values),
        };
        entry(left, json!(op), right)
    };
    match c {
        Constraint::DateTime { op, at } => entry("dateTime", json!(op), json!(at)),
        Constraint::ElapsedTime { op, limit } => entry("elapsedTime", json!(op), json!(limit)),
        Constraint::Count { limit } => entry("count", json!("lteq"), json!(limit)),
        Constraint::Recipient { op, values } => set("recipient", op, values),
        Constraint::Spatial { op, values } => set("spatial", op, values),
        Constraint::Purpose { op, values } => set("purpose", op, values),
        Constraint::Volume { limit } => entry("volume", json!("lteq"), json!(limit)),
        Constraint::Fields { fields } => entry("fields", json!("isAnyOf"), json!(fields)),
        Constraint::RowFilter { filter } => entry("rowFilter", json!("eq"), json!(filter)),
        // All of them are done, not one of them.
        Constraint::Mask { masks } => entry("mask", json!("isAllOf"), json!(masks)),
        Constraint::MinGroupSize { rows } => entry("minGroupSize", json!("gteq"), json!(rows)),
        Constraint::Version { from } => entry("version", json!("gteq"), json!(from)),
        Constraint::NoticePeriod { period } => entry("noticePeriod", json!("eq"), json!(period)),
    }
}

pub(super) fn unsupported(what: &str) -> Error {
    Error::new(Code::PolicyUnsupported, format!("The policy is refused: {what}."))
}

/// Foreign text quoted in a message: bounded, without control characters.
pub(super) fn clip(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

pub(super) fn strip(name: &str) -> &str {
    name.strip_prefix("odrl:").or_else(|| name.strip_prefix("http://www.w3.org/ns/odrl/2/")).unwrap_or(name)
}

pub(super) fn list(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        Value::Null => &[],
        one => std::slice::from_ref(one),
    }
}

pub(super) fn name_of(value: &Value) -> Option<&str> {
    match value {
        Value::String(s) => Some(s),
        // Only a bare reference: `{"@id": "use", "refinement": …}` narrows the action, and dropping that would widen it.
        Value::Object(m) if m.len() == 1 => m.get("@id").and_then(Value::as_str),
        Value::Array(items) if items.len() == 1 => name_of(&items[0]),
        _ => None,
    }
}

/// A literal, bare or as a JSON-LD value object.
pub(super) fn literal(value: &Value) -> &Value {
    match value {
        Value::Object(m) => m.get("@value").or_else(|| m.get("@id")).unwrap_or(value),
        Value::Array(items) if items.len() == 1 => literal(&items[0]),
        _ => value,
    }
}

fn text_of(value: &Value) -> Option<&str> {
    literal(value).as_str()
}

fn number_of(value: &Value) -> Option<u64> {
    match literal(value) {
        Value::Number(n) => n.as_u64(),
        Value::String(s) => s.parse().ok(),
        _ => None,
    }
}

/// The texts on the right of an operand: one with `eq`, any number with the operator for several.
fn several(many: &str, op: &str, right: &Value, wrong_op: impl Fn() -> Error, wrong_value: impl Fn() -> Error) -> Result<Vec<String>> {
    let one = op == "eq";
    if !one && op != many {
        return Err(wrong_op());
    }
    let fits = |texts: &Vec<String>| {
        let count = if one { texts.len() == 1 } else { (1..=VALUES_MAX).contains(&texts.len()) };
        count && texts.iter().all(|t| t.len() <= VALUE_MAX_CHARS)
    };
    texts_of(right).filter(fits).ok_or_else(wrong_value)
}

fn texts_of(value: &Value) -> Option<Vec<String>> {
    let inner = match value {
        Value::Object(m) => m.get("@list").or_else(|| m.get("@set")).unwrap_or(value),
        other => other,
    };
    list(inner).iter().map(|v| text_of(v).map(str::to_owned)).collect()
}

fn comparison(op: &str) -> Option<Comparison> {
    serde_json::from_value(json!(op)).ok()
}

fn set_operator(op: &str) -> Option<SetOperator> {
    serde_json::from_value(json!(op)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(constraint: &Value) -> Value {
        json!({"@type": "Offer", "@id": "o1", "permission": [{"action": "use", "constraint": [constraint]}]})
    }

    fn notice(period: &str) -> Value {
        json!({"leftOperand": "noticePeriod", "operator": "eq", "rightOperand": period})
    }

    #[test]
    fn every_spelling_of_no_notice_is_one() {
        let at_once = Policy::from_odrl(&offer(&notice("P0D"))).expect("policy");
        for spelling in ["PT0S", "P0Y", "P0DT0H0M"] {
            let other = Policy::from_odrl(&offer(&notice(spelling))).expect("policy");
            assert_eq!(other, at_once);
            assert_eq!(other.to_odrl()["permission"][0]["constraint"][0], notice("P0D"));
        }
        let period = at_once.notice_period().expect("a notice");
        let said = Timestamp::from_micros(7);
        assert_eq!((period.is_none(), period.ends(said)), (true, Some(said)));
        assert_eq!(Policy::open().notice_period(), None);
        // A month is counted from its own day, as everywhere.
        let month = NoticePeriod::parse("P1M").expect("a period");
        let said = Timestamp::parse("2026-01-31T00:00:00Z").expect("instant");
        assert_eq!(month.ends(said), Timestamp::parse("2026-02-28T00:00:00Z"));
    }

    #[test]
    fn known_constraints_round_trip() {
        for c in [
            json!({"leftOperand": "dateTime", "operator": "lt", "rightOperand": "2027-01-01T00:00:00Z"}),
            json!({"leftOperand": "elapsedTime", "operator": "lteq", "rightOperand": "P30D"}),
            json!({"leftOperand": "count", "operator": "lteq", "rightOperand": 100}),
            json!({"leftOperand": "recipient", "operator": "eq", "rightOperand": "did:web:a.example"}),
            json!({"leftOperand": "spatial", "operator": "isAnyOf", "rightOperand": ["CN", "SG"]}),
            json!({"leftOperand": "purpose", "operator": "isNoneOf", "rightOperand": ["advertising"]}),
            json!({"leftOperand": "noticePeriod", "operator": "eq", "rightOperand": "P30D"}),
            json!({"leftOperand": "noticePeriod", "operator": "eq", "rightOperand": "P0D"}),
        ] {
            let policy = Policy::from_odrl(&offer(&c)).expect("supported");
            assert_eq!(policy.to_odrl()["permission"][0]["constraint"][0], c);
            assert_eq!(Policy::from_odrl(&policy.to_odrl()).expect("again"), policy);
        }
    }

    #[test]
    fn spellings_of_one_policy_are_equal() {
        let short = offer(&json!({"leftOperand": "count", "operator": "lteq", "rightOperand": 9}));
        let long = json!({"@id": "other", "odrl:permission": {"odrl:action": {"@id": "odrl:use"}, "odrl:constraint": {
            "odrl:leftOperand": {"@id": "odrl:count"}, "odrl:operator": {"@id": "odrl:lt"},
            "odrl:rightOperand": {"@value": "10", "@type": "xsd:integer"}}}});
        assert!(Policy::same_terms(&short, &long));
        assert!(!Policy::same_terms(&short, &offer(&json!({"leftOperand": "count", "operator": "lteq", "rightOperand": 10}))));
    }

    #[test]
    fn what_cannot_be_enforced_is_refused_by_name() {
        let cases = [
            (offer(&json!({"leftOperand": "fileFormat", "operator": "eq", "rightOperand": "x"})), "fileFormat"),
            (offer(&json!({"leftOperand": "count", "operator": "gt", "rightOperand": 3})), "gt"),
            (offer(&json!({"leftOperand": "count", "operator": "lteq", "rightOperand": -3})), "count"),
            (offer(&json!({"leftOperand": "count", "operator": "lteq", "rightOperand": 3, "unit": "row"})), "unit"),
            (offer(&json!({"leftOperand": "dateTime", "operator": "lt", "rightOperand": "2027-01-01"})), "dateTime"),
            (offer(&json!({"leftOperand": "elapsedTime", "operator": "lt", "rightOperand": "-P3D"})), "elapsedTime"),
            (offer(&json!({"leftOperand": "spatial", "operator": "eq", "rightOperand": "China"})), "spatial"),
            (offer(&json!({"leftOperand": "noticePeriod", "operator": "lteq", "rightOperand": "P30D"})), "noticePeriod"),
            (offer(&json!({"leftOperand": "noticePeriod", "operator": "eq", "rightOperand": "-P1D"})), "noticePeriod"),
            (offer(&json!({"leftOperand": "noticePeriod", "operator": "eq", "rightOperand": "P11Y"})), "noticePeriod"),
            (offer(&json!({"leftOperand": "noticePeriod", "operator": "eq", "rightOperand": "30 days"})), "noticePeriod"),
            (json!({"permission": [{"action": "use", "constraint": [notice("P1D"), notice("P1D")]}]}), "noticePeriod"),
            (json!({"permission": [{"action": "use", "constraint": [notice("P1D")]}, {"action": "use"}]}), "noticePeriod"),
            (
                json!({"permission": [{"action": "use", "constraint": [notice("P1D")]}, {"action": "use", "constraint": [notice("P2D")]}]}),
                "noticePeriod",
            ),
            (offer(&json!({"and": [{}]})), "and"),
            (json!({"permission": [{"action": "sell"}]}), "sell"),
            (json!({"permission": [{"action": "use", "duty": [{"action": "anonymize"}]}]}), "anonymize"),
            (json!({"permission": [{"action": "use"}], "prohibition": [{"action": "use"}]}), "prohibition"),
            (json!({"permission": [{"action": "use"}], "inheritFrom": "x"}), "inheritFrom"),
            (json!({"permission": [{"action": {"@id": "use", "refinement": [{"leftOperand": "purpose"}]}}]}), "action"),
            (json!({"permission": []}), "permission"),
            (json!({"permission": [{"constraint": []}]}), "action"),
            (json!([]), "object"),
        ];
        for (policy, named) in cases {
            let e = Policy::from_odrl(&policy).expect_err("refused");
            assert!(e.message().contains(named), "{policy}: {e}");
        }
    }

    #[test]
    fn descriptive_keys_do_not_change_terms() {
        let a = json!({"@id": "1", "@type": "Offer", "target": "t", "permission": [{"action": "use"}]});
        let b = json!({"@id": "2", "@type": "Agreement", "assigner": "x", "assignee": "y", "timestamp": "z", "permission": [{"action": "use"}]});
        assert!(Policy::same_terms(&a, &b));
        let unknown_a = json!({"@id": "1", "permission": [{"action": "play"}]});
        let unknown_b = json!({"@id": "2", "permission": [{"action": "play"}]});
        assert!(Policy::same_terms(&unknown_a, &unknown_b));
        assert!(!Policy::same_terms(&unknown_a, &a));
    }
}
