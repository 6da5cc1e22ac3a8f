//! The catalogue filter that Eclipse EDC sends: one `QuerySpec`, even when nobody asked for anything.
//!
//! DSP leaves filters to providers and has a filter that cannot be honoured refused. Read here: a window
//! (`offset`, `limit`), the order by id, and which ids. Any other condition is an error, since leaving it out would
//! answer another question than the one asked.

use super::read::Object;
use crate::{
    error::{WireError, join},
    limits::{ID_MAX_CHARS, LIST_MAX, NAME_MAX_CHARS},
};
use serde_json::Value;

/// The namespace of EDC's own terms.
const EDC: &str = "https://w3id.org/edc/v0.0.1/ns/";
/// The window's size when it names none: EDC's own default.
const LIMIT: usize = 50;

/// Which part of a catalogue is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuerySpec {
    /// Datasets left out at the beginning.
    pub offset: usize,
    /// Most datasets wanted.
    pub limit: usize,
    /// Only datasets with one of these ids; `None` is all.
    pub ids: Option<Vec<String>>,
}

impl QuerySpec {
    /// Its `@type`.
    pub const TYPE: &'static str = "QuerySpec";

    /// Reads the `filter` of a catalogue request: empty is `None`, one query is that query.
    ///
    /// # Errors
    /// For anything that is not one query, or asks for what no catalogue of ours can do.
    pub fn of_filter(filter: &[Value]) -> Result<Option<Self>, WireError> {
        match filter {
            [] => Ok(None),
            [only] => Self::read(only, join("/filter", 0)).map(Some),
            _ => Err(WireError::new("/filter", "One query at most is understood.")),
        }
    }

    fn read(value: &Value, path: String) -> Result<Self, WireError> {
        let query = Terms(Object::at(value, path)?);
        query.is_a(Self::TYPE)?;
        if let Some(field) = query.opt_text("sortField")?
            && (term(&field) != "id" || query.opt_text("sortOrder")?.is_some_and(|order| order != "ASC"))
        {
            return Err(query.error("sortField", "The catalogue is in the order of the ids, and in no other."));
        }
        let mut ids: Option<Vec<String>> = None;
        let (conditions, at) = query.list("filterExpression");
        if conditions.len() > LIST_MAX {
            return Err(query.error("filterExpression", format!("At most {LIST_MAX} conditions are read.")));
        }
        for (i, condition) in conditions.iter().enumerate() {
            let wanted = ids_of(&Terms(Object::at(condition, join(&at, i))?))?;
            // All conditions must hold.
            ids = Some(ids.map_or_else(|| wanted.clone(), |before| before.into_iter().filter(|id| wanted.contains(id)).collect()));
        }
        Ok(Self { offset: query.number("offset", 0)?, limit: query.number("limit", LIMIT)?, ids })
    }
}

/// The ids that a condition names.
fn ids_of(condition: &Terms<'_>) -> Result<Vec<String>, WireError> {
    let field = condition.opt_text("operandLeft")?.unwrap_or_default();
    let operator = condition.opt_text("operator")?.unwrap_or_default();
    let (values, _) = condition.list("operandRight");
    if term(&field) != "id" || !matches!((operator.as_str(), values.len()), ("=", 1) | ("in", _)) {
        return Err(condition.error("operandLeft", "Only conditions on \"id\" with \"=\" or \"in\" are understood here."));
    }
    let text = |v: &Value| v.as_str().filter(|t| t.len() <= ID_MAX_CHARS).map(str::to_owned);
    let ids: Option<Vec<String>> = values.iter().take(LIST_MAX + 1).map(text).collect();
    ids.filter(|ids| ids.len() <= LIST_MAX)
        .ok_or_else(|| condition.error("operandRight", format!("At most {LIST_MAX} ids, each a text of at most {ID_MAX_CHARS} bytes.")))
}

/// A name without EDC's namespace.
fn term(name: &str) -> &str {
    name.strip_prefix(EDC).or_else(|| name.strip_prefix("edc:")).unwrap_or(name)
}

/// An object whose members are EDC's terms, short or whole: filters are carried through JSON-LD as they were written.
struct Terms<'a>(Object<'a>);

impl<'a> Terms<'a> {
    fn key(name: &str) -> [String; 3] {
        [name.to_owned(), format!("edc:{name}"), format!("{EDC}{name}")]
    }
    fn get(&self, name: &str) -> Option<&'a Value> {
        let value = Self::key(name).iter().find_map(|key| self.0.get(key))?;
        // Expanded: [{"@value": …}].
        let single = value.as_array().filter(|items| items.len() == 1).map_or(value, |items| &items[0]);
        single.get("@value").or(Some(if single.is_object() { single } else { value }))
    }
    fn error(&self, name: &str, words: impl Into<String>) -> WireError {
        self.0.error(name, words)
    }
    fn is_a(&self, name: &str) -> Result<(), WireError> {
        // Expanded, types are lists.
        let found = self.0.get("@type").map(|t| t.as_array().and_then(|items| items.first()).unwrap_or(t));
        match found.and_then(Value::as_str).map(term) {
            Some(found) if found == name => Ok(()),
            _ => Err(self.error("@type", format!("Only a filter of the type \"{name}\" is understood here."))),
        }
    }
    fn opt_text(&self, name: &str) -> Result<Option<String>, WireError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.len() <= NAME_MAX_CHARS => Ok(Some(text.clone())),
            Some(_) => Err(self.error(name, format!("\"{name}\" must be a text of at most {NAME_MAX_CHARS} bytes."))),
        }
    }
    fn number(&self, name: &str, absent: usize) -> Result<usize, WireError> {
        let Some(value) = self.get(name) else { return Ok(absent) };
        value
            .as_u64()
            .and_then(|n| usize::try_from(n).ok())
            .ok_or_else(|| self.error(name, format!("\"{name}\" must be a whole number from 0 on.")))
    }
    /// A list, or a single value in its place; and where it is.
    fn list(&self, name: &str) -> (&'a [Value], String) {
        let items = Self::key(name).iter().find_map(|key| self.0.get(key)).map_or(&[][..], |value| match value {
            Value::Array(items) => items,
            single => std::slice::from_ref(single),
        });
        (items, self.0.path(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::catalog::CatalogRequestMessage;
    use serde_json::json;

    /// As EDC 0.15.1 sends it when a caller of its management API asks for a catalogue and nothing else.
    const PLAIN: &str = r#"{"@type":"CatalogRequestMessage","filter":[{"@type":"QuerySpec","limit":50,"offset":0,"sortOrder":"ASC","filterExpression":[]}],"@context":["https://w3id.org/dspace/2025/1/context.jsonld","https://w3id.org/edc/dspace/v0.0.1"]}"#;
    /// As EDC 0.15.1 sends it for a caller that looks for two assets.
    const BY_IDS: &str = r#"{"@type":"CatalogRequestMessage","filter":[{"@type":"QuerySpec","limit":50,"offset":0,"sortOrder":"ASC","filterExpression":[{"@type":"Criterion","operandLeft":"id","operator":"in","operandRight":["rolls","sheets"]}]}],"@context":["https://w3id.org/dspace/2025/1/context.jsonld","https://w3id.org/edc/dspace/v0.0.1"]}"#;
    /// As EDC 0.15.1 sends it for a caller that names a window, an order and a field in full.
    const SORTED: &str = r#"{"@type":"CatalogRequestMessage","filter":[{"@type":"QuerySpec","limit":10,"offset":5,"sortOrder":"DESC","sortField":"id","filterExpression":[{"@type":"Criterion","operandLeft":"https://w3id.org/edc/v0.0.1/ns/id","operator":"=","operandRight":"rolls"}]}],"@context":["https://w3id.org/dspace/2025/1/context.jsonld","https://w3id.org/edc/dspace/v0.0.1"]}"#;

    fn of(message: &str) -> Result<Option<QuerySpec>, WireError> {
        let message = CatalogRequestMessage::parse(message.as_bytes()).expect("a message");
        QuerySpec::of_filter(&message.filter)
    }

    #[test]
    fn what_edc_sends_is_understood() {
        assert_eq!(of(PLAIN), Ok(Some(QuerySpec { offset: 0, limit: 50, ids: None })));
        let ids = Some(vec!["rolls".to_owned(), "sheets".to_owned()]);
        assert_eq!(of(BY_IDS), Ok(Some(QuerySpec { offset: 0, limit: 50, ids })));
        let other_order = of(SORTED).expect_err("another order");
        assert!(other_order.to_string().contains("order of the ids"), "{other_order}");
        let one = Some(vec!["rolls".to_owned()]);
        assert_eq!(of(&SORTED.replace("DESC", "ASC")), Ok(Some(QuerySpec { offset: 5, limit: 10, ids: one })));
    }

    #[test]
    fn the_spelling_with_the_whole_names_says_the_same() {
        let filter = json!({
            "@type": [format!("{EDC}QuerySpec")],
            format!("{EDC}offset"): [{"@value": 5}],
            format!("{EDC}limit"): [{"@value": 10}],
            format!("{EDC}filterExpression"): [{
                format!("{EDC}operandLeft"): [{"@value": format!("{EDC}id")}],
                format!("{EDC}operator"): [{"@value": "="}],
                format!("{EDC}operandRight"): "rolls",
            }],
        });
        let read = QuerySpec::of_filter(&[filter]);
        assert_eq!(read, Ok(Some(QuerySpec { offset: 5, limit: 10, ids: Some(vec!["rolls".to_owned()]) })));
    }

    #[test]
    fn all_conditions_must_hold() {
        let condition = |operator: &str, right: Value| json!({"operandLeft": "id", "operator": operator, "operandRight": right});
        let query = |conditions: Value| QuerySpec::of_filter(&[json!({"@type": "QuerySpec", "filterExpression": conditions})]);
        let both = query(json!([condition("in", json!(["a", "b"])), condition("=", json!("b"))])).expect("read").expect("a query");
        assert_eq!(both.ids, Some(vec!["b".to_owned()]));
        let none = query(json!([condition("=", json!("a")), condition("=", json!("b"))])).expect("read").expect("a query");
        assert_eq!(none.ids, Some(Vec::new()));
    }

    #[test]
    fn what_cannot_be_done_is_refused_and_not_left_out() {
        let with = |member: &str, value: Value| json!({"@type": "QuerySpec", member: value});
        for (filter, place) in [
            (json!({"@type": "Other"}), "@type"),
            (json!({}), "@type"),
            (json!("QuerySpec"), "filter"),
            (with("offset", json!(-1)), "offset"),
            (with("limit", json!("ten")), "limit"),
            (with("sortField", json!("title")), "sortField"),
            (with("filterExpression", json!([{"operandLeft": "title", "operator": "=", "operandRight": "x"}])), "operandLeft"),
            (with("filterExpression", json!([{"operandLeft": "id", "operator": "like", "operandRight": "x"}])), "operandLeft"),
            (with("filterExpression", json!([{"operandLeft": "id", "operator": "=", "operandRight": 7}])), "operandRight"),
            (with("filterExpression", json!(["x"])), "filterExpression"),
            (
                with("filterExpression", json!([{"operandLeft": "id", "operator": "in", "operandRight": vec!["x"; LIST_MAX + 1]}])),
                "operandRight",
            ),
            (with("filterExpression", json!(vec![json!({}); LIST_MAX + 1])), "filterExpression"),
        ] {
            let error = QuerySpec::of_filter(std::slice::from_ref(&filter)).expect_err(&filter.to_string());
            assert!(error.to_string().contains(place), "{filter}: {error}");
        }
        let two = [json!({"@type": "QuerySpec"}), json!({"@type": "QuerySpec"})];
        assert!(QuerySpec::of_filter(&two).is_err());
        assert_eq!(QuerySpec::of_filter(&[]), Ok(None));
    }
}
