//! Catalogue messages
//! ([DSP 2025-1, 5](https://eclipse-dataspace-protocol-base.github.io/DataspaceProtocol/2025-1-err1/#catalog-protocol)).
//!
//! What describes a dataset to people goes in DCAT and Dublin Core terms under the prefixes that the DSP context
//! defines (`dct:title`, `dcat:keyword`…): the schemas want `@context` to be a list of texts, so there is no inline
//! context. What describes it to programs (the columns of a table) is one JSON literal under [`EXTENSION`]: JSON-LD
//! processors carry it through untouched, plain-JSON readers find it under `@value`.
//!
//! A foreign catalogue is read entry by entry: what cannot be read is left out and listed in [`Catalog::skipped`], so
//! that one odd offer does not hide a whole peer.

use super::{normalised, put, put_list, put_reasons, put_some, read::Object, start};
use crate::{
    error::{WireError, join},
    limits::{
        DESCRIPTION_MAX_CHARS, ID_MAX_CHARS, KEYWORDS_MAX, LANGUAGES_MAX, LIST_MAX, Limits, NAME_MAX_CHARS, SKIPPED_MAX, URL_MAX_CHARS,
    },
    odrl,
};
use serde_json::{Map, Value, json};

/// The property of a dataset that holds its machine-readable description, a JSON literal (`@type: @json`).
pub const EXTENSION: &str = "https://w3id.org/fondaco/2026/1/extension";

/// The consumer asks for the catalogue.
#[derive(Clone, Debug, PartialEq)]
pub struct CatalogRequestMessage {
    /// `@id` of this message.
    pub message_id: Option<String>,
    /// Filters, specific to the provider.
    pub filter: Vec<Value>,
}

impl CatalogRequestMessage {
    /// Its `@type`.
    pub const TYPE: &'static str = "CatalogRequestMessage";

    /// Reads the message.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let value = normalised(bytes, &Limits::MESSAGE)?;
        let object = Object::root(&value, Self::TYPE)?;
        let filter = object.list("filter")?;
        if filter.len() > LIST_MAX {
            return Err(object.error("filter", format!("At most {LIST_MAX} filters are read.")));
        }
        Ok(Self { message_id: object.opt_id("@id")?, filter: filter.to_vec() })
    }

    /// Prints the message.
    pub fn to_json(&self) -> Value {
        let mut map = start(self.message_id.as_deref(), Self::TYPE);
        put_list(&mut map, "filter", self.filter.clone());
        map.into()
    }
}

/// The filter that a node of ours understands: `{"query": "torque", "kind": "table"}`. DSP leaves filters to the provider
/// (2025-1, section 6.1.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatalogFilter {
    /// A text that id, title, description or keywords contain, in any case.
    pub query: Option<String>,
    /// The kind of product.
    pub kind: Option<String>,
}

impl CatalogFilter {
    /// Longest value, in characters.
    pub const VALUE_MAX_CHARS: usize = 200;

    /// Reads the filters of a request: none, or one of ours. An empty one asks for everything.
    ///
    /// # Errors
    /// In words, for anything else: an answer that ignores a filter is not what was asked for.
    pub fn read(filters: &[Value]) -> Result<Self, String> {
        const KNOWN: &str = "This catalogue's filter is one object with the members \"query\" (a text) and \"kind\"";
        let mut found = Self::default();
        let [filter] = filters else {
            return if filters.is_empty() { Ok(found) } else { Err(format!("{KNOWN}; {} were sent.", filters.len())) };
        };
        let Value::Object(members) = filter else { return Err(format!("{KNOWN}.")) };
        for (name, value) in members {
            let place = match name.as_str() {
                "query" => &mut found.query,
                "kind" => &mut found.kind,
                _ => return Err(format!("{KNOWN}; it has no \"{}\".", name.chars().take(Self::VALUE_MAX_CHARS).collect::<String>())),
            };
            match value.as_str() {
                Some(text) if text.chars().count() <= Self::VALUE_MAX_CHARS => *place = Some(text.to_owned()),
                _ => return Err(format!("{KNOWN}, of at most {} characters each.", Self::VALUE_MAX_CHARS)),
            }
        }
        Ok(found)
    }

    /// As a request carries it: nothing when everything is asked for.
    pub fn to_filters(&self) -> Vec<Value> {
        let members = [("query", &self.query), ("kind", &self.kind)];
        let members: Map<String, Value> =
            members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.as_deref()?.into()))).collect();
        if members.is_empty() { Vec::new() } else { vec![members.into()] }
    }
}

/// The consumer asks for one dataset. Over HTTP its id is in the path and no message is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetRequestMessage {
    /// `@id` of this message.
    pub message_id: Option<String>,
    /// The dataset.
    pub dataset: String,
}

impl DatasetRequestMessage {
    /// Its `@type`.
    pub const TYPE: &'static str = "DatasetRequestMessage";

    /// Reads the message.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let value = normalised(bytes, &Limits::MESSAGE)?;
        let object = Object::root(&value, Self::TYPE)?;
        Ok(Self { message_id: object.opt_id("@id")?, dataset: object.id("dataset")? })
    }

    /// Prints the message.
    pub fn to_json(&self) -> Value {
        let mut map = start(self.message_id.as_deref(), Self::TYPE);
        put(&mut map, "dataset", &self.dataset);
        map.into()
    }
}

/// What a participant offers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalog {
    /// `@id`.
    pub id: String,
    /// Whose it is. Always there in the catalogue itself; catalogues inside it may leave it out.
    pub participant_id: Option<String>,
    /// A name for people.
    pub title: Option<String>,
    /// What it offers.
    pub datasets: Vec<Dataset>,
    /// Where it is negotiated.
    pub services: Vec<DataService>,
    /// Other catalogues, and how to reach them.
    pub catalogs: Vec<Catalog>,
    /// How to reach this catalogue, when it is inside another.
    pub distributions: Vec<Distribution>,
    /// Entries that could not be read, at most 50; never printed.
    pub skipped: Vec<WireError>,
}

/// One thing on offer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dataset {
    /// `@id`.
    pub id: String,
    /// `dct:title`.
    pub title: Option<String>,
    /// `dct:description`.
    pub description: Option<String>,
    /// `dcat:keyword`.
    pub keywords: Vec<String>,
    /// `dcat:version`.
    pub version: Option<String>,
    /// `dct:issued`, an RFC 3339 instant when we print it.
    pub issued: Option<String>,
    /// `dct:license`: an SPDX expression, or a web address.
    pub license: Option<String>,
    /// `dcat:contactPoint`: a `mailto:` or web address.
    pub contact_point: Option<String>,
    /// `dct:accrualPeriodicity`: an address of the EU's frequency vocabulary when we print it.
    pub accrual_periodicity: Option<String>,
    /// `dct:language`: BCP 47 tags when we print them.
    pub language: Vec<String>,
    /// `hasPolicy`: ODRL offers without `target`. The schemas want at least one.
    pub offers: Vec<Value>,
    /// How it is delivered. The schemas want at least one.
    pub distributions: Vec<Distribution>,
    /// [`EXTENSION`]: its kind, columns, row count…, as JSON.
    pub extension: Option<Value>,
}

/// One way a dataset is delivered.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    /// What a transfer request names.
    pub format: String,
    /// Which service delivers.
    pub access_service: AccessService,
    /// Offers for this distribution only.
    pub offers: Vec<Value>,
}

/// The service of a distribution: by its id, or in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessService {
    /// The `@id` of a service of the catalogue.
    Reference(String),
    /// The service itself.
    Service(DataService),
}

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataService {
    /// `@id`.
    pub id: String,
    /// Its address: the base of the DSP endpoints.
    pub endpoint_url: String,
    /// What it speaks, for example `dspace:connector`.
    pub endpoint_description: Option<String>,
}

/// Why a catalogue request was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatalogError {
    /// `@id` of this message.
    pub message_id: Option<String>,
    /// A code, for programs.
    pub code: Option<String>,
    /// Reasons, for people.
    pub reasons: Vec<String>,
}

impl CatalogError {
    /// Its `@type`.
    pub const TYPE: &'static str = "CatalogError";

    /// Reads the message.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let value = normalised(bytes, &Limits::MESSAGE)?;
        let object = Object::root(&value, Self::TYPE)?;
        Ok(Self { message_id: object.opt_id("@id")?, code: object.opt_code()?, reasons: object.reasons()? })
    }

    /// Prints the message.
    pub fn to_json(&self) -> Value {
        let mut map = start(self.message_id.as_deref(), Self::TYPE);
        put_reasons(&mut map, self.code.as_deref(), &self.reasons);
        map.into()
    }
}

impl Catalog {
    /// Its `@type`.
    pub const TYPE: &'static str = "Catalog";

    /// Reads a catalogue.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let value = normalised(bytes, &Limits::CATALOG)?;
        let object = Object::root(&value, Self::TYPE)?;
        object.need("participantId")?;
        let mut skipped = Vec::new();
        let mut catalog = Self::read(&object, &mut skipped)?;
        catalog.skipped = skipped;
        Ok(catalog)
    }

    /// Prints the catalogue.
    pub fn to_json(&self) -> Value {
        let mut map = start(Some(&self.id), Self::TYPE);
        self.print(&mut map);
        map.into()
    }

    fn read(object: &Object<'_>, skipped: &mut Vec<WireError>) -> Result<Self, WireError> {
        let mut out = Self {
            id: object.id("@id")?,
            participant_id: object.opt_id("participantId")?,
            title: object.description("dct:title", "title", NAME_MAX_CHARS),
            ..Self::default()
        };
        each(object, "dataset", skipped, |item, skipped| {
            out.datasets.push(Dataset::read(&item, skipped)?);
            Ok(())
        })?;
        each(object, "service", skipped, |item, _| {
            out.services.push(DataService::read(&item)?);
            Ok(())
        })?;
        each(object, "catalog", skipped, |item, skipped| {
            item.is_a(Self::TYPE)?;
            out.catalogs.push(Self::read(&item, skipped)?);
            Ok(())
        })?;
        out.distributions = distributions(object, skipped)?;
        Ok(out)
    }

    fn print(&self, map: &mut Map<String, Value>) {
        put_some(map, "participantId", self.participant_id.as_deref());
        put_some(map, "dct:title", self.title.as_deref());
        put_list(map, "service", self.services.iter().map(DataService::to_json).collect());
        put_list(map, "dataset", self.datasets.iter().map(|d| d.print(Map::new())).collect());
        let catalogs = self.catalogs.iter().map(|c| {
            let mut inner = Map::new();
            put(&mut inner, "@id", &c.id);
            put(&mut inner, "@type", Self::TYPE);
            c.print(&mut inner);
            inner.into()
        });
        put_list(map, "catalog", catalogs.collect());
        put_list(map, "distribution", self.distributions.iter().map(Distribution::to_json).collect());
    }
}

impl Dataset {
    /// Its `@type`.
    pub const TYPE: &'static str = "Dataset";

    /// Reads a dataset that was asked for by its id. Offers that cannot be read are left out.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let value = normalised(bytes, &Limits::CATALOG)?;
        Self::read(&Object::root(&value, Self::TYPE)?, &mut Vec::new())
    }

    /// Prints the dataset as a document of its own.
    pub fn to_json(&self) -> Value {
        let mut map = Map::new();
        map.insert("@context".to_owned(), json!([crate::CONTEXT]));
        self.print(map)
    }

    fn read(object: &Object<'_>, skipped: &mut Vec<WireError>) -> Result<Self, WireError> {
        let mut out = Self {
            id: object.id("@id")?,
            title: object.description("dct:title", "title", NAME_MAX_CHARS),
            description: object.description("dct:description", "description", DESCRIPTION_MAX_CHARS),
            keywords: object.descriptions("dcat:keyword", "keyword", KEYWORDS_MAX),
            version: object.description("dcat:version", "version", NAME_MAX_CHARS),
            issued: object.description("dct:issued", "issued", NAME_MAX_CHARS),
            license: object.description("dct:license", "license", NAME_MAX_CHARS).map(|l| license_name(&l)),
            contact_point: object.description("dcat:contactPoint", "contactPoint", NAME_MAX_CHARS),
            accrual_periodicity: object.description("dct:accrualPeriodicity", "accrualPeriodicity", NAME_MAX_CHARS),
            language: object.descriptions("dct:language", "language", LANGUAGES_MAX),
            extension: object.get(EXTENSION).map(json_literal),
            ..Self::default()
        };
        out.offers = offers(object, skipped)?;
        out.distributions = distributions(object, skipped)?;
        Ok(out)
    }

    fn print(&self, mut map: Map<String, Value>) -> Value {
        put(&mut map, "@id", &self.id);
        put(&mut map, "@type", Self::TYPE);
        put_some(&mut map, "dct:title", self.title.as_deref());
        put_some(&mut map, "dct:description", self.description.as_deref());
        put_list(&mut map, "dcat:keyword", self.keywords.iter().map(|k| k.as_str().into()).collect());
        put_some(&mut map, "dcat:version", self.version.as_deref());
        put_some(&mut map, "dct:issued", self.issued.as_deref());
        put_address(&mut map, "dct:license", self.license.as_deref().map(license_address));
        put_address(&mut map, "dcat:contactPoint", self.contact_point.clone());
        put_address(&mut map, "dct:accrualPeriodicity", self.accrual_periodicity.clone());
        put_list(&mut map, "dct:language", self.language.iter().map(|tag| tag.as_str().into()).collect());
        put_list(&mut map, "hasPolicy", self.offers.iter().map(odrl::to_catalog).collect());
        put_list(&mut map, "distribution", self.distributions.iter().map(Distribution::to_json).collect());
        if let Some(extension) = &self.extension {
            map.insert(EXTENSION.to_owned(), json!({"@type": "@json", "@value": extension}));
        }
        map.into()
    }
}

impl Distribution {
    fn read(object: &Object<'_>, skipped: &mut Vec<WireError>) -> Result<Self, WireError> {
        let access_service = match object.need("accessService")? {
            Value::Object(_) => {
                AccessService::Service(DataService::read(&Object::at(object.need("accessService")?, object.path("accessService"))?)?)
            }
            _ => AccessService::Reference(object.id("accessService")?),
        };
        Ok(Self { format: object.text("format", ID_MAX_CHARS)?, access_service, offers: offers(object, skipped)? })
    }

    fn to_json(&self) -> Value {
        let mut map = Map::new();
        put(&mut map, "@type", "Distribution");
        put(&mut map, "format", &self.format);
        let service = match &self.access_service {
            AccessService::Reference(id) => id.as_str().into(),
            AccessService::Service(service) => service.to_json(),
        };
        map.insert("accessService".to_owned(), service);
        put_list(&mut map, "hasPolicy", self.offers.iter().map(odrl::to_catalog).collect());
        map.into()
    }
}

impl DataService {
    fn read(object: &Object<'_>) -> Result<Self, WireError> {
        object.is_a("DataService")?;
        Ok(Self {
            id: object.id("@id")?,
            endpoint_url: object.text("endpointURL", URL_MAX_CHARS)?,
            endpoint_description: object.description("endpointDescription", "endpointDescription", NAME_MAX_CHARS),
        })
    }

    fn to_json(&self) -> Value {
        let mut map = Map::new();
        put(&mut map, "@id", &self.id);
        put(&mut map, "@type", "DataService");
        put(&mut map, "endpointURL", &self.endpoint_url);
        put_some(&mut map, "endpointDescription", self.endpoint_description.as_deref());
        map.into()
    }
}

/// Where SPDX describes a licence: DCAT wants a licence to be a document with an address.
const SPDX: &str = "https://spdx.org/licenses/";

/// The address of a licence that has one: an SPDX identifier's at SPDX, its own of one that is an address. An expression
/// of several stays a text.
fn license_address(license: &str) -> String {
    let is_id = license.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'+'));
    if is_id && !license.is_empty() { format!("{SPDX}{license}") } else { license.to_owned() }
}

/// The reverse: an SPDX address by its identifier, anything else as it is.
fn license_name(license: &str) -> String {
    let known = license.strip_prefix(SPDX).or_else(|| license.strip_prefix("http://spdx.org/licenses/"));
    known.map(|id| id.trim_end_matches('/').trim_end_matches(".html")).filter(|id| !id.is_empty()).unwrap_or(license).to_owned()
}

/// A reference to something that has an address, or a text where it has none.
fn put_address(map: &mut Map<String, Value>, key: &str, value: Option<String>) {
    let Some(value) = value else { return };
    let is_address = ["https://", "http://", "mailto:", "tel:"].iter().any(|scheme| value.starts_with(scheme));
    map.insert(key.to_owned(), if is_address { json!({"@id": value}) } else { value.into() });
}

/// Reads the objects of a list, leaving out those that cannot be read.
fn each<'a>(
    object: &Object<'a>,
    key: &str,
    skipped: &mut Vec<WireError>,
    mut read: impl FnMut(Object<'a>, &mut Vec<WireError>) -> Result<(), WireError>,
) -> Result<(), WireError> {
    let path = object.path(key);
    for (i, item) in object.list(key)?.iter().enumerate() {
        if let Err(error) = Object::at(item, join(&path, i)).and_then(|item| read(item, skipped)) {
            skip(skipped, error);
        }
    }
    Ok(())
}

fn skip(skipped: &mut Vec<WireError>, error: WireError) {
    if skipped.len() < SKIPPED_MAX {
        skipped.push(error);
    }
}

fn distributions(object: &Object<'_>, skipped: &mut Vec<WireError>) -> Result<Vec<Distribution>, WireError> {
    let mut out = Vec::new();
    each(object, "distribution", skipped, |item, skipped| {
        out.push(Distribution::read(&item, skipped)?);
        Ok(())
    })?;
    Ok(out)
}

fn offers(object: &Object<'_>, skipped: &mut Vec<WireError>) -> Result<Vec<Value>, WireError> {
    let path = object.path("hasPolicy");
    let mut out = Vec::new();
    for (i, offer) in object.list("hasPolicy")?.iter().enumerate() {
        match odrl::check_catalog_offer(offer, &join(&path, i)) {
            Ok(()) => out.push(offer.clone()),
            Err(error) => skip(skipped, error),
        }
    }
    Ok(out)
}

fn json_literal(value: &Value) -> Value {
    match value.as_object() {
        Some(map) if map.get("@type").and_then(Value::as_str) == Some("@json") => map.get("@value").cloned().unwrap_or_default(),
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_listing_says_comes_back() {
        let dataset = Dataset {
            id: "d".into(),
            license: Some("CC-BY-4.0".into()),
            contact_point: Some("mailto:data@example.org".into()),
            accrual_periodicity: Some("http://publications.europa.eu/resource/authority/frequency/DAILY".into()),
            language: vec!["en".into(), "zh-CN".into()],
            ..Dataset::default()
        };
        let printed = dataset.to_json();
        assert_eq!(printed["dct:license"], json!({"@id": "https://spdx.org/licenses/CC-BY-4.0"}));
        assert_eq!(printed["dcat:contactPoint"], json!({"@id": "mailto:data@example.org"}));
        assert_eq!(Dataset::parse(printed.to_string().as_bytes()).expect("our own"), dataset);
    }

    #[test]
    fn filters_are_ours_or_refused() {
        let ours = CatalogFilter { query: Some("torque".into()), kind: Some("table".into()) };
        let request = CatalogRequestMessage { message_id: None, filter: ours.to_filters() };
        let sent = CatalogRequestMessage::parse(request.to_json().to_string().as_bytes()).expect("ours");
        assert_eq!(CatalogFilter::read(&sent.filter), Ok(ours));
        assert_eq!(CatalogFilter::read(&[]), Ok(CatalogFilter::default()));
        assert_eq!(CatalogFilter::read(&[json!({})]), Ok(CatalogFilter::default()));
        assert!(CatalogFilter::default().to_filters().is_empty());
        let long = "x".repeat(CatalogFilter::VALUE_MAX_CHARS + 1);
        for bad in [json!("x"), json!({"colour": "red"}), json!({"query": 1}), json!({"query": long})] {
            assert!(CatalogFilter::read(std::slice::from_ref(&bad)).is_err(), "{bad}");
        }
        assert!(CatalogFilter::read(&[json!({}), json!({})]).is_err());
    }

    #[test]
    fn licences_are_named_as_people_know_them() {
        for (written, read) in [
            ("https://spdx.org/licenses/MIT.html", "MIT"),
            ("http://spdx.org/licenses/MIT", "MIT"),
            ("https://spdx.org/licenses/", "https://spdx.org/licenses/"),
            ("https://example.org/terms", "https://example.org/terms"),
            ("MIT OR Apache-2.0", "MIT OR Apache-2.0"),
        ] {
            assert_eq!(license_name(written), read);
        }
        assert_eq!(license_address("MIT OR Apache-2.0"), "MIT OR Apache-2.0");
    }
}
