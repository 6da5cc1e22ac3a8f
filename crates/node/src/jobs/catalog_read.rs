//! Reads a peer's catalogue into our copy of it, page by page.
//!
//! A catalogue is as long and as odd as its owner likes. Pages, datasets, bytes and time are bounded, texts are cut, and
//! a list that leads nowhere is left.

use crate::app::{
    App,
    peers::{CatalogAsked, RemoteDataset},
};
use fondaco_core::{
    Code, Error, Result,
    participant::{Did, Participant},
    time::Timestamp,
};
use fondaco_store::PeerDataset;
use serde_json::Value;
use std::{collections::HashSet, time::Duration};

/// Datasets kept of one peer: the largest national catalogues have as many.
const DATASETS_MAX: usize = 100_000;
/// Pages read: with pages of one dataset each, a reading would never end.
const PAGES_MAX: usize = 5_000;
/// Time for a whole catalogue: 200 full pages at 3 s each.
const TIME_MAX: Duration = Duration::from_mins(10);
/// Bytes kept of one peer: with 20 such peers the database still fits a small disk.
const BYTES_MAX: usize = 512 * 1024 * 1024;
/// Bytes kept of one dataset. Of a larger one the summary is kept, and its page asks the peer.
const BODY_MAX_BYTES: usize = 64 * 1024;
/// Rows written in one transaction: deals wait no longer than a few milliseconds for the writer.
const BATCH: usize = 200;
/// What a search looks in, in characters: title, id, keywords and the beginning of the description.
const SEARCH_MAX_CHARS: usize = 4_000;
/// Longest title kept.
const TITLE_MAX_CHARS: usize = 500;
/// Longest kind or licence that can be chosen as a filter.
const FACET_MAX_CHARS: usize = 200;
/// Languages of one dataset that can be chosen as a filter.
const LANGUAGES_MAX: usize = 10;
/// Combinations of kind, licence and languages of one peer. What goes beyond cannot be chosen as a filter: counting them
/// must not get slow because one peer invents a licence per dataset.
const COMBINATIONS_MAX: usize = 500;
/// Longest error kept for people.
const ERROR_MAX_CHARS: usize = 500;

/// Reads the catalogue of a peer to its end, and notes how that went.
///
/// # Errors
/// As [`App::remote_catalog`]; [`Code::PeerUnreachable`] when it takes too long.
pub async fn read(app: &App, participant: &Participant, did: &Did) -> Result<()> {
    let begun = app.now();
    let late = || Err(Error::new(Code::PeerUnreachable, "The peer's catalogue could not be read within 10 minutes."));
    let outcome = tokio::time::timeout(TIME_MAX, pages(app, participant, did, begun)).await.unwrap_or_else(|_| late());
    let (slug, did) = (participant.slug.clone(), did.clone());
    match &outcome {
        Ok(Read::Unchanged) => {
            app.store.tx("catalog.unchanged", move |tx| -> Result<_> { Ok(tx.peer_catalog_unchanged(&slug, &did, begun)?) }).await?;
        }
        Ok(Read::Whole(etag)) => {
            let etag = etag.clone();
            app.store.tx("catalog.read", move |tx| -> Result<_> { Ok(tx.peer_catalog_read(&slug, &did, begun, etag.as_deref())?) }).await?;
        }
        Err(e) => {
            let text = plain(e.message(), ERROR_MAX_CHARS);
            app.store.tx("catalog.failed", move |tx| -> Result<_> { Ok(tx.peer_catalog_failed(&slug, &did, &text)?) }).await?;
        }
    }
    outcome.map(drop)
}

/// What a reading came to.
enum Read {
    /// The copy holds it already.
    Unchanged,
    /// The copy holds it now; what the peer called it when the reading began. A change while it went on shows the next
    /// time. `None` also where something was left out.
    Whole(Option<String>),
}

async fn pages(app: &App, participant: &Participant, did: &Did, begun: Timestamp) -> Result<Read> {
    let (slug, peer) = (participant.slug.clone(), did.clone());
    let had = app.store.read("catalog.etag", move |tx| -> Result<_> { Ok(tx.peer_catalog_etag(&slug, &peer)?) }).await?;
    let mut etag = None;
    let mut cursor: Option<String> = None;
    let (mut seen, mut combinations) = (HashSet::new(), HashSet::new());
    let (mut datasets, mut bytes) = (0, 0);
    for n in 0..PAGES_MAX {
        let unless = had.as_deref().filter(|_| n == 0);
        let asked = CatalogAsked { cursor: cursor.as_deref(), unless, ..CatalogAsked::default() };
        let Some(page) = app.remote_catalog(participant, did.as_str(), asked).await? else { return Ok(Read::Unchanged) };
        if n == 0 {
            etag = page.etag;
        }
        let mut rows = Vec::new();
        for dataset in page.datasets {
            let row = row(did, dataset, begun, &mut combinations);
            bytes += row.body.to_string().len() + row.search.len();
            datasets += 1;
            if datasets > DATASETS_MAX || bytes > BYTES_MAX {
                write(app, participant, rows).await?;
                tracing::warn!(peer = %did, datasets, bytes, "catalog.too_large {did}: the rest is left out");
                return Ok(Read::Whole(None));
            }
            rows.push(row);
        }
        write(app, participant, rows).await?;
        let Some(next) = page.next else { return Ok(Read::Whole(etag)) };
        if !seen.insert(fondaco_core::canonical::sha256_hex(next.as_bytes())) {
            return Err(Error::new(Code::PeerAnsweredBadly, "The pages of the peer's catalogue lead in a circle."));
        }
        cursor = Some(next);
    }
    tracing::warn!(peer = %did, datasets, "catalog.too_many_pages {did}: the rest is left out");
    Ok(Read::Whole(None))
}

async fn write(app: &App, participant: &Participant, rows: Vec<PeerDataset>) -> Result<()> {
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let (slug, batch): (_, Vec<PeerDataset>) = (participant.slug.clone(), rows.by_ref().take(BATCH).collect());
        app.store
            .tx("catalog.copy", move |tx| -> Result<()> {
                for dataset in &batch {
                    tx.peer_dataset_put(&slug, dataset)?;
                }
                Ok(())
            })
            .await?;
    }
    Ok(())
}

/// Text on one line without control characters, cut.
fn plain(text: &str, max: usize) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().filter(|c| !c.is_control()).take(max).collect()
}

/// A value that can be chosen; one that is too long cannot.
fn facet(text: &str) -> String {
    let text = plain(text, FACET_MAX_CHARS + 1);
    if text.chars().count() > FACET_MAX_CHARS { String::new() } else { text }
}

/// The language tags that are ones, joined by commas.
fn languages(tags: &[String]) -> String {
    let is_tag = |tag: &&str| !tag.is_empty() && tag.len() <= 35 && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    // `zh-CN` and `zh-cn` are one language; tags have no case.
    let mut tags: Vec<String> = tags.iter().map(String::as_str).filter(is_tag).map(str::to_ascii_lowercase).collect();
    tags.sort();
    tags.dedup();
    tags.truncate(LANGUAGES_MAX);
    tags.join(",")
}

fn row(peer: &Did, dataset: RemoteDataset, read_at: Timestamp, combinations: &mut HashSet<[String; 3]>) -> PeerDataset {
    let mut properties = [
        facet(dataset.text("kind").unwrap_or_default()),
        facet(dataset.license.as_deref().unwrap_or_default()),
        languages(&dataset.language),
    ];
    if combinations.len() >= COMBINATIONS_MAX && !combinations.contains(&properties) {
        properties = Default::default();
    } else {
        combinations.insert(properties.clone());
    }
    let [kind, license, language] = properties;
    let title = plain(&dataset.title, TITLE_MAX_CHARS);
    let search = format!("{title}\n{}\n{}\n{}", dataset.id, dataset.keywords.join("\n"), dataset.description);
    let search = search.chars().filter(|c| *c != '\0').take(SEARCH_MAX_CHARS).collect();
    let id = dataset.id.clone();
    PeerDataset {
        peer: peer.clone(),
        kind,
        license,
        language,
        title: if title.is_empty() { id.clone() } else { title },
        dataset: id,
        search,
        read_at,
        body: body(dataset),
    }
}

/// The dataset as it is kept: whole, or marked where it is too large for that.
fn body(mut dataset: RemoteDataset) -> Value {
    let size = |d: &RemoteDataset| serde_json::to_value(d).map(|v| (v.to_string().len(), v));
    match size(&dataset) {
        Ok((bytes, whole)) if bytes <= BODY_MAX_BYTES => return whole,
        _ => {}
    }
    dataset.description = dataset.description.chars().take(SEARCH_MAX_CHARS).collect();
    dataset.keywords.truncate(LANGUAGES_MAX);
    dataset.offers.clear();
    let kept = ["kind", "rows", "sizeBytes", "files"];
    dataset.extension =
        kept.iter().filter_map(|k| Some(((*k).to_owned(), dataset.extension.get(*k)?.clone()))).collect::<serde_json::Map<_, _>>().into();
    let mut summary = serde_json::to_value(dataset).unwrap_or_default();
    if summary.to_string().len() > BODY_MAX_BYTES {
        summary = Value::Object(serde_json::Map::new());
    }
    summary[SUMMARY] = true.into();
    summary
}

/// Marks a body that holds only the summary.
const SUMMARY: &str = "summary";

/// A dataset as far as it was kept.
pub fn kept(body: Value) -> RemoteDataset {
    serde_json::from_value(body).unwrap_or_default()
}

/// A dataset of which everything was kept.
pub fn whole(body: Value) -> Option<RemoteDataset> {
    if body.get(SUMMARY).is_some() { None } else { serde_json::from_value(body).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn did() -> Did {
        Did::parse("did:web:peer.example").expect("a did")
    }

    fn dataset(id: &str) -> RemoteDataset {
        RemoteDataset { id: id.into(), title: "Wind".into(), extension: json!({"kind": "table", "rows": 3}), ..RemoteDataset::default() }
    }

    #[test]
    fn a_dataset_comes_back_whole() {
        let mut said = dataset("wind");
        said.license = Some("MIT".into());
        said.language = vec!["zh-CN".into(), "en".into(), "a b".into()];
        let row = row(&did(), said.clone(), Timestamp::from_micros(1), &mut HashSet::new());
        assert_eq!((row.kind.as_str(), row.license.as_str(), row.language.as_str()), ("table", "MIT", "en,zh-cn"));
        assert_eq!(whole(row.body), Some(said));
    }

    #[test]
    fn what_is_too_large_is_kept_in_short() {
        let mut said = dataset("wind");
        said.description = "界".repeat(BODY_MAX_BYTES);
        said.extension["schema"] = json!({"columns": vec!["x".repeat(100); 1_000]});
        let row = row(&did(), said, Timestamp::from_micros(1), &mut HashSet::new());
        assert!(row.body.to_string().len() <= BODY_MAX_BYTES);
        assert!(row.search.chars().count() <= SEARCH_MAX_CHARS);
        assert_eq!(whole(row.body.clone()), None, "the page asks the peer");
        assert_eq!(kept(row.body).number("rows"), Some(3));
    }

    #[test]
    fn texts_that_would_break_a_list_do_not_get_in() {
        let mut said = dataset("wind");
        said.title = " a\n\tb\u{0}c ".into();
        said.extension["kind"] = json!("k".repeat(FACET_MAX_CHARS + 1));
        let row = row(&did(), said, Timestamp::from_micros(1), &mut HashSet::new());
        assert_eq!((row.title.as_str(), row.kind.as_str()), ("a bc", ""));
    }

    #[test]
    fn a_peer_cannot_invent_filters_without_end() {
        let mut combinations = HashSet::new();
        let rows: Vec<_> = (0..COMBINATIONS_MAX * 2)
            .map(|i| {
                let said = RemoteDataset { license: Some(format!("licence {i}")), ..dataset("wind") };
                row(&did(), said, Timestamp::from_micros(1), &mut combinations)
            })
            .collect();
        let licences: HashSet<&str> = rows.iter().map(|r| r.license.as_str()).collect();
        assert!(licences.len() <= COMBINATIONS_MAX + 1, "{}", licences.len());
    }
}
