//! Reading members of a normalised object, with limits and errors that say where.

use crate::{
    error::{WireError, clip, join},
    limits::{ID_MAX_CHARS, NAME_MAX_CHARS, REASON_MAX_CHARS, REASONS_MAX, URL_MAX_CHARS},
};
use serde_json::{Map, Value};

/// An object and where it is.
pub(crate) struct Object<'a> {
    map: &'a Map<String, Value>,
    path: String,
}

impl<'a> Object<'a> {
    /// The whole document, which must be of a type.
    pub(crate) fn root(value: &'a Value, message_type: &str) -> Result<Self, WireError> {
        let object = Self::at(value, String::new())?;
        object.is_a(message_type)?;
        Ok(object)
    }

    /// Any object.
    pub(crate) fn at(value: &'a Value, path: String) -> Result<Self, WireError> {
        match value.as_object() {
            Some(map) => Ok(Self { map, path }),
            None => Err(WireError::new(&path, "An object is expected here.")),
        }
    }

    /// Refuses another `@type`.
    pub(crate) fn is_a(&self, name: &str) -> Result<(), WireError> {
        match self.map.get("@type").and_then(Value::as_str) {
            Some(found) if found == name => Ok(()),
            Some(found) => Err(self.error("@type", format!("\"{name}\" is expected here, not \"{}\".", clip(found)))),
            None => Err(self.error("@type", format!("\"@type\": \"{name}\" is missing."))),
        }
    }

    /// Where a member is.
    pub(crate) fn path(&self, key: &str) -> String {
        join(&self.path, key)
    }

    /// An error at a member.
    pub(crate) fn error(&self, key: &str, message: impl Into<String>) -> WireError {
        WireError::new(&self.path(key), message)
    }

    /// A member as it is.
    pub(crate) fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|v| !v.is_null())
    }

    /// A member that must be there.
    pub(crate) fn need(&self, key: &str) -> Result<&'a Value, WireError> {
        self.get(key).ok_or_else(|| self.error(key, format!("\"{key}\" is missing.")))
    }

    /// A bounded text, if present.
    pub(crate) fn opt_text(&self, key: &str, max: usize) -> Result<Option<String>, WireError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let text = value.as_str().ok_or_else(|| self.error(key, format!("\"{key}\" must be a text.")))?;
        // Bytes bound characters, so most texts need no counting.
        if text.len() > max && text.chars().count() > max {
            return Err(self.error(key, format!("\"{key}\" has at most {max} characters.")));
        }
        Ok(Some(text.to_owned()))
    }

    /// A bounded text that is not empty.
    pub(crate) fn text(&self, key: &str, max: usize) -> Result<String, WireError> {
        self.need(key)?;
        self.opt_text(key, max)?.filter(|t| !t.is_empty()).ok_or_else(|| self.error(key, format!("\"{key}\" is empty.")))
    }

    /// An identifier: bounded, without control characters or spaces.
    pub(crate) fn id(&self, key: &str) -> Result<String, WireError> {
        let text = self.text(key, ID_MAX_CHARS)?;
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(self.error(key, format!("\"{key}\" is not an identifier: it contains spaces or control characters.")));
        }
        Ok(text)
    }

    /// An identifier, if present.
    pub(crate) fn opt_id(&self, key: &str) -> Result<Option<String>, WireError> {
        if self.get(key).is_some() { self.id(key).map(Some) } else { Ok(None) }
    }

    /// An identifier that errors leave out when they concern no process: empty then.
    pub(crate) fn id_or_empty(&self, key: &str) -> Result<String, WireError> {
        match self.get(key) {
            None => Ok(String::new()),
            Some(Value::String(text)) if text.is_empty() => Ok(String::new()),
            Some(_) => self.id(key),
        }
    }

    /// An absolute http(s) URL without credentials or fragment.
    pub(crate) fn url(&self, key: &str) -> Result<String, WireError> {
        let text = self.text(key, URL_MAX_CHARS)?;
        let ok = url::Url::parse(&text).is_ok_and(|u| {
            matches!(u.scheme(), "http" | "https")
                && u.has_host()
                && u.username().is_empty()
                && u.password().is_none()
                && u.fragment().is_none()
        });
        if ok { Ok(text) } else { Err(self.error(key, format!("\"{key}\" must be an http or https URL without credentials."))) }
    }

    /// A URL, if present.
    pub(crate) fn opt_url(&self, key: &str) -> Result<Option<String>, WireError> {
        if self.get(key).is_some() { self.url(key).map(Some) } else { Ok(None) }
    }

    /// One of a closed set of words.
    pub(crate) fn word<T>(&self, key: &str, read: impl Fn(&str) -> Option<T>) -> Result<T, WireError> {
        let text = self.text(key, ID_MAX_CHARS)?;
        read(&text).ok_or_else(|| self.error(key, format!("\"{}\" is not a value of \"{key}\".", clip(&text))))
    }

    /// `code`. Some write it as a number.
    pub(crate) fn opt_code(&self) -> Result<Option<String>, WireError> {
        match self.get("code") {
            Some(Value::Number(n)) => Ok(Some(n.to_string())),
            _ => self.opt_text("code", NAME_MAX_CHARS),
        }
    }

    /// `reason`: a text, a list of texts, texts with a language, or objects with a `message`. Reasons are for people,
    /// so an odd one is shown as it is instead of losing the termination it explains.
    pub(crate) fn reasons(&self) -> Result<Vec<String>, WireError> {
        let items = match self.get("reason") {
            None => &[],
            Some(Value::Array(items)) => items.as_slice(),
            Some(one) => std::slice::from_ref(one),
        };
        if items.len() > REASONS_MAX {
            return Err(self.error("reason", format!("At most {REASONS_MAX} reasons are read.")));
        }
        Ok(items.iter().filter(|r| !r.is_null()).map(|r| reason(r).chars().take(REASON_MAX_CHARS).collect()).collect())
    }

    /// The objects of a list; a missing list is empty.
    pub(crate) fn list(&self, key: &str) -> Result<&'a [Value], WireError> {
        match self.get(key) {
            None => Ok(&[]),
            Some(Value::Array(items)) => Ok(items),
            Some(_) => Err(self.error(key, format!("\"{key}\" must be a list."))),
        }
    }

    /// The first text found in a descriptive member, under its term or its short name: such members may be missing,
    /// repeated or carry languages, and are not worth losing a dataset for.
    pub(crate) fn description(&self, term: &str, short: &str, max: usize) -> Option<String> {
        let value = self.get(term).or_else(|| self.get(short))?;
        texts(value).next().map(|t| t.chars().take(max).collect())
    }

    /// All texts of a descriptive member.
    pub(crate) fn descriptions(&self, term: &str, short: &str, max: usize) -> Vec<String> {
        let value = self.get(term).or_else(|| self.get(short));
        value.into_iter().flat_map(texts).take(max).map(|t| t.chars().take(NAME_MAX_CHARS).collect()).collect()
    }
}

fn reason(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(map) => ["@value", "message", "reason", "@id"]
            .iter()
            .find_map(|k| map.get(*k).and_then(Value::as_str))
            .map_or_else(|| value.to_string(), str::to_owned),
        other => other.to_string(),
    }
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    let items = match value {
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    items.iter().filter_map(|item| match item {
        Value::String(text) => Some(text.as_str()),
        Value::Object(map) => map.get("@value").or_else(|| map.get("@id")).and_then(Value::as_str),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: &Value) -> Object<'_> {
        Object::at(value, String::new()).expect("object")
    }

    #[test]
    fn reasons_come_in_many_spellings_and_are_bounded() {
        for (value, want) in [
            (json!({}), vec![]),
            (json!({"reason": "no"}), vec!["no"]),
            (json!({"reason": ["a", "b"]}), vec!["a", "b"]),
            (json!({"reason": [{"@value": "nein", "@language": "de"}, {"message": "m"}]}), vec!["nein", "m"]),
            (json!({"reason": [{"x": 1}, 7]}), vec!["{\"x\":1}", "7"]),
        ] {
            assert_eq!(object(&value).reasons().expect("reasons"), want, "{value}");
        }
        let long = json!({"reason": ["x".repeat(REASON_MAX_CHARS + 1)]});
        assert_eq!(object(&long).reasons().expect("cut")[0].len(), REASON_MAX_CHARS);
        assert!(object(&json!({"reason": vec!["x"; REASONS_MAX + 1]})).reasons().is_err());
    }

    #[test]
    fn identifiers_and_urls_are_checked() {
        for bad in
            [json!(5), json!(""), json!("a b"), json!("a\nb"), json!("x".repeat(ID_MAX_CHARS + 1)), json!(null), json!(["a"]), json!({})]
        {
            assert!(object(&json!({"k": bad})).id("k").is_err(), "{bad}");
        }
        assert_eq!(object(&json!({"k": "ü".repeat(ID_MAX_CHARS)})).id("k").map(|t| t.chars().count()), Ok(ID_MAX_CHARS));
        for bad in ["ftp://x", "x", "/a", "http://", "https://u:p@h/", "https://h/#f", "javascript:alert(1)", "http://u@h"] {
            assert!(object(&json!({"k": bad})).url("k").is_err(), "{bad}");
        }
        assert_eq!(object(&json!({"k": "http://localhost:8083/cb"})).url("k").as_deref(), Ok("http://localhost:8083/cb"));
    }
}
