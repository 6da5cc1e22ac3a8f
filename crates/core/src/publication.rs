//! Publications: a product on its way out, from the choice of a source to the catalogue.
//!
//! A publication is kept by the node, so that it outlives a closed window and a restart. What is *prepared* (copied,
//! checked, described) is not yet in the catalogue: the publisher looks at it first, at the hints of personal data above all.

use crate::{
    error::{Code, Error, Result},
    ids::PublicationId,
    lineage,
    listing::Described,
    participant::Slug,
    policy::Period,
    product::{Listing, ProductId, ProductKind},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Most paths, objects or uploaded files of one product.
pub const PATHS_MAX: usize = 10_000;
/// Longest path.
pub const PATH_MAX_CHARS: usize = 4_000;
/// Longest database query.
pub const QUERY_MAX_CHARS: usize = 100_000;

/// Where a product's content comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum Source {
    /// Files, folders and Delta tables on the node's machine.
    Paths {
        /// Absolute paths.
        paths: Vec<String>,
        /// Leave the files where they are, instead of copying them.
        #[serde(default)]
        in_place: bool,
    },
    /// Files that were sent to the node.
    Upload,
    /// Objects, prefixes or Delta tables in an S3 bucket.
    S3 {
        /// The connection's name.
        connection: String,
        /// Keys or prefixes.
        paths: Vec<String>,
    },
    /// The result of a query.
    Postgres {
        /// The connection's name.
        connection: String,
        /// One statement that returns rows.
        query: String,
    },
}

impl Source {
    /// A short name of the sort of source.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Paths { .. } => "paths",
            Self::Upload => "upload",
            Self::S3 { .. } => "s3",
            Self::Postgres { .. } => "postgres",
        }
    }

    /// Checks counts and lengths.
    ///
    /// # Errors
    /// [`Code::Invalid`] naming the limit.
    pub fn check(&self, kind: ProductKind) -> Result<()> {
        match self {
            Self::Upload => {}
            Self::Paths { paths, .. } | Self::S3 { paths, .. } => {
                if paths.is_empty() {
                    return Err(Error::invalid("Name at least one path to publish."));
                }
                if paths.len() > PATHS_MAX {
                    return Err(Error::invalid(format!("At most {PATHS_MAX} paths; name a folder instead.")));
                }
                if paths.iter().any(|p| p.chars().count() > PATH_MAX_CHARS || p.contains('\0')) {
                    return Err(Error::invalid(format!("A path has at most {PATH_MAX_CHARS} characters.")));
                }
            }
            Self::Postgres { query, .. } => {
                if query.trim().is_empty() || query.chars().count() > QUERY_MAX_CHARS || query.contains('\0') {
                    return Err(Error::invalid(format!("A query has 1 to {QUERY_MAX_CHARS} characters.")));
                }
                if kind != ProductKind::Table {
                    return Err(Error::invalid("A query gives a table: choose the kind \"table\"."));
                }
            }
        }
        if let Self::Paths { paths, .. } = self
            && let Some(relative) = paths.iter().find(|p| !std::path::Path::new(p).is_absolute())
        {
            return Err(Error::invalid(format!("{relative:.200} is not an absolute path on the node's machine.")));
        }
        Ok(())
    }
}

/// How a source is read. What does not apply to it is ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReadOptions {
    /// Delta tables: the version to publish; the newest when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delta_version: Option<u64>,
    /// Workbooks: the sheet; the first with cells when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sheet: Option<String>,
    /// CSV: texts that stand for a missing value, beside the empty text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub null_values: Option<Vec<String>>,
}

/// How a product is renewed from its source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Renewal {
    /// How often the source is looked at (ISO 8601). Each commit of a Delta table becomes a version; of other sources,
    /// each content that differs from the last.
    pub every: Period,
}

/// What the publisher has said so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Draft {
    /// The kind of product.
    pub kind: ProductKind,
    /// The product id; may still be empty.
    #[serde(default)]
    pub product: String,
    /// The title; may still be empty.
    #[serde(default)]
    pub title: String,
    /// The description.
    #[serde(default)]
    pub description: String,
    /// Search words.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// The rest of the listing.
    #[serde(default)]
    pub listing: Listing,
    /// Whether the profile goes into the catalogue.
    #[serde(default)]
    pub publish_profile: bool,
    /// Where the content comes from.
    #[serde(default)]
    pub source: Option<Source>,
    /// How it is read.
    #[serde(default)]
    pub read: ReadOptions,
    /// ODRL offers without `target`; none means open to every participant.
    #[serde(default)]
    pub offers: Vec<Value>,
    /// That the publisher has seen the hints of personal data and publishes nevertheless.
    #[serde(default)]
    pub personal_data_accepted: bool,
    /// How it is renewed, if it is.
    #[serde(default)]
    pub renewal: Option<Renewal>,
    /// What it was made from: ids of agreements under which it was received, and of other product versions of ours.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub derived_from: Vec<String>,
}

impl Draft {
    /// An empty one.
    pub fn new(kind: ProductKind) -> Self {
        Self {
            kind,
            product: String::new(),
            title: String::new(),
            description: String::new(),
            keywords: Vec::new(),
            listing: Listing::default(),
            publish_profile: false,
            source: None,
            read: ReadOptions::default(),
            offers: Vec::new(),
            personal_data_accepted: false,
            renewal: None,
            derived_from: Vec::new(),
        }
    }

    /// Checks what must be right before it can be published: id, listing, source, renewal.
    ///
    /// # Errors
    /// [`Code::Invalid`] naming what is missing or wrong.
    pub fn check(&self) -> Result<ProductId> {
        let id = ProductId::parse(&self.product)?;
        self.described().check()?;
        lineage::check_inputs(&self.derived_from)?;
        let source = self.source.as_ref().ok_or_else(|| Error::invalid("Choose where the product's content comes from."))?;
        source.check(self.kind)?;
        if self.renewal.is_some() && matches!(source, Source::Upload) {
            return Err(Error::invalid("What was uploaded cannot be renewed by the node; publish the next version yourself."));
        }
        if self.renewal.is_some() && self.read.delta_version.is_some() {
            return Err(Error::invalid("A product is either one version of a Delta table or follows it."));
        }
        Ok(id)
    }

    /// The listing as it is judged.
    pub fn described(&self) -> Described<'_> {
        Described { title: &self.title, description: &self.description, keywords: &self.keywords, listing: &self.listing }
    }
}

/// What preparation made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Prepared {
    /// Its folder below the node's data folder.
    pub folder: String,
    /// The kind's own description, as it will be the product's.
    pub content: Value,
    /// How many files.
    pub files: u64,
    /// Their bytes.
    pub size_bytes: u64,
}

impl Prepared {
    /// Columns that seem to hold personal data with some certainty, as `(column, category)`.
    pub fn personal_data_found(&self) -> Vec<(String, String)> {
        let hints = self.content.get("personalData").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let text = |hint: &Value, key: &str| hint.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        hints.iter().filter(|h| text(h, "strength") == "found").map(|h| (text(h, "column"), text(h, "category"))).collect()
    }

    /// Refuses to let personal data out that its publisher has not been shown.
    ///
    /// # Errors
    /// [`Code::PersonalData`] naming the columns.
    pub fn check_personal_data(&self, accepted: bool) -> Result<()> {
        if accepted { Ok(()) } else { self.check_personal_data_among(&[]) }
    }

    /// Refuses to let personal data out beyond these `(column, category)`, which its publisher has accepted.
    ///
    /// # Errors
    /// [`Code::PersonalData`] naming the columns.
    pub fn check_personal_data_among(&self, accepted: &[(String, String)]) -> Result<()> {
        let mut found = self.personal_data_found();
        found.retain(|hint| !accepted.contains(hint));
        if found.is_empty() {
            return Ok(());
        }
        let columns: Vec<String> = found.iter().map(|(column, category)| format!("\"{column:.100}\" ({category})")).collect();
        Err(Error::new(
            Code::PersonalData,
            format!(
                "These columns seem to hold personal data: {}. Nothing was published. Leave them out, or confirm that they may be shared.",
                columns.join(", ")
            ),
        ))
    }
}

/// Where a publication stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum State {
    /// Being described; nothing was read yet.
    Draft,
    /// The source is being copied and checked.
    Preparing,
    /// Ready to be looked at and published.
    Prepared(Prepared),
    /// In the catalogue.
    Published {
        /// The dataset id it has there.
        dataset: String,
    },
    /// Preparation failed.
    Failed {
        /// The code of the error.
        code: String,
        /// What to do.
        message: String,
    },
}

impl State {
    /// Its name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Preparing => "preparing",
            Self::Prepared(_) => "prepared",
            Self::Published { .. } => "published",
            Self::Failed { .. } => "failed",
        }
    }
}

/// A publication.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Publication {
    /// Its id.
    pub id: PublicationId,
    /// Whose it is.
    pub participant: Slug,
    /// What was said.
    pub draft: Draft,
    /// Where it stands.
    #[serde(flatten)]
    pub state: State,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Raised by every change.
    pub revision: u64,
    /// The revision that the reading of the source began with. What it finds counts while this stays: words may change
    /// meanwhile.
    #[serde(default)]
    pub reading: u64,
}

impl Publication {
    /// A new draft.
    pub const fn new(id: PublicationId, participant: Slug, draft: Draft, now: Timestamp) -> Self {
        Self { id, participant, draft, state: State::Draft, created_at: now, updated_at: now, revision: 1, reading: 0 }
    }

    fn moved(&self, state: State, now: Timestamp) -> Self {
        Self { state, updated_at: now, revision: self.revision + 1, ..self.clone() }
    }

    fn conflict<T>(&self, what: &str) -> Result<T> {
        Err(Error::new(Code::Conflict, format!("The publication is {}; {what}", self.state.name())))
    }

    /// Changes what was said. A changed source, way of reading or kind makes what was prepared void, and with it the
    /// confirmation of its personal data, unless it is given in the same breath.
    ///
    /// # Errors
    /// [`Code::Conflict`] for these while it is being prepared, and for anything when it is published.
    pub fn amend(&self, draft: Draft, now: Timestamp) -> Result<Self> {
        let same_content = draft.source == self.draft.source && draft.read == self.draft.read && draft.kind == self.draft.kind;
        let state = match &self.state {
            State::Preparing if same_content => State::Preparing,
            State::Preparing => return self.conflict("wait until it is prepared, or cancel it."),
            State::Published { .. } => return self.conflict("publish a new version instead."),
            State::Prepared(prepared) if same_content => State::Prepared(prepared.clone()),
            State::Draft | State::Prepared(_) | State::Failed { .. } => State::Draft,
        };
        let confirmed_before = self.draft.personal_data_accepted && !same_content;
        let personal_data_accepted = draft.personal_data_accepted && !confirmed_before;
        Ok(Self { draft: Draft { personal_data_accepted, ..draft }, ..self.moved(state, now) })
    }

    /// Without a confirmation of personal data: what it was given for is read again, and may hold something else.
    fn unconfirmed(self) -> Self {
        Self { draft: Draft { personal_data_accepted: false, ..self.draft }, ..self }
    }

    /// Begins to read the source.
    ///
    /// # Errors
    /// [`Code::Conflict`] when it is being read or was published; [`Code::Invalid`] without a source.
    pub fn prepare(&self, now: Timestamp) -> Result<Self> {
        match &self.state {
            State::Preparing => return self.conflict("it is being read already."),
            State::Published { .. } => return self.conflict("publish a new version instead."),
            State::Draft | State::Prepared(_) | State::Failed { .. } => {}
        }
        let source = self.draft.source.as_ref().ok_or_else(|| Error::invalid("Choose where the product's content comes from."))?;
        source.check(self.draft.kind)?;
        let begun = self.moved(State::Preparing, now);
        let begun = if matches!(self.state, State::Prepared(_)) { begun.unconfirmed() } else { begun };
        Ok(Self { reading: begun.revision, ..begun })
    }

    /// The uploaded files are others now: what was read of them is void. `None` where nothing was, or of something else.
    pub fn uploaded(&self, now: Timestamp) -> Option<Self> {
        let read = matches!(self.state, State::Prepared(_) | State::Failed { .. });
        (read && matches!(self.draft.source, Some(Source::Upload))).then(|| self.moved(State::Draft, now).unconfirmed())
    }

    /// The source was read. `None` when nobody waits for it any more: then the result is to be thrown away.
    pub fn prepared(&self, outcome: Result<Prepared>, now: Timestamp) -> Option<Self> {
        matches!(self.state, State::Preparing).then(|| {
            self.moved(
                match outcome {
                    Ok(prepared) => State::Prepared(prepared),
                    Err(e) => State::Failed { code: e.code().to_string(), message: e.message().to_owned() },
                },
                now,
            )
        })
    }

    /// What is ready to be published, if it may be.
    ///
    /// # Errors
    /// [`Code::NotYet`] before it is prepared; [`Code::Conflict`] afterwards; [`Code::PersonalData`]; what
    /// [`Draft::check`] says.
    pub fn ready(&self) -> Result<(ProductId, &Prepared)> {
        let prepared = match &self.state {
            State::Prepared(prepared) => prepared,
            State::Published { .. } => return self.conflict("it is in the catalogue."),
            State::Failed { message, .. } => return Err(Error::new(Code::Conflict, format!("The source could not be read: {message}"))),
            State::Draft | State::Preparing => {
                return Err(Error::new(Code::NotYet, "The source has not been read yet."));
            }
        };
        let id = self.draft.check()?;
        prepared.check_personal_data(self.draft.personal_data_accepted)?;
        Ok((id, prepared))
    }

    /// It is in the catalogue.
    #[must_use]
    pub fn published(&self, dataset: String, now: Timestamp) -> Self {
        self.moved(State::Published { dataset }, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);

    fn draft() -> Draft {
        Draft {
            product: "flights".into(),
            title: "Flights".into(),
            source: Some(Source::Paths { paths: vec!["/srv/flights".into()], in_place: false }),
            ..Draft::new(ProductKind::Table)
        }
    }

    fn publication() -> Publication {
        Publication::new(PublicationId::from_stored("pub_1"), Slug::parse("acme").expect("slug"), draft(), NOW)
    }

    fn prepared(content: Value) -> Prepared {
        Prepared { folder: "acme/x".into(), content, files: 1, size_bytes: 10 }
    }

    #[test]
    fn it_goes_from_draft_to_catalogue() {
        let p = publication();
        assert_eq!(p.ready().expect_err("nothing was read").code(), Code::NotYet);
        let p = p.prepare(NOW).expect("begins");
        assert!(p.prepare(NOW).is_err(), "twice");
        let (reading, elsewhere) = (p.reading, Draft { source: Some(Source::Upload), ..draft() });
        assert!(p.amend(elsewhere, NOW).is_err(), "while it is read");
        let p = p.amend(Draft { description: "All of them.".into(), ..draft() }, NOW).expect("words may change meanwhile");
        assert_eq!((&p.state, p.reading), (&State::Preparing, reading));
        let p = p.prepared(Ok(prepared(json!({}))), NOW).expect("waited for");
        assert_eq!(p.ready().expect("ready").0.as_str(), "flights");
        // Words may change, the content may not.
        let retitled = p.amend(Draft { title: "Flights of 2013".into(), ..draft() }, NOW).expect("amended");
        assert!(matches!(retitled.state, State::Prepared(_)));
        let moved = Draft { source: Some(Source::Upload), ..draft() };
        let moved = p.amend(moved, NOW).expect("amended");
        assert_eq!((&moved.state, moved.uploaded(NOW)), (&State::Draft, None));
        let read = moved.prepare(NOW).expect("begins").prepared(Ok(prepared(json!({}))), NOW).expect("waited for");
        assert_eq!(read.uploaded(NOW).expect("void").state, State::Draft);
        assert_eq!(p.uploaded(NOW), None, "nothing of it was uploaded");
        let p = p.published("flights".into(), NOW);
        assert!(p.prepare(NOW).is_err() && p.amend(draft(), NOW).is_err() && p.ready().is_err());
        assert_eq!(p.prepared(Ok(prepared(json!({}))), NOW), None, "nobody waits");
        let text = serde_json::to_string(&p).expect("json");
        assert_eq!(serde_json::from_str::<Publication>(&text).expect("reads"), p);
    }

    #[test]
    fn personal_data_waits_for_its_publisher() {
        let content = json!({"personalData": [
            {"column": "身份证", "category": "resident-id", "strength": "found", "share": 1.0},
            {"column": "name", "category": "person-name", "strength": "possible"}]});
        let p = publication().prepare(NOW).expect("begins").prepared(Ok(prepared(content)), NOW).expect("waited for");
        let refusal = p.ready().expect_err("not confirmed");
        assert_eq!(refusal.code(), Code::PersonalData);
        assert!(refusal.message().contains("身份证") && !refusal.message().contains("\"name\""), "{refusal}");
        let accepted = p.amend(Draft { personal_data_accepted: true, ..draft() }, NOW).expect("amended");
        accepted.ready().expect("confirmed");
    }

    #[test]
    fn a_confirmation_is_for_the_content_it_was_given_for() {
        let confirmed = |source: Source| Draft { personal_data_accepted: true, source: Some(source), ..draft() };
        let path = |p: &str| Source::Paths { paths: vec![p.into()], in_place: false };
        let read = |p: Publication| p.prepare(NOW).expect("begins").prepared(Ok(prepared(json!({}))), NOW).expect("waited for");
        let p = read(publication()).amend(confirmed(path("/srv/flights")), NOW).expect("confirmed");
        assert!(p.draft.personal_data_accepted);
        let p = p.amend(Draft { title: "All flights".into(), ..confirmed(path("/srv/flights")) }, NOW).expect("amended");
        assert!(p.draft.personal_data_accepted, "words are not content");
        let other = p.amend(confirmed(path("/srv/crews")), NOW).expect("amended");
        assert!(!other.draft.personal_data_accepted, "another source");
        let other = other.amend(confirmed(path("/srv/crews")), NOW).expect("amended");
        assert!(other.draft.personal_data_accepted, "said anew");
        assert!(!p.prepare(NOW).expect("begins").draft.personal_data_accepted, "read again");
        let begun = publication().amend(confirmed(path("/srv/crews")), NOW).expect("source and confirmation at once");
        assert!(read(begun).draft.personal_data_accepted);
        let sent = read(publication().amend(Draft { source: Some(Source::Upload), ..draft() }, NOW).expect("amended"));
        let sent = sent.amend(confirmed(Source::Upload), NOW).expect("confirmed");
        assert!(!sent.uploaded(NOW).expect("void").draft.personal_data_accepted, "other files");
    }

    #[test]
    fn only_the_hints_that_were_accepted_go_out() {
        let hint = |column: &str| json!({"column": column, "category": "mobile-phone", "strength": "found"});
        let content = prepared(json!({"personalData": [hint("phone"), hint("contact")]}));
        let pair = |column: &str| (column.to_owned(), "mobile-phone".to_owned());
        content.check_personal_data_among(&[pair("phone"), pair("contact")]).expect("both were accepted");
        let refusal = content.check_personal_data_among(&[pair("phone"), ("contact".into(), "email".into())]).expect_err("one was not");
        assert_eq!(refusal.code(), Code::PersonalData);
        assert!(refusal.message().contains("\"contact\"") && !refusal.message().contains("\"phone\""), "{refusal}");
    }

    #[test]
    fn sources_are_checked() {
        let bad = [
            (Source::Paths { paths: vec![], in_place: false }, ProductKind::Table),
            (Source::Paths { paths: vec!["relative".into()], in_place: false }, ProductKind::Table),
            (Source::Postgres { connection: "db".into(), query: " ".into() }, ProductKind::Table),
            (Source::Postgres { connection: "db".into(), query: "SELECT 1".into() }, ProductKind::Files),
        ];
        for (source, kind) in bad {
            assert!(source.check(kind).is_err(), "{source:?}");
        }
        let uploaded =
            Draft { source: Some(Source::Upload), renewal: Some(Renewal { every: Period::parse("PT1H").expect("period") }), ..draft() };
        assert!(uploaded.check().is_err(), "an upload does not renew itself");
    }
}
