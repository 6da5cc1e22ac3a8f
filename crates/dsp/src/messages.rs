//! The messages of the protocol, one file per family.
//!
//! Each has `parse(&[u8])` and `to_json()`. What is printed is compact JSON with the DSP context only: valid against
//! the official schemas and as JSON-LD. What is parsed may be any spelling that [`crate::normalise`] understands.
//!
//! Every message we send carries an `@id` of its own (`urn:uuid:…`, the field `message_id`), so that the receiver can
//! recognise a redelivery; the schemas allow it everywhere.

pub mod agreement;
pub mod catalog;
pub mod negotiation;
pub mod query;
pub(crate) mod read;
pub mod transfer;
pub mod version;

use crate::{CONTEXT, error::WireError, json, jsonld, limits::Limits};
use serde_json::{Map, Value, json};

/// Bytes to a normalised value.
fn normalised(bytes: &[u8], limits: &Limits) -> Result<Value, WireError> {
    jsonld::normalise_read(json::read(bytes, limits)?)
}

/// Starts a message: context, message id, type.
fn start(message_id: Option<&str>, message_type: &str) -> Map<String, Value> {
    let mut map = Map::new();
    map.insert("@context".to_owned(), json!([CONTEXT]));
    if let Some(id) = message_id {
        map.insert("@id".to_owned(), id.into());
    }
    map.insert("@type".to_owned(), message_type.into());
    map
}

/// Adds a text.
fn put(map: &mut Map<String, Value>, key: &str, text: &str) {
    map.insert(key.to_owned(), text.into());
}

/// Adds a text if there is one.
fn put_some(map: &mut Map<String, Value>, key: &str, text: Option<&str>) {
    if let Some(text) = text {
        put(map, key, text);
    }
}

/// Adds a list unless it is empty: the schemas want at least one entry wherever they want a list.
fn put_list(map: &mut Map<String, Value>, key: &str, items: Vec<Value>) {
    if !items.is_empty() {
        map.insert(key.to_owned(), Value::Array(items));
    }
}

/// Adds `code` and `reason`.
fn put_reasons(map: &mut Map<String, Value>, code: Option<&str>, reasons: &[String]) {
    put_some(map, "code", code);
    put_list(map, "reason", reasons.iter().map(|r| r.as_str().into()).collect());
}

/// A closed set of protocol words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }
        impl $name {
            /// The word on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
            /// The meaning of a word; `None` if the protocol has no such word here.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($text => Some(Self::$variant),)* _ => None }
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
use words;

/// A message of both pids and nothing else.
macro_rules! pids_message {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            /// `@id` of this message.
            pub message_id: Option<String>,
            /// The provider's id of the process.
            pub provider_pid: String,
            /// The consumer's id of the process.
            pub consumer_pid: String,
        }
        impl $name {
            /// Its `@type`.
            pub const TYPE: &'static str = stringify!($name);
            /// Reads the message.
            pub fn parse(bytes: &[u8]) -> Result<Self, $crate::WireError> {
                let value = $crate::messages::normalised(bytes, &$crate::limits::Limits::MESSAGE)?;
                let object = $crate::messages::read::Object::root(&value, Self::TYPE)?;
                Ok(Self { message_id: object.opt_id("@id")?, provider_pid: object.id("providerPid")?, consumer_pid: object.id("consumerPid")? })
            }
            /// Prints the message.
            pub fn to_json(&self) -> serde_json::Value {
                let mut map = $crate::messages::start(self.message_id.as_deref(), Self::TYPE);
                $crate::messages::put(&mut map, "providerPid", &self.provider_pid);
                $crate::messages::put(&mut map, "consumerPid", &self.consumer_pid);
                map.into()
            }
        }
    };
}
use pids_message;

/// A message of both pids, a code and reasons.
macro_rules! reasons_message {
    ($(#[$doc:meta])* $name:ident, $pid:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            /// `@id` of this message.
            pub message_id: Option<String>,
            /// The provider's id of the process.
            pub provider_pid: String,
            /// The consumer's id of the process.
            pub consumer_pid: String,
            /// A code, for programs.
            pub code: Option<String>,
            /// Reasons, for people: at most 20 of 2,000 characters are kept.
            pub reasons: Vec<String>,
        }
        impl $name {
            /// Its `@type`.
            pub const TYPE: &'static str = stringify!($name);
            /// Reads the message.
            pub fn parse(bytes: &[u8]) -> Result<Self, $crate::WireError> {
                let value = $crate::messages::normalised(bytes, &$crate::limits::Limits::MESSAGE)?;
                let object = $crate::messages::read::Object::root(&value, Self::TYPE)?;
                Ok(Self {
                    message_id: object.opt_id("@id")?,
                    provider_pid: object.$pid("providerPid")?,
                    consumer_pid: object.$pid("consumerPid")?,
                    code: object.opt_code()?,
                    reasons: object.reasons()?,
                })
            }
            /// Prints the message.
            pub fn to_json(&self) -> serde_json::Value {
                let mut map = $crate::messages::start(self.message_id.as_deref(), Self::TYPE);
                $crate::messages::put(&mut map, "providerPid", &self.provider_pid);
                $crate::messages::put(&mut map, "consumerPid", &self.consumer_pid);
                $crate::messages::put_reasons(&mut map, self.code.as_deref(), &self.reasons);
                map.into()
            }
        }
    };
}
use reasons_message;

/// An acknowledgement: both pids and a state.
macro_rules! state_message {
    ($(#[$doc:meta])* $name:ident, $state:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            /// `@id` of this message.
            pub message_id: Option<String>,
            /// The provider's id of the process.
            pub provider_pid: String,
            /// The consumer's id of the process.
            pub consumer_pid: String,
            /// Where it stands.
            pub state: $state,
        }
        impl $name {
            /// Its `@type`.
            pub const TYPE: &'static str = stringify!($name);
            /// Reads the message.
            pub fn parse(bytes: &[u8]) -> Result<Self, $crate::WireError> {
                let value = $crate::messages::normalised(bytes, &$crate::limits::Limits::MESSAGE)?;
                let object = $crate::messages::read::Object::root(&value, Self::TYPE)?;
                Ok(Self {
                    message_id: object.opt_id("@id")?,
                    provider_pid: object.id("providerPid")?,
                    consumer_pid: object.id("consumerPid")?,
                    state: object.word("state", $state::from_word)?,
                })
            }
            /// Prints the message.
            pub fn to_json(&self) -> serde_json::Value {
                let mut map = $crate::messages::start(self.message_id.as_deref(), Self::TYPE);
                $crate::messages::put(&mut map, "providerPid", &self.provider_pid);
                $crate::messages::put(&mut map, "consumerPid", &self.consumer_pid);
                $crate::messages::put(&mut map, "state", self.state.as_str());
                map.into()
            }
        }
    };
}
use state_message;
