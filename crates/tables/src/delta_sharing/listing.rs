//! Listing answers: shares, schemas, tables (PROTOCOL.md, "List Shares" to "List all tables in a share").
//!
//! Names are compared without letter case. Page tokens name the last item given, so that a listing
//! which changes between two pages loses and repeats nothing that was there all the time.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::SharingError;

/// Items per page when the client names no number: what the reference server gives.
pub const DEFAULT_PAGE: usize = 500;
/// Longest page token looked at: a share, schema and table name of 255 bytes each, encoded.
const MAX_TOKEN_BYTES: usize = 2048;
/// The form of page tokens.
const TOKEN_VERSION: u32 = 1;

/// `{"items": [...], "nextPageToken": ...}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// The page's items.
    pub items: Vec<T>,
    /// Where the next page begins; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
}

/// `{"name", "id"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Share name.
    pub name: String,
    /// Immutable id (UUID).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// `{"share": {...}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetShareResponse {
    /// The share.
    pub share: Share,
}

/// `{"name", "share"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedSchema {
    /// Schema name.
    pub name: String,
    /// Its share.
    pub share: String,
}

/// A table in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedTable {
    /// Table name.
    pub name: String,
    /// Its schema.
    pub schema: String,
    /// Its share.
    pub share: String,
    /// The share's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share_id: Option<String>,
    /// The table's id (UUID).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// A volume: files of any sort, of OpenSharing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedVolume {
    /// Volume name.
    pub name: String,
    /// Its schema.
    pub schema: String,
    /// Its share.
    pub share: String,
    /// The share's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share_id: Option<String>,
    /// The volume's id (UUID).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Where its files are.
    pub storage_location: String,
    /// How they are reached. Of Delta Sharing's tables; OpenSharing's volumes do not have it.
    #[serde(default)]
    pub access_modes: Vec<String>,
}

/// An item with a name to page by.
pub trait Named {
    /// What identifies the item in its listing.
    fn key(&self) -> String;
}

impl Named for Share {
    fn key(&self) -> String {
        self.name.to_lowercase()
    }
}

impl Named for ListedSchema {
    fn key(&self) -> String {
        self.name.to_lowercase()
    }
}

impl Named for ListedTable {
    fn key(&self) -> String {
        // A space sorts before everything a name may hold, so schemas stay together.
        format!("{} {}", self.schema.to_lowercase(), self.name.to_lowercase())
    }
}

impl Named for ListedVolume {
    fn key(&self) -> String {
        format!("{} {}", self.schema.to_lowercase(), self.name.to_lowercase())
    }
}

/// The `maxResults` and `pageToken` query parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paging {
    max_results: Option<usize>,
    after: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    v: u32,
    after: String,
}

impl Paging {
    /// Reads the two parameters as they stand in the query string (decoded). An empty token is none.
    pub fn parse(max_results: Option<&str>, page_token: Option<&str>) -> Result<Self, SharingError> {
        let max_results = match max_results {
            None => None,
            Some(text) => match text.parse::<i32>() {
                Ok(n) => Some(usize::try_from(n).map_err(|_| SharingError::InvalidParameter("maxResults must not be negative".into()))?),
                Err(_) => return Err(SharingError::InvalidParameter("maxResults must be a whole number".into())),
            },
        };
        let after = match page_token {
            None | Some("") => None,
            Some(text) => Some(decode_token(text)?),
        };
        Ok(Self { max_results, after })
    }

    /// Cuts the page out of all items. `maxResults` 0 gives no items and a token, as the protocol says.
    pub fn page<T: Named>(&self, mut items: Vec<T>) -> Page<T> {
        items.sort_by_cached_key(Named::key);
        if let Some(after) = &self.after {
            items.retain(|i| i.key() > *after);
        }
        let size = self.max_results.unwrap_or(DEFAULT_PAGE).min(DEFAULT_PAGE);
        if items.len() <= size {
            return Page { items, next_page_token: None };
        }
        items.truncate(size);
        let after = items.last().map(Named::key).or_else(|| self.after.clone()).unwrap_or_default();
        Page { items, next_page_token: Some(encode_token(after)) }
    }
}

fn encode_token(after: String) -> String {
    let token = serde_json::to_vec(&Token { v: TOKEN_VERSION, after }).expect("a number and a string serialise");
    URL_SAFE_NO_PAD.encode(token)
}

fn decode_token(text: &str) -> Result<String, SharingError> {
    let invalid = || SharingError::InvalidParameter("pageToken is not one of ours; start without it".into());
    if text.len() > MAX_TOKEN_BYTES {
        return Err(invalid());
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| invalid())?;
    let token: Token = serde_json::from_slice(&bytes).map_err(|_| invalid())?;
    if token.v == TOKEN_VERSION { Ok(token.after) } else { Err(invalid()) }
}

/// Whether two names of the protocol are the same.
pub fn same_name(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tables(names: &[String]) -> Vec<ListedTable> {
        names
            .iter()
            .map(|n| ListedTable { name: n.clone(), schema: "default".into(), share: "s".into(), share_id: None, id: Some("i".into()) })
            .collect()
    }

    #[test]
    fn bodies_have_the_protocols_shape() {
        let page = Paging::default().page(tables(&["t".into()]));
        assert_eq!(serde_json::to_string(&page).unwrap(), r#"{"items":[{"name":"t","schema":"default","share":"s","id":"i"}]}"#);
        let share = GetShareResponse { share: Share { name: "a".into(), id: None } };
        assert_eq!(serde_json::to_string(&share).unwrap(), r#"{"share":{"name":"a"}}"#);
    }

    #[test]
    fn wrong_parameters_are_refused() {
        for (max, token) in
            [(Some("-1"), None), (Some("many"), None), (None, Some("!!")), (None, Some("e30")), (None, Some("eyJ2IjoyLCJhZnRlciI6IngifQ"))]
        {
            assert!(Paging::parse(max, token).is_err(), "{max:?} {token:?}");
        }
        let zero = Paging::parse(Some("0"), Some("")).unwrap().page(tables(&["a".into()]));
        assert!(zero.items.is_empty());
        let rest = Paging::parse(None, zero.next_page_token.as_deref()).unwrap().page(tables(&["a".into()]));
        assert_eq!(rest.items.len(), 1);
    }

    proptest! {
        #[test]
        fn pages_hold_every_item_once(
            names in proptest::collection::btree_set("[a-z0-9_]{1,6}", 0..40), size in 1_usize..7,
        ) {
            let names: Vec<String> = names.into_iter().collect();
            let (mut seen, mut token) = (Vec::new(), None::<String>);
            loop {
                let page = Paging::parse(Some(&size.to_string()), token.as_deref()).unwrap().page(tables(&names));
                prop_assert!(page.items.len() <= size);
                seen.extend(page.items.into_iter().map(|t| t.name));
                token = page.next_page_token;
                if token.is_none() { break }
            }
            prop_assert_eq!(seen, names);
        }
    }
}
