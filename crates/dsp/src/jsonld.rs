//! JSON-LD normaliser: any spelling of a DSP document to its compact one.
//!
//! DSP messages are meant to be read as plain JSON or as JSON-LD
//! ([DSP 2025-1, 4.1](https://eclipse-dataspace-protocol-base.github.io/DataspaceProtocol/2025-1-err1/#json-ld-context)).
//! Connectors send three spellings: compact (`consumerPid`), prefixed (`dspace:consumerPid`) and expanded (full IRIs,
//! `@id` and `@value` objects in lists), and mixtures with terms of their own. This is not a JSON-LD processor: it knows
//! DSP's terms, reads inline contexts, and refuses what would need more.
//!
//! The result names the DSP context; terms have short names; words of the DSP and ODRL vocabularies are short; single
//! values are single and lists are lists, as the schemas want them. Names that no context defines are kept as they are,
//! for a policy reader to refuse; foreign properties keep their full IRI. A value of the wrong shape is kept too: whoever
//! reads the member refuses it, and says where.

mod context;
mod terms;

use crate::{
    CONTEXT,
    error::{WireError, clip, join},
    json,
    limits::Limits,
};
use context::{Meaning, Scope};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use terms::{Kind, Term};

/// Normalises a document, within the limits of a message.
///
/// # Errors
/// Limits exceeded, an unknown or unacceptable context, keywords that DSP has no use for, two spellings of one member in
/// one object, `@id` or `@type` of the wrong kind.
pub fn normalise(value: &Value) -> Result<Value, WireError> {
    json::check(value, &Limits::MESSAGE)?;
    normalise_read(value.clone())
}

/// Normalises a document whose limits have been checked.
pub(crate) fn normalise_read(value: Value) -> Result<Value, WireError> {
    let mut value = value;
    if let Value::Object(map) = &mut value
        && is_compact(map, true)
    {
        if map.get("@context").is_none_or(|c| *c != json!([CONTEXT])) {
            map.insert("@context".to_owned(), json!([CONTEXT]));
        }
        return Ok(value);
    }
    let outer = Scope::default();
    let Some(root) = single(&value) else {
        return Err(WireError::new("", "A document is one object."));
    };
    let scoped;
    let (map, scope) = match root.get("@graph") {
        None => (root, &outer),
        Some(graph) => {
            if root.keys().any(|k| k != "@context" && k != "@graph") {
                return Err(WireError::new("/@graph", "A \"@graph\" is accepted as the whole document only."));
            }
            scoped = match root.get("@context") {
                Some(context) => Scope::extend(&outer, context, "/@context")?,
                None => Scope::default(),
            };
            let node = single(graph).ok_or_else(|| WireError::new("/@graph", "A \"@graph\" of one object is expected."))?;
            (node, &scoped)
        }
    };
    let mut body = node(map, scope, "")?;
    let mut out = Map::new();
    out.insert("@context".to_owned(), json!([CONTEXT]));
    out.append(&mut body);
    Ok(Value::Object(out))
}

/// An object, or a list of one.
fn single(value: &Value) -> Option<&Map<String, Value>> {
    match value {
        Value::Object(map) => Some(map),
        Value::Array(items) if items.len() == 1 => items[0].as_object(),
        _ => None,
    }
}

/// Whether an object is already what normalising it would give, so that the usual message costs one walk and no copy.
fn is_compact(map: &Map<String, Value>, root: bool) -> bool {
    let class = match map.get("@type") {
        None => None,
        Some(Value::String(class)) if !class.contains(':') => Some(class.as_str()),
        Some(_) => return false,
    };
    map.iter().all(|(key, value)| match key.as_str() {
        "@type" => true,
        "@id" => value.is_string(),
        "@context" => root && context_is_known(value),
        _ => match terms::by_name(key, class) {
            Some(term) => value_is_compact(term.kind, value),
            None => !key.starts_with('@') && !key.contains(':') && !value.is_null(),
        },
    }) && (!root || map.contains_key("@context"))
}

fn context_is_known(value: &Value) -> bool {
    let items = match value {
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    items.iter().all(|c| c.as_str().is_some_and(context::is_known)) && items.iter().any(|c| c == CONTEXT)
}

fn value_is_compact(kind: Kind, value: &Value) -> bool {
    let plain = |v: &Value| v.is_string() || v.is_number() || v.is_boolean();
    let object = |v: &Value| v.as_object().is_some_and(|m| !m.contains_key("@value") && is_compact(m, false));
    match (kind, value) {
        (Kind::Vocab(_), Value::String(text)) => !text.contains(':'),
        (Kind::Text | Kind::Id | Kind::Word | Kind::Ref, Value::String(_)) => true,
        (Kind::Node | Kind::Ref, Value::Object(map)) => map.len() > 1 && object(value),
        (Kind::Nodes, Value::Array(items)) => items.iter().all(object),
        (Kind::Values | Kind::Any, Value::Array(items)) => items.iter().all(plain),
        (Kind::Any, value) => plain(value),
        (Kind::Json, Value::Object(map)) => is_json_literal(map),
        _ => false,
    }
}

fn is_json_literal(map: &Map<String, Value>) -> bool {
    map.len() == 2 && map.contains_key("@value") && map.get("@type").is_some_and(|t| t == "@json")
}

/// An object.
fn node(map: &Map<String, Value>, outer: &Scope<'_>, path: &str) -> Result<Map<String, Value>, WireError> {
    let inner;
    let scope = match map.get("@context") {
        None => outer,
        Some(context) => {
            inner = Scope::extend(outer, context, &join(path, "@context"))?;
            &inner
        }
    };
    let mut out = Map::new();
    // The type first: it decides what `dataset` means.
    let mut class = None;
    for (key, value) in map {
        if key == "@type" || matches!(scope.meaning(key, None, path), Ok(Meaning::Keyword(k)) if k == "@type") {
            if class.is_some() {
                return Err(twice("@type", path));
            }
            class = class_of(value, scope, &join(path, key))?;
        }
    }
    for (key, value) in map {
        let at = join(path, key);
        let (name, value) = match scope.meaning(key, class.as_deref(), &at)? {
            Meaning::Dropped => continue,
            Meaning::Keyword(keyword) => match keyword.as_str() {
                "@context" => continue,
                "@type" => match &class {
                    Some(class) => (Cow::Borrowed("@type"), Value::String(class.clone())),
                    None => continue,
                },
                "@id" => match value {
                    Value::String(id) => (Cow::Borrowed("@id"), Value::String(scope.absolute_id(id).into_owned())),
                    _ => return Err(WireError::new(&at, "\"@id\" must be a text.")),
                },
                other => return Err(WireError::new(&at, format!("\"{}\" is not accepted here.", clip(other)))),
            },
            Meaning::Term(term) => match value_of(term, value, scope, &at)? {
                Some(value) => (Cow::Borrowed(term.name), value),
                None => continue,
            },
            Meaning::Iri(iri) => match any(value, scope, &at)? {
                Some(value) => (Cow::Owned(iri), value),
                None => continue,
            },
            Meaning::Plain if value.is_null() => continue,
            Meaning::Plain => (Cow::Borrowed(key.as_str()), value.clone()),
        };
        if out.contains_key(name.as_ref()) {
            return Err(twice(&name, path));
        }
        out.insert(name.into_owned(), value);
    }
    Ok(out)
}

fn twice(name: &str, path: &str) -> WireError {
    WireError::new(path, format!("\"{}\" appears twice, in two spellings.", clip(name)))
}

/// The one type of an object that DSP knows, or its first.
fn class_of(value: &Value, scope: &Scope<'_>, path: &str) -> Result<Option<String>, WireError> {
    let names = match value {
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut found: Option<String> = None;
    let mut first: Option<String> = None;
    for name in names {
        let Some(name) = name.as_str() else {
            return Err(WireError::new(path, "\"@type\" must be a text."));
        };
        let class = scope.class(name, path)?;
        if terms::class_space(&class).is_some() {
            if found.as_deref().is_some_and(|f| f != class) {
                return Err(WireError::new(path, "An object of two types of the protocol is neither."));
            }
            found = Some(class.into_owned());
        } else if first.is_none() {
            first = Some(class.into_owned());
        }
    }
    Ok(found.or(first))
}

/// The value of a term of ours; `None` when there is none.
fn value_of(term: &Term, value: &Value, scope: &Scope<'_>, path: &str) -> Result<Option<Value>, WireError> {
    match term.kind {
        Kind::Any => return any(value, scope, path),
        Kind::Json => {
            let literal = match value {
                Value::Array(items) if items.len() == 1 => &items[0],
                other => other,
            };
            if let Value::Object(map) = literal {
                let words = Keywords::of(map, scope, path)?;
                if let (Some(value), Some(Value::String(data_type)), false) = (words.value, words.data_type, words.more)
                    && data_type == "@json"
                {
                    return Ok(Some(json!({"@type": "@json", "@value": value})));
                }
            }
            // Not a JSON literal: whatever it is, it is kept as it is.
            return Ok(Some(value.clone()).filter(|v| !v.is_null()));
        }
        _ => {}
    }
    let mut items = Vec::new();
    flatten(value, &mut items);
    let list = matches!(term.kind, Kind::Nodes | Kind::Values);
    let mut out = Vec::with_capacity(items.len());
    for (i, item) in items.into_iter().enumerate() {
        let at = if list { Cow::Owned(join(path, i)) } else { Cow::Borrowed(path) };
        out.extend(one_of_term(term.kind, item, scope, &at)?);
    }
    // More than one where one belongs is kept, for the reader to refuse.
    Ok(if list || out.len() > 1 { Some(Value::Array(out)) } else { out.pop() })
}

fn one_of_term(kind: Kind, item: &Value, scope: &Scope<'_>, path: &str) -> Result<Option<Value>, WireError> {
    // A text: bare, as a literal, or as an identifier.
    let text = match item {
        Value::String(text) => Some(text.as_str()),
        Value::Object(map) => Keywords::of(map, scope, path)?.text(),
        _ => None,
    };
    Ok(match (kind, text) {
        (Kind::Text, Some(text)) => Some(text.into()),
        (Kind::Id | Kind::Ref, Some(text)) => Some(scope.absolute_id(text).into()),
        // A word that is also a class (`Catalog`, the format of a catalogue in a catalogue) expands like one.
        (Kind::Word, Some(text)) => {
            Some(terms::class_by_iri(&scope.absolute(text)).map_or_else(|| scope.absolute_id(text), Cow::Borrowed).into())
        }
        // An `@id` is an identifier even where a word belongs: the document's vocabulary does not apply to it.
        (Kind::Vocab(space), Some(text)) => Some(scope.word(text, space, item.is_object()).into()),
        _ => any(item, scope, path)?,
    })
}

/// The keywords of an object that may be a literal or a reference, whatever names the document gives them.
#[derive(Default)]
struct Keywords<'v> {
    value: Option<&'v Value>,
    id: Option<&'v Value>,
    data_type: Option<&'v Value>,
    language: Option<&'v Value>,
    /// Whether there is anything else besides.
    more: bool,
}

impl<'v> Keywords<'v> {
    fn of(map: &'v Map<String, Value>, scope: &Scope<'_>, path: &str) -> Result<Self, WireError> {
        let mut out = Self::default();
        for (key, value) in map {
            let keyword = scope.keyword(key).unwrap_or(key);
            let slot = match keyword {
                "@value" => &mut out.value,
                "@id" => &mut out.id,
                "@type" => &mut out.data_type,
                "@language" => &mut out.language,
                "@direction" | "@index" => continue,
                _ => {
                    out.more = true;
                    continue;
                }
            };
            if slot.replace(value).is_some() {
                return Err(twice(keyword, path));
            }
        }
        Ok(out)
    }

    /// The text of a literal, or of a reference that says nothing else.
    fn text(&self) -> Option<&'v str> {
        match (self.value, self.id) {
            (Some(value), _) => value.as_str(),
            (None, Some(id)) if !self.more && self.data_type.is_none() => id.as_str(),
            _ => None,
        }
    }
}

/// The items of nested lists and sets.
fn flatten<'v>(value: &'v Value, out: &mut Vec<&'v Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| flatten(item, out)),
        Value::Object(map) if map.len() == 1 => match map.get("@set").or_else(|| map.get("@list")) {
            Some(inner) => flatten(inner, out),
            None => out.push(value),
        },
        Value::Null => {}
        _ => out.push(value),
    }
}

/// Any value: literals bare where nothing is lost, lists of one expanded value as that value.
fn any(value: &Value, scope: &Scope<'_>, path: &str) -> Result<Option<Value>, WireError> {
    match value {
        Value::Null => Ok(None),
        Value::Object(map) => {
            if map.len() == 1
                && let Some(items) = map.get("@set").or_else(|| map.get("@list"))
            {
                return any_list(if let Value::Array(items) = items { items } else { std::slice::from_ref(items) }, scope, path);
            }
            let words = Keywords::of(map, scope, path)?;
            match words.value {
                Some(value) => literal(value, &words, scope, path),
                None => node(map, scope, path).map(|m| Some(Value::Object(m))),
            }
        }
        Value::Array(items) => any_list(items, scope, path),
        scalar => Ok(Some(scalar.clone())),
    }
}

fn any_list(items: &[Value], scope: &Scope<'_>, path: &str) -> Result<Option<Value>, WireError> {
    let mut out = Vec::with_capacity(items.len());
    for (i, item) in items.iter().enumerate() {
        out.extend(any(item, scope, &join(path, i))?);
    }
    let expanded = match (items, out.as_slice()) {
        (_, [Value::Object(map)]) => map.keys().any(|k| k.starts_with('@')),
        ([Value::Object(map)], _) => Keywords::of(map, scope, path)?.value.is_some(),
        _ => false,
    };
    Ok(if expanded { out.pop() } else { Some(Value::Array(out)) })
}

/// A `@value` object: bare when its type says no more than JSON does.
fn literal(value: &Value, words: &Keywords<'_>, scope: &Scope<'_>, path: &str) -> Result<Option<Value>, WireError> {
    if words.more || words.id.is_some() {
        return Err(WireError::new(path, "A literal has no members besides \"@value\", \"@type\" and \"@language\"."));
    }
    let data_type = match words.data_type {
        None | Some(Value::Null) => None,
        Some(Value::String(t)) if t == "@json" => return Ok(Some(json!({"@type": "@json", "@value": value}))),
        Some(Value::String(t)) => Some(scope.absolute(t)),
        Some(_) => return Err(WireError::new(path, "The type of a literal must be a text.")),
    };
    if value.is_null() {
        return Ok(None);
    }
    if value.is_array() || value.is_object() {
        return Err(WireError::new(path, "\"@value\" must be a text, a number or a truth value."));
    }
    if let Some(language) = words.language.and_then(Value::as_str) {
        return Ok(Some(json!({"@value": value, "@language": language})));
    }
    let Some(data_type) = data_type else { return Ok(Some(value.clone())) };
    let local = data_type.strip_prefix(terms::XSD);
    Ok(Some(match (local, value) {
        (Some("string"), Value::String(_))
        | (Some("boolean"), Value::Bool(_))
        | (Some("integer" | "int" | "long" | "nonNegativeInteger" | "decimal" | "double" | "float"), Value::Number(_)) => value.clone(),
        (Some("boolean"), Value::String(text)) if text == "true" || text == "false" => Value::Bool(text == "true"),
        (Some("integer" | "int" | "long" | "nonNegativeInteger"), Value::String(text)) => match text.parse::<i64>() {
            Ok(number) => number.into(),
            Err(_) => json!({"@type": format!("xsd:{}", local.unwrap_or_default()), "@value": value}),
        },
        (Some(local), _) => json!({"@type": format!("xsd:{local}"), "@value": value}),
        (None, _) => json!({"@type": data_type, "@value": value}),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_context(mut value: Value) -> Value {
        value["@context"] = json!([CONTEXT]);
        value
    }

    #[test]
    fn the_usual_message_takes_the_short_way() {
        let compact = |value: &Value| is_compact(value.as_object().expect("object"), true);
        let message = with_context(json!({"@type": "ContractRequestMessage", "@id": "urn:uuid:1", "consumerPid": "urn:c", "offer": {
            "@type": "Offer", "@id": "o", "target": "d", "permission": [{"action": "use", "constraint": [
                {"leftOperand": "spatial", "operator": "isAnyOf", "rightOperand": ["CN"]}]}]}}));
        assert!(compact(&message));
        assert_eq!(normalise(&message).as_ref(), Ok(&message));
        for (pointer, other) in [
            ("/@type", json!("dspace:ContractRequestMessage")),
            ("/@context", json!(["https://evil.example"])),
            ("/@context", json!([])),
            ("/consumerPid", json!({"@id": "c"})),
            ("/offer/permission", json!({"action": "use"})),
            ("/offer/permission/0/action", json!("odrl:use")),
            ("/offer/permission/0/constraint/0/rightOperand", json!(null)),
            ("/offer/permission/0/constraint/0/rightOperand", json!({"@value": 1})),
        ] {
            let mut long = message.clone();
            *long.pointer_mut(pointer).expect("pointer") = other.clone();
            assert!(!compact(&long), "{pointer} {other}");
        }
    }

    #[test]
    fn literals_lose_only_what_json_says_by_itself() {
        for (long, short) in [
            (json!({"@value": "a"}), json!("a")),
            (json!([{"@value": "a"}]), json!("a")),
            (json!(["a"]), json!(["a"])),
            (json!([{"@value": "a"}, {"@value": "b"}]), json!(["a", "b"])),
            (json!({"@list": [{"@value": "a"}]}), json!("a")),
            (json!({"@value": "7", "@type": "xsd:integer"}), json!(7)),
            (json!({"@value": 7, "@type": "http://www.w3.org/2001/XMLSchema#integer"}), json!(7)),
            (
                json!({"@value": "99999999999999999999", "@type": "xsd:integer"}),
                json!({"@type": "xsd:integer", "@value": "99999999999999999999"}),
            ),
            (json!({"@value": "true", "@type": "xsd:boolean"}), json!(true)),
            (json!({"@value": 0.5, "@type": "xsd:double"}), json!(0.5)),
            (json!({"@value": "0.50", "@type": "xsd:decimal"}), json!({"@type": "xsd:decimal", "@value": "0.50"})),
            (json!({"@value": "x", "@type": "xsd:string"}), json!("x")),
            (
                json!({"@value": "2027-01-01T00:00:00Z", "@type": "http://www.w3.org/2001/XMLSchema#dateTime"}),
                json!({"@type": "xsd:dateTime", "@value": "2027-01-01T00:00:00Z"}),
            ),
            (json!({"@value": "nein", "@language": "de"}), json!({"@value": "nein", "@language": "de"})),
            (json!({"@id": "urn:x"}), json!({"@id": "urn:x"})),
        ] {
            let found = normalise(&with_context(json!({"rightOperand": long}))).expect("normalised");
            assert_eq!(found["rightOperand"], short, "{long}");
        }
        for bad in
            [json!({"@value": [1]}), json!({"@value": 1, "@type": 5}), json!({"@value": 1, "x": 2}), json!({"@value": 1, "@id": "x"})]
        {
            assert!(normalise(&with_context(json!({"rightOperand": bad}))).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_without_meaning_stay_and_foreign_properties_keep_their_iri() {
        let found = normalise(&json!({
            "@context": [CONTEXT, {"edc": "https://w3id.org/edc/v0.0.1/ns/", "gone": null}],
            "@type": ["https://w3id.org/edc/v0.0.1/ns/Asset", "dcat:Dataset"],
            "edc:originator": "x", "gone": 1, "unit": "CNY", "nothing": null, "dct:format": {"@id": "HttpData-PULL"},
            "dspace:dataset": "elsewhere"
        }));
        let wanted = json!({
            "@context": [CONTEXT], "@type": "Dataset", "https://w3id.org/edc/v0.0.1/ns/originator": "x", "unit": "CNY",
            "format": "HttpData-PULL", "https://w3id.org/dspace/2025/1/dataset": "elsewhere"
        });
        assert_eq!(found, Ok(wanted));
    }

    #[test]
    fn a_document_is_one_object() {
        for bad in [json!(1), json!([]), json!([1]), json!([{}, {}]), json!({"@graph": []}), json!({"@graph": [{}], "@id": "x"})] {
            assert!(normalise(&bad).is_err(), "{bad}");
        }
        assert_eq!(normalise(&json!([{}])), Ok(json!({"@context": [CONTEXT]})));
    }
}
