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
            return Ok(Some(plain_keywords(literal, scope, path)?.into_owned()).filter(|v| !v.is_null()));
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
    let item = &*plain_keywords(item, scope, path)?;
    // A text: bare, as a literal, or as an identifier.
    let text = match item {
        Value::String(text) => Some(text.as_str()),
        Value::Object(map) if map.contains_key("@value") => map.get("@value").and_then(Value::as_str),
        Value::Object(map) if map.len() == 1 => map.get("@id").and_then(Value::as_str),
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

/// An object with its keywords under their own names, where the document gave them others.
fn plain_keywords<'v>(value: &'v Value, scope: &Scope<'_>, path: &str) -> Result<Cow<'v, Value>, WireError> {
    let Value::Object(map) = value else { return Ok(Cow::Borrowed(value)) };
    if !map.keys().any(|key| scope.keyword(key).is_some()) {
        return Ok(Cow::Borrowed(value));
    }
    let mut out = Map::new();
    for (key, member) in map {
        let name = scope.keyword(key).unwrap_or(key);
        if out.insert(name.to_owned(), member.clone()).is_some() {
            return Err(twice(name, path));
        }
    }
    Ok(Cow::Owned(Value::Object(out)))
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
    let value = &*plain_keywords(value, scope, path)?;
    match value {
        Value::Null => Ok(None),
        Value::Object(map) if map.contains_key("@value") => literal(map, scope, path),
        Value::Object(map) if map.len() == 1 && (map.contains_key("@set") || map.contains_key("@list")) => {
            match map.get("@set").or_else(|| map.get("@list")) {
                Some(inner @ Value::Array(_)) => any(inner, scope, path),
                Some(one) => any(&json!([one]), scope, path),
                None => Ok(None),
            }
        }
        Value::Object(map) => node(map, scope, path).map(|m| Some(Value::Object(m))),
        Value::Array(items) => {
            let mut out = Vec::with_capacity(items.len());
            for (i, item) in items.iter().enumerate() {
                out.extend(any(item, scope, &join(path, i))?);
            }
            let expanded = matches!(items.as_slice(), [Value::Object(map)] if map.contains_key("@value"))
                || matches!(out.as_slice(), [Value::Object(map)] if map.keys().any(|k| k.starts_with('@')));
            Ok(if expanded && out.len() <= 1 { out.pop() } else { Some(Value::Array(out)) })
        }
        scalar => Ok(Some(scalar.clone())),
    }
}

/// A `@value` object: bare when its type says no more than JSON does.
fn literal(map: &Map<String, Value>, scope: &Scope<'_>, path: &str) -> Result<Option<Value>, WireError> {
    if map.keys().any(|k| !matches!(k.as_str(), "@value" | "@type" | "@language" | "@direction" | "@index")) {
        return Err(WireError::new(path, "A literal has no members besides \"@value\", \"@type\" and \"@language\"."));
    }
    let value = map.get("@value").unwrap_or(&Value::Null);
    let data_type = match map.get("@type") {
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
    if let Some(language) = map.get("@language").and_then(Value::as_str) {
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
