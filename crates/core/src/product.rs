//! Products and offers: what is traded, and under which terms.
//!
//! A product is an **immutable version** of a thing. Publishing again under the same id makes the next version, with
//! offers and agreements of its own; what was agreed about version 1 stays about version 1.

use crate::{
    decision::Rules,
    error::{Error, Result},
    ids::OfferId,
    participant::Slug,
    policy::Policy,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Longest product id: it becomes a table name, a folder name and a path segment.
pub const PRODUCT_ID_MAX_CHARS: usize = 100;
/// Longest title.
pub const TITLE_MAX_CHARS: usize = 300;
/// Longest description.
pub const DESCRIPTION_MAX_CHARS: usize = 20_000;
/// Most keywords.
pub const KEYWORDS_MAX: usize = 50;
/// Most offers of one product version.
pub const OFFERS_MAX: usize = 50;

/// The publisher's name for a thing, stable over its versions: letters, digits, `-`, `_`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ProductId(String);

impl ProductId {
    /// Checks the characters.
    pub fn parse(text: &str) -> Result<Self> {
        let ok = !text.is_empty()
            && text.len() <= PRODUCT_ID_MAX_CHARS
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if ok {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::invalid(format!(
                "A product id has 1 to {PRODUCT_ID_MAX_CHARS} letters, digits, hyphens or underscores, for example \"flights-2013\"."
            )))
        }
    }
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ProductId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ProductId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        Self::parse(&String::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}

/// One version of a product. As a dataset id on the wire: `flights` is version 1, `flights:2` version 2, and so on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProductRef {
    /// The product.
    pub id: ProductId,
    /// The version, from 1.
    pub version: u32,
}

impl ProductRef {
    /// The `@id` of the dataset in catalogues and messages.
    pub fn dataset_id(&self) -> String {
        if self.version == 1 { self.id.to_string() } else { format!("{}:{}", self.id, self.version) }
    }
    /// Reads a dataset id of ours. `None` when it cannot be one.
    pub fn parse_dataset_id(text: &str) -> Option<Self> {
        let (id, version) = match text.split_once(':') {
            None => (text, 1),
            Some((id, v)) => (id, v.parse().ok().filter(|n| *n >= 1 && !v.starts_with(['+', '0']))?),
        };
        Some(Self { id: ProductId::parse(id).ok()?, version })
    }
}

/// What sort of thing it is; each kind adds its description and its delivery to the one deal path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProductKind {
    /// A table, delivered by Delta Sharing.
    Table,
    /// Files, delivered by HTTP.
    Files,
}

impl ProductKind {
    /// Its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Files => "files",
        }
    }
    /// The `format` of the distributions it can be transferred by.
    pub const fn formats(self) -> &'static [&'static str] {
        match self {
            Self::Table => &[FORMAT_DELTA_SHARING],
            Self::Files => &[FORMAT_HTTP_PULL],
        }
    }
    /// Every kind, in the order people are shown them.
    pub const ALL: &'static [Self] = &[Self::Table, Self::Files];
    /// Reads its name.
    ///
    /// # Errors
    /// A message that lists the kinds there are.
    pub fn parse(text: &str) -> Result<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|kind| kind.as_str()).collect();
            Error::invalid(format!("The kind \"{text:.40}\" cannot be published by this node; it knows: {}.", known.join(", ")))
        })
    }
}

/// The transfer format of tables: the consumer pulls with a Delta Sharing client.
pub const FORMAT_DELTA_SHARING: &str = "DeltaSharing-PULL";
/// The transfer format of files: the consumer pulls by HTTP. The name is that of the Eclipse connectors.
pub const FORMAT_HTTP_PULL: &str = "HttpData-PULL";

/// Whether new agreements may be made about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProductState {
    /// In the catalogue.
    Published,
    /// Out of the catalogue; agreements already made go on.
    Withdrawn,
}

/// What a good listing says beside title, description and keywords. All of it may be missing; [`crate::listing`] says
/// what is, and why it matters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Listing {
    /// `dct:license`: an SPDX expression (`CC-BY-4.0`) or a web address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// `dcat:contactPoint`: a mail or web address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_point: Option<String>,
    /// `dct:accrualPeriodicity`: how often it is renewed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accrual_periodicity: Option<Frequency>,
    /// `dct:language`: BCP 47 tags of the languages in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub language: Vec<String>,
}

/// How often a product is renewed: the common ones of the EU's frequency vocabulary, which DCAT-AP asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Frequency {
    /// All the time.
    Continuous,
    /// Every hour.
    Hourly,
    /// Every day.
    Daily,
    /// Every week.
    Weekly,
    /// Every month.
    Monthly,
    /// Every three months.
    Quarterly,
    /// Every year.
    Annual,
    /// Now and then.
    Irregular,
    /// Not at all.
    Never,
}

impl Frequency {
    /// Every frequency, often first.
    pub const ALL: &'static [Self] = &[
        Self::Continuous,
        Self::Hourly,
        Self::Daily,
        Self::Weekly,
        Self::Monthly,
        Self::Quarterly,
        Self::Annual,
        Self::Irregular,
        Self::Never,
    ];
    /// Its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Continuous => "continuous",
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
            Self::Quarterly => "quarterly",
            Self::Annual => "annual",
            Self::Irregular => "irregular",
            Self::Never => "never",
        }
    }
    /// Reads its name.
    ///
    /// # Errors
    /// A message that lists the names.
    pub fn parse(text: &str) -> Result<Self> {
        Self::ALL.iter().copied().find(|f| f.as_str() == text).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|f| f.as_str()).collect();
            Error::invalid(format!("The update rhythm \"{text:.40}\" is not one of: {}.", known.join(", ")))
        })
    }
    /// Its address in the [vocabulary](https://op.europa.eu/en/web/eu-vocabularies/dataset/-/resource?uri=http://publications.europa.eu/resource/dataset/frequency).
    pub const fn iri(self) -> &'static str {
        match self {
            Self::Continuous => "http://publications.europa.eu/resource/authority/frequency/CONT",
            Self::Hourly => "http://publications.europa.eu/resource/authority/frequency/HOURLY",
            Self::Daily => "http://publications.europa.eu/resource/authority/frequency/DAILY",
            Self::Weekly => "http://publications.europa.eu/resource/authority/frequency/WEEKLY",
            Self::Monthly => "http://publications.europa.eu/resource/authority/frequency/MONTHLY",
            Self::Quarterly => "http://publications.europa.eu/resource/authority/frequency/QUARTERLY",
            Self::Annual => "http://publications.europa.eu/resource/authority/frequency/ANNUAL",
            Self::Irregular => "http://publications.europa.eu/resource/authority/frequency/IRREG",
            Self::Never => "http://publications.europa.eu/resource/authority/frequency/NEVER",
        }
    }
}

/// A published version of a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// Whose it is.
    pub participant: Slug,
    /// Which one.
    #[serde(flatten)]
    pub reference: ProductRef,
    /// Its kind.
    pub kind: ProductKind,
    /// Its state.
    pub state: ProductState,
    /// Title for people.
    pub title: String,
    /// Description for people; plain text.
    #[serde(default)]
    pub description: String,
    /// Search words.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// What else a reader of the catalogue wants to know.
    #[serde(flatten)]
    pub listing: Listing,
    /// What its publisher says it was made from: agreements under which it was received, and other product versions of the
    /// publisher. Of no concern to readers of the catalogue.
    #[serde(default, rename = "derivedFrom", skip_serializing_if = "Vec::is_empty")]
    pub derived_from: Vec<String>,
    /// Whether the profile (nulls, min, max, distinct) may be shown in the catalogue.
    #[serde(default)]
    pub publish_profile: bool,
    /// The kind's own description, as its crate wrote it (for a table: schema, files, rows, profile).
    pub content: Value,
    /// When it was published.
    pub created_at: Timestamp,
}

/// Terms under which a product version may be had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Its id: `@id` of the ODRL offer. Generated, or chosen in a seed file.
    pub id: OfferId,
    /// Whose it is.
    pub participant: Slug,
    /// About what.
    pub product: ProductRef,
    /// The ODRL rules as published: `permission`, and what else the policy says, without `@id`, `@type` and `target`.
    pub odrl: Value,
    /// The same, typed.
    pub policy: Policy,
    /// What this node does of its own accord in negotiations and transfers about this offer.
    #[serde(default)]
    pub rules: Rules,
    /// When it was made.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_can_be_written_and_read() {
        let offer = Offer {
            id: OfferId::from_stored("off_1"),
            participant: Slug::parse("a").expect("slug"),
            product: ProductRef { id: ProductId::parse("p").expect("id"), version: 2 },
            odrl: Policy::open().to_odrl(),
            policy: Policy::open(),
            rules: Rules::default(),
            created_at: Timestamp::from_micros(1),
        };
        let text = serde_json::to_string(&offer).expect("json");
        assert_eq!(serde_json::from_str::<Offer>(&text).expect("read"), offer);
    }

    #[test]
    fn dataset_ids_round_trip() {
        for (text, version) in [("flights", 1), ("flights:2", 2), ("ACN0101", 1)] {
            let r = ProductRef::parse_dataset_id(text).expect("parses");
            assert_eq!(r.version, version);
            assert_eq!(r.dataset_id(), text);
        }
        for bad in ["", "a:b", "a:0", "a:01", "a:-1", "a:+2", "a/b", "a:1:2", "a:99999999999"] {
            assert_eq!(ProductRef::parse_dataset_id(bad), None, "{bad}");
        }
        // One dataset, one id: version 1 is never spelt out.
        assert_eq!(ProductRef::parse_dataset_id("a:1").map(|r| r.dataset_id()), Some("a".into()));
    }
}
