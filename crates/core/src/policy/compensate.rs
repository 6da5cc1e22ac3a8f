//! The price in a policy: the ODRL duty `compensate` with one `payAmount`, flat for the agreement.
//!
//! Other units (`row`, `token`, `second`…) need a meter and a ledger; they are refused by name.

use super::odrl::{clip, list, literal, name_of, strip, unsupported};
use crate::{
    error::{Error, Result},
    price::Price,
};
use serde_json::{Value, json};

/// The one thing that a flat price is for.
const PER: &str = "agreement";

/// The price that the duties of a permission name; `None` where there are none.
pub(super) fn price(duties: &Value) -> Result<Option<Price>> {
    match list(duties) {
        [] => Ok(None),
        [one] => duty(one).map(Some),
        _ => Err(unsupported("a permission has at most one duty, the price; two prices are refused")),
    }
}

fn duty(value: &Value) -> Result<Price> {
    let map = value.as_object().ok_or_else(|| Error::invalid("A duty is a JSON object."))?;
    let action = map.iter().find(|(key, _)| strip(key) == "action").and_then(|(_, v)| name_of(v)).map_or("?", strip);
    if action != "compensate" {
        return Err(unsupported(&format!("the duty \"{}\" cannot be enforced by this node; \"compensate\" can", clip(action))));
    }
    let mut constraints: &[Value] = &[];
    for (key, value) in map {
        match strip(key) {
            "action" | "@id" | "@type" | "uid" | "target" | "assigner" | "assignee" => {}
            "constraint" => constraints = list(value),
            other => return Err(unsupported(&format!("\"{}\" in the duty \"compensate\" is not known here", clip(other)))),
        }
    }
    let [constraint] = constraints else {
        return Err(unsupported("the duty \"compensate\" needs exactly one constraint, its \"payAmount\""));
    };
    pay_amount(constraint)
}

fn pay_amount(constraint: &Value) -> Result<Price> {
    let map = constraint.as_object().ok_or_else(|| Error::invalid("A constraint is a JSON object."))?;
    let get = |name: &str| map.iter().find(|(key, _)| strip(key) == name).map(|(_, v)| v);
    let word = |name: &str| get(name).and_then(|v| literal(v).as_str()).map(strip);
    match word("leftOperand") {
        Some("payAmount") => {}
        other => {
            return Err(unsupported(&format!("\"compensate\" is constrained by \"payAmount\", not \"{}\"", clip(other.unwrap_or("?")))));
        }
    }
    if word("operator") != Some("eq") {
        return Err(unsupported(&format!("\"payAmount\" needs the operator \"eq\", not \"{}\"", clip(word("operator").unwrap_or("?")))));
    }
    for key in map.keys().map(|key| strip(key)) {
        if !matches!(key, "@id" | "@type" | "uid" | "leftOperand" | "operator" | "rightOperand" | "dataType" | "unit" | "per") {
            return Err(unsupported(&format!("\"{}\" in \"payAmount\" is not known here", clip(key))));
        }
    }
    match word("per") {
        Some(PER) => {}
        Some(other) => {
            return Err(unsupported(&format!(
                "a price per \"{}\" cannot be charged by this node yet; \"per\": \"{PER}\", a flat price, can",
                clip(other)
            )));
        }
        None => return Err(unsupported(&format!("\"payAmount\" does not say what it is for; a flat price has \"per\": \"{PER}\""))),
    }
    // A number in JSON is a float to many readers; money is not.
    let amount = word("rightOperand")
        .ok_or_else(|| Error::invalid("\"payAmount\" needs a decimal number as a text as \"rightOperand\", such as \"80.00\"."))?;
    let unit = word("unit").ok_or_else(|| Error::invalid("\"payAmount\" needs a currency of ISO 4217 as \"unit\", such as \"CNY\"."))?;
    Price::parse(amount, unit)
}

/// The duty as ODRL.
pub(super) fn to_json(price: Price) -> Value {
    json!({"action": "compensate", "constraint": [{
        "leftOperand": "payAmount", "operator": "eq", "rightOperand": price.amount(), "unit": price.currency(), "per": PER}]})
}

/// The price that a duty names, if it is one this node knows.
pub(super) fn of_duty(value: &Value) -> Option<Price> {
    duty(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;

    fn pay(amount: &Value, more: &Value) -> Value {
        let mut constraint =
            json!({"leftOperand": "payAmount", "operator": "eq", "rightOperand": amount, "unit": "CNY", "per": "agreement"});
        for (key, value) in more.as_object().expect("object") {
            constraint[key] = value.clone();
        }
        json!({"action": "compensate", "constraint": [constraint]})
    }

    fn policy(duty: &Value) -> Result<Policy> {
        Policy::from_odrl(&json!({"permission": [{"action": "use", "duty": duty}]}))
    }

    #[test]
    fn a_flat_price_round_trips_in_one_spelling() {
        let read = policy(&json!([pay(&json!("80"), &json!({}))])).expect("policy");
        assert_eq!(read.price.map(|p| p.to_string()).as_deref(), Some("80.00 CNY"));
        assert_eq!(read.to_odrl()["permission"][0]["duty"], json!([pay(&json!("80.00"), &json!({}))]));
        assert_eq!(Policy::from_odrl(&read.to_odrl()).as_ref(), Ok(&read));
        let long = json!({"odrl:action": {"@id": "odrl:compensate"}, "odrl:constraint": {"odrl:leftOperand": {"@id": "odrl:payAmount"},
            "odrl:operator": {"@id": "odrl:eq"}, "odrl:rightOperand": {"@value": "80.0", "@type": "xsd:decimal"}, "odrl:unit": "CNY",
            "per": "agreement"}});
        assert_eq!(policy(&long).as_ref(), Ok(&read));
    }

    #[test]
    fn what_cannot_be_charged_is_refused_by_name() {
        let text = json!("80");
        for per in ["row", "byte", "token", "second", "job", "period", "access"] {
            let e = policy(&pay(&text, &json!({"per": per}))).expect_err("refused");
            assert!(e.message().contains(&format!("per \"{per}\"")), "{e}");
            assert_eq!(e.code(), crate::Code::PolicyUnsupported);
        }
        for (duty, named) in [
            (pay(&text, &json!({"per": null})), "what it is for"),
            (pay(&text, &json!({"unit": "RMB"})), "RMB"),
            (pay(&text, &json!({"unit": null})), "unit"),
            (pay(&json!(80), &json!({})), "rightOperand"),
            (pay(&json!(0.002), &json!({})), "rightOperand"),
            (pay(&json!("0.002"), &json!({})), "decimals"),
            (pay(&json!("0"), &json!({})), "nothing"),
            (pay(&text, &json!({"operator": "lteq"})), "lteq"),
            (pay(&text, &json!({"leftOperand": "count"})), "count"),
            (pay(&text, &json!({"status": "paid"})), "status"),
            (json!({"action": "attribute"}), "attribute"),
            (json!({"action": "compensate"}), "payAmount"),
            (json!({"action": "compensate", "consequence": []}), "consequence"),
            (json!([pay(&text, &json!({})), pay(&text, &json!({}))]), "two prices"),
            (json!([pay(&text, &json!({})), {"action": "attribute"}]), "two prices"),
            (json!("compensate"), "object"),
        ] {
            let e = policy(&duty).expect_err("refused");
            assert!(e.message().contains(named), "{duty}: {e}");
        }
    }

    #[test]
    fn there_is_one_price_for_the_agreement() {
        let way = |amount: Option<&str>| {
            let duty: Vec<Value> = amount.map(|a| pay(&json!(a), &json!({}))).into_iter().collect();
            json!({"action": "use", "duty": duty})
        };
        let of = |ways: &[Option<&str>]| Policy::from_odrl(&json!({"permission": ways.iter().map(|w| way(*w)).collect::<Vec<_>>()}));
        assert!(of(&[Some("80"), Some("80.00")]).is_ok());
        for different in [[Some("80"), Some("70")], [Some("80"), None], [None, Some("80")]] {
            assert!(of(&different).expect_err("refused").message().contains("price"), "{different:?}");
        }
    }
}
