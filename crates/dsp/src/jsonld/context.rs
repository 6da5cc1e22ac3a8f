//! `@context`: remote contexts known by name, inline ones read, everything that would redefine the protocol's terms
//! refused. Nothing is fetched.

use super::terms;
use crate::{
    CONTEXT,
    error::{WireError, clip, join},
    limits::CONTEXT_TERMS_MAX,
};
use serde_json::{Map, Value};
use std::{borrow::Cow, collections::HashMap};

/// The ODRL profile that the DSP context imports.
const ODRL_PROFILE: &str = "https://w3id.org/dspace/2025/1/odrl-profile.jsonld";
/// W3C's ODRL context: the same names for what DSP uses of ODRL.
const ODRL_W3C: &str = "http://www.w3.org/ns/odrl.jsonld";
/// Contexts of others that add vocabulary we do not read. Their terms stay what they are: names nobody here knows.
const IGNORABLE: &[&str] = &[
    "https://w3id.org/edc/dspace/v0.0.1",
    "https://w3id.org/edc/connector/management/v0.0.1",
    "https://w3id.org/edc/connector/management/v2",
    "https://w3id.org/tractusx/edc/v0.0.1",
    "https://w3id.org/tractusx/policy/v1.0.0",
    "https://w3id.org/tractusx/auth/v1.0.0",
    "https://www.w3.org/ns/did/v1",
];
/// Longest chain of terms defined by terms; more is a riddle.
const CHAIN_MAX: usize = 4;

/// What a context says of a name.
enum Definition {
    /// It stands for an IRI.
    Iri(String),
    /// It stands for a keyword.
    Keyword(String),
    /// It stands for nothing: `"name": null`.
    Nothing,
}

/// What names mean at a place of the document.
#[derive(Default)]
pub(super) struct Scope<'a> {
    parent: Option<&'a Scope<'a>>,
    dsp: bool,
    odrl: bool,
    /// Whether some keyword has another name.
    aliases: bool,
    vocab: Option<String>,
    names: HashMap<String, Definition>,
}

/// What a member's name means.
#[derive(Debug)]
pub(super) enum Meaning {
    /// A keyword.
    Keyword(String),
    /// A term of ours.
    Term(&'static terms::Term),
    /// Something else, with an IRI.
    Iri(String),
    /// A name without meaning here.
    Plain,
    /// Explicitly without meaning.
    Dropped,
}

/// Whether a context adds nothing to read, or is DSP's: input that names only such ones needs no scope.
pub(super) fn is_known(iri: &str) -> bool {
    matches!(iri, CONTEXT | ODRL_PROFILE | ODRL_W3C) || IGNORABLE.contains(&iri)
}

impl<'a> Scope<'a> {
    /// A scope inside another, as a `@context` extends it.
    pub(super) fn extend(parent: &'a Scope<'a>, context: &Value, path: &str) -> Result<Scope<'a>, WireError> {
        let mut scope = Scope {
            parent: Some(parent),
            dsp: parent.dsp,
            odrl: parent.odrl,
            aliases: parent.aliases,
            vocab: parent.vocab.clone(),
            names: HashMap::new(),
        };
        match context {
            Value::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    scope.add(item, &join(path, i))?;
                }
            }
            one => scope.add(one, path)?,
        }
        Ok(scope)
    }

    fn add(&mut self, context: &Value, path: &str) -> Result<(), WireError> {
        match context {
            Value::String(iri) => match iri.as_str() {
                CONTEXT => (self.dsp, self.odrl) = (true, true),
                ODRL_PROFILE | ODRL_W3C => self.odrl = true,
                known if IGNORABLE.contains(&known) => {}
                unknown => {
                    return Err(WireError::new(
                        path,
                        format!("The context \"{}\" is not known here, and contexts are never fetched; use \"{CONTEXT}\".", clip(unknown)),
                    ));
                }
            },
            Value::Object(map) => self.inline(map, path)?,
            Value::Null => return Err(WireError::new(path, "A context that undoes the ones before it is not accepted.")),
            _ => return Err(WireError::new(path, "A context is an IRI or an object.")),
        }
        Ok(())
    }

    fn inline(&mut self, map: &Map<String, Value>, path: &str) -> Result<(), WireError> {
        if self.names.len() + map.len() > CONTEXT_TERMS_MAX {
            return Err(WireError::new(path, format!("An inline context has at most {CONTEXT_TERMS_MAX} terms.")));
        }
        // Keywords that change nothing for us pass; those that would change what identifiers mean do not.
        for (key, value) in map.iter().filter(|(key, _)| key.starts_with('@')) {
            match (key.as_str(), value) {
                ("@version" | "@protected" | "@propagate" | "@language" | "@direction", _) | ("@base" | "@vocab", Value::Null) => {}
                ("@vocab", Value::String(iri)) if iri.contains(':') => self.vocab = Some(self.resolve(iri, map, 0, path)?),
                _ => return Err(WireError::new(&join(path, key), format!("\"{}\" in a context is not accepted.", clip(key)))),
            }
        }
        for (name, definition) in map.iter().filter(|(key, _)| !key.starts_with('@')) {
            let at = join(path, name);
            let meaning = self.definition(name, definition, map, &at)?;
            Self::protected(name, if let Definition::Iri(iri) = &meaning { Some(iri) } else { None }, &at)?;
            self.aliases |= matches!(meaning, Definition::Keyword(_));
            self.names.insert(name.clone(), meaning);
        }
        Ok(())
    }

    fn definition(&self, name: &str, definition: &Value, map: &Map<String, Value>, path: &str) -> Result<Definition, WireError> {
        let id = match definition {
            Value::Null => return Ok(Definition::Nothing),
            Value::String(id) => id.as_str(),
            Value::Object(parts) => {
                for (key, part) in parts {
                    let fine = match key.as_str() {
                        "@id" => part.is_string() || part.is_null(),
                        "@type" => part.is_string(),
                        "@container" => matches!(part.as_str(), Some("@set" | "@list")),
                        "@protected" | "@prefix" | "@language" | "@direction" => true,
                        _ => false,
                    };
                    if !fine {
                        return Err(WireError::new(
                            &join(path, key),
                            format!("This \"{}\" of a term definition is not accepted.", clip(key)),
                        ));
                    }
                }
                match parts.get("@id") {
                    Some(Value::String(id)) => id.as_str(),
                    Some(_) => return Ok(Definition::Nothing),
                    None => name,
                }
            }
            _ => return Err(WireError::new(path, "A term definition is a text or an object.")),
        };
        let iri = self.resolve(id, map, 0, path)?;
        Ok(if iri.starts_with('@') { Definition::Keyword(iri) } else { Definition::Iri(iri) })
    }

    /// A keyword, an absolute IRI, a prefixed name, or another term, as an IRI.
    fn resolve(&self, id: &str, map: &Map<String, Value>, chain: usize, path: &str) -> Result<String, WireError> {
        let wrong = || WireError::new(path, format!("\"{}\" is not an IRI, a prefixed name or a term.", clip(id)));
        if chain > CHAIN_MAX {
            return Err(wrong());
        }
        if matches!(id, "@id" | "@type" | "@value" | "@language") {
            return Ok(id.to_owned());
        }
        if id.is_empty() || id.starts_with('@') {
            return Err(wrong());
        }
        let Some((prefix, local)) = id.split_once(':') else {
            if let Some(term) = terms::by_name(id, None).filter(|t| self.active(t)) {
                return Ok(term.iri());
            }
            return match (terms::class_space(id), &self.vocab) {
                (Some(space), _) if self.odrl => Ok(format!("{space}{id}")),
                (_, Some(vocab)) => Ok(format!("{vocab}{id}")),
                _ => Err(wrong()),
            };
        };
        if local.starts_with("//") {
            return Ok(id.to_owned());
        }
        // A prefix defined by this very context, before or after.
        let own = map.get(prefix).map(|d| d.get("@id").unwrap_or(d));
        if let Some(Value::String(space)) = own
            && space != id
        {
            return Ok(format!("{}{local}", self.resolve(space, map, chain + 1, path)?));
        }
        Ok(self.absolute(id).into_owned())
    }

    /// The protocol's terms and prefixes are protected: a context may repeat them, not change them.
    fn protected(name: &str, iri: Option<&str>, path: &str) -> Result<(), WireError> {
        let same = |space: &str, local: &str| iri.and_then(|i| i.strip_prefix(space)) == Some(local);
        let term = terms::by_name(name, None);
        let conflict = match (term, terms::class_space(name), terms::prefix(name)) {
            (Some(_), _, _) if name == "dataset" => !terms::is_dataset(iri),
            (Some(term), _, _) => !same(term.space, term.local),
            (_, Some(space), _) => !same(space, name),
            (_, _, Some(space)) => !same(space, ""),
            _ => false,
        };
        if conflict {
            return Err(WireError::new(
                path,
                format!("The context changes the meaning of \"{}\", which the Dataspace Protocol defines.", clip(name)),
            ));
        }
        Ok(())
    }

    fn active(&self, term: &terms::Term) -> bool {
        self.dsp || (self.odrl && term.is_odrl())
    }

    fn lookup(&self, name: &str) -> Option<&Definition> {
        let mut scope = Some(self);
        while let Some(s) = scope {
            if let Some(found) = s.names.get(name) {
                return Some(found);
            }
            scope = s.parent;
        }
        None
    }

    /// The keyword that a name stands for.
    pub(super) fn keyword(&self, name: &str) -> Option<&str> {
        if !self.aliases {
            return None;
        }
        match self.lookup(name) {
            Some(Definition::Keyword(keyword)) => Some(keyword),
            _ => None,
        }
    }

    /// A prefixed name as an IRI; anything else as it is.
    pub(super) fn absolute<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let Some((prefix, local)) = text.split_once(':') else { return Cow::Borrowed(text) };
        if local.starts_with("//") {
            return Cow::Borrowed(text);
        }
        let space = match self.lookup(prefix) {
            None => terms::prefix(prefix),
            Some(Definition::Iri(space)) => Some(space.as_str()),
            Some(_) => None,
        };
        space.map_or(Cow::Borrowed(text), |space| Cow::Owned(format!("{space}{local}")))
    }

    /// As [`Self::absolute`], but only for prefixes that the document itself defines: identifiers such as
    /// `odrl:1` are texts to a plain JSON reader.
    pub(super) fn absolute_id<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match text.split_once(':') {
            Some((prefix, _)) if terms::prefix(prefix).is_none() => self.absolute(text),
            _ => Cow::Borrowed(text),
        }
    }

    /// What a member's name means, in an object of a type.
    pub(super) fn meaning(&self, name: &str, within: Option<&str>, path: &str) -> Result<Meaning, WireError> {
        if name.starts_with('@') {
            return Ok(Meaning::Keyword(name.to_owned()));
        }
        let iri = match self.lookup(name) {
            Some(Definition::Nothing) => return Ok(Meaning::Dropped),
            Some(Definition::Keyword(keyword)) => return Ok(Meaning::Keyword(keyword.clone())),
            Some(Definition::Iri(iri)) => iri.clone(),
            None => match terms::by_name(name, within) {
                Some(term) if self.active(term) || name.contains(':') => return Ok(Meaning::Term(term)),
                known => {
                    if name.contains(':') {
                        self.absolute(name).into_owned()
                    } else if let Some(vocab) = &self.vocab {
                        format!("{vocab}{name}")
                    } else if known.is_some() {
                        return Err(undefined(name, path));
                    } else {
                        return Ok(Meaning::Plain);
                    }
                }
            },
        };
        Ok(terms::by_iri(&iri, within).map_or(Meaning::Iri(iri), Meaning::Term))
    }

    /// The compact name of a class, or its IRI, or the name as it is.
    pub(super) fn class<'t>(&self, name: &'t str, path: &str) -> Result<Cow<'t, str>, WireError> {
        let iri = match self.lookup(name) {
            Some(Definition::Iri(iri)) => Cow::Owned(iri.clone()),
            _ if name.contains(':') => self.absolute(name),
            _ => match (terms::class_space(name), &self.vocab) {
                (Some(space), _) if self.dsp || (self.odrl && space == terms::ODRL) => return Ok(Cow::Borrowed(name)),
                (_, Some(vocab)) => Cow::Owned(format!("{vocab}{name}")),
                (Some(_), None) => return Err(undefined(name, path)),
                (None, None) => Cow::Borrowed(name),
            },
        };
        Ok(terms::class_by_iri(&iri).map_or(iri, Cow::Borrowed))
    }

    /// A word of a vocabulary: short inside `space`, else as an IRI or as it is.
    pub(super) fn word(&self, text: &str, space: &str, identifier: bool) -> String {
        let iri = match self.lookup(text) {
            Some(Definition::Iri(iri)) if !identifier => Cow::Owned(iri.clone()),
            _ if text.contains(':') => self.absolute(text),
            _ => match &self.vocab {
                Some(vocab) if !identifier && !self.odrl => Cow::Owned(format!("{vocab}{text}")),
                _ => Cow::Borrowed(text),
            },
        };
        match iri.strip_prefix(space) {
            Some(local) if !local.is_empty() && !local.contains([':', '/', '#']) && !local.starts_with('@') => local.to_owned(),
            _ => iri.into_owned(),
        }
    }
}

fn undefined(name: &str, path: &str) -> WireError {
    WireError::new(path, format!("\"{}\" is not defined by the document's \"@context\"; it should name \"{CONTEXT}\".", clip(name)))
}
