//! Copies of peers' catalogues: what each held when it was last read, searchable at once.

use super::{
    PAGE_MAX, Tx, page,
    products::{needle, pattern},
    statements,
};
use crate::{
    dialect::{
        Sql::{Each, Same},
        TITLES_OF_MANY,
    },
    error::StoreError,
    value::{Row, json, vals},
};
use fondaco_core::{
    participant::{Did, Slug},
    time::Timestamp,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// A dataset of a peer, as its catalogue showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerDataset {
    /// Whose catalogue it was in.
    pub peer: Did,
    /// Its id there.
    pub dataset: String,
    /// The kind of product; empty when it is not said.
    pub kind: String,
    /// The licence; empty when it is not said.
    pub license: String,
    /// Language tags, joined by commas; empty when none is said.
    pub language: String,
    /// The title, or the id where there is none.
    pub title: String,
    /// What a search looks in.
    pub search: String,
    /// When it was read.
    pub read_at: Timestamp,
    /// The dataset itself.
    pub body: Value,
}

/// Which datasets to list, by title.
#[derive(Clone, Debug, Default)]
pub struct PeerDatasetFilter {
    /// Of this peer.
    pub peer: Option<Did>,
    /// Of this kind.
    pub kind: Option<String>,
    /// Under this licence.
    pub license: Option<String>,
    /// In this language (of perhaps several).
    pub language: Option<String>,
    /// A text that title, description, keywords or id contain.
    pub query: Option<String>,
    /// Rows to leave out at the beginning.
    pub offset: u64,
    /// Most rows.
    pub limit: u32,
}

/// How many datasets share these properties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FacetCount {
    /// Whose.
    pub peer: String,
    /// The kind.
    pub kind: String,
    /// The licence.
    pub license: String,
    /// The language tags, joined by commas.
    pub language: String,
    /// How many.
    pub count: u64,
}

statements! {
    PUT = Same("INSERT INTO peer_dataset (participant, peer_did, dataset, kind, license, language, title, search, read_at, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (participant, peer_did, dataset) DO UPDATE SET kind = excluded.kind, license = excluded.license, language = excluded.language, title = excluded.title, search = excluded.search, read_at = excluded.read_at, body = excluded.body");
    GONE = Same("DELETE FROM peer_dataset WHERE participant = $1 AND peer_did = $2 AND read_at < $3");
    GET = Same("SELECT peer_did, dataset, kind, license, language, title, search, read_at, body FROM peer_dataset WHERE participant = $1 AND peer_did = $2 AND dataset = $3");
    LIST = Each(
        "SELECT peer_did, dataset, kind, license, language, title, search, read_at, body FROM peer_dataset WHERE participant = $1 AND ($2 = '' OR peer_did = $2) AND ($3 = '' OR kind = $3) AND ($4 = '' OR license = $4) AND ($5 = '' OR ',' || language || ',' LIKE $5 ESCAPE '\\') AND ($6 = '' OR instr(search, $6) > 0) ORDER BY title, peer_did, dataset LIMIT $7 OFFSET $8",
        "SELECT peer_did, dataset, kind, license, language, title, search, read_at, body FROM peer_dataset WHERE participant = $1 AND ($2 = '' OR peer_did = $2) AND ($3 = '' OR kind = $3) AND ($4 = '' OR license = $4) AND ($5 = '' OR ',' || language || ',' LIKE $5 ESCAPE '\\') AND ($6 = '' OR strpos(search, $6) > 0) ORDER BY title, peer_did, dataset LIMIT $7 OFFSET $8",
    );
    FACETS = Each(
        "SELECT peer_did, kind, license, language, COUNT(*) FROM peer_dataset WHERE participant = $1 AND ($2 = '' OR instr(search, $2) > 0) GROUP BY peer_did, kind, license, language",
        "SELECT peer_did, kind, license, language, COUNT(*) FROM peer_dataset WHERE participant = $1 AND ($2 = '' OR strpos(search, $2) > 0) GROUP BY peer_did, kind, license, language",
    );
    ALL_FACETS = Same("SELECT peer_did, kind, license, language, COUNT(*) FROM peer_dataset WHERE participant = $1 GROUP BY peer_did, kind, license, language");
    TITLES = TITLES_OF_MANY;
    COUNTS = Same("SELECT peer_did, COUNT(*) FROM peer_dataset WHERE participant = $1 GROUP BY peer_did");
    STALE = Same("SELECT participant, did FROM peer WHERE last_ok_at IS NOT NULL AND COALESCE(catalog_read_at, 0) < $1 ORDER BY COALESCE(catalog_read_at, 0), participant, did LIMIT $2");
    READ_OK = Same("UPDATE peer SET catalog_read_at = $3, catalog_error = NULL, catalog_etag = $4 WHERE participant = $1 AND did = $2");
    UNCHANGED = Same("UPDATE peer SET catalog_read_at = $3, catalog_error = NULL WHERE participant = $1 AND did = $2");
    ETAG = Same("SELECT catalog_etag FROM peer WHERE participant = $1 AND did = $2");
    READ_FAILED = Same("UPDATE peer SET catalog_error = $3 WHERE participant = $1 AND did = $2");
    FORGET = Same("DELETE FROM peer WHERE participant = $1 AND did = $2");
}

fn read(row: &Row) -> Result<PeerDataset, StoreError> {
    Ok(PeerDataset {
        peer: row.parsed(0, Did::parse)?,
        dataset: row.string(1)?,
        kind: row.string(2)?,
        license: row.string(3)?,
        language: row.string(4)?,
        title: row.string(5)?,
        search: row.string(6)?,
        read_at: row.at(7)?,
        body: row.json(8)?,
    })
}

impl Tx {
    /// Adds or replaces a dataset in the copy of its peer's catalogue.
    pub fn peer_dataset_put(&mut self, participant: &Slug, dataset: &PeerDataset) -> Result<(), StoreError> {
        let d = dataset;
        let params = vals![
            participant.as_str(),
            d.peer.as_str(),
            d.dataset.as_str(),
            d.kind.as_str(),
            d.license.as_str(),
            d.language.as_str(),
            d.title.as_str(),
            d.search.to_lowercase(),
            d.read_at,
            json(&d.body)?
        ];
        self.execute(PUT, params).map(drop)
    }

    /// The catalogue of a peer was read to its end by a reading that began at `begun`: what it did not show is gone.
    /// `etag` is what the peer called it then.
    pub fn peer_catalog_read(&mut self, participant: &Slug, peer: &Did, begun: Timestamp, etag: Option<&str>) -> Result<(), StoreError> {
        self.execute(GONE, vals![participant.as_str(), peer.as_str(), begun])?;
        self.execute(READ_OK, vals![participant.as_str(), peer.as_str(), begun, etag]).map(drop)
    }

    /// The catalogue of a peer is, at `at`, the one that was read last.
    pub fn peer_catalog_unchanged(&mut self, participant: &Slug, peer: &Did, at: Timestamp) -> Result<(), StoreError> {
        self.execute(UNCHANGED, vals![participant.as_str(), peer.as_str(), at]).map(drop)
    }

    /// What the peer called the catalogue that was read last, if it was read to its end and the peer calls it anything.
    pub fn peer_catalog_etag(&mut self, participant: &Slug, peer: &Did) -> Result<Option<String>, StoreError> {
        Ok(self.first(ETAG, vals![participant.as_str(), peer.as_str()], |row| row.opt_string(0))?.flatten())
    }

    /// The catalogue of a peer could not be read. What is known of it stays.
    pub fn peer_catalog_failed(&mut self, participant: &Slug, peer: &Did, error: &str) -> Result<(), StoreError> {
        self.execute(READ_FAILED, vals![participant.as_str(), peer.as_str(), error]).map(drop)
    }

    /// By peer and id.
    pub fn peer_dataset_get(&mut self, participant: &Slug, peer: &Did, dataset: &str) -> Result<Option<PeerDataset>, StoreError> {
        self.first(GET, vals![participant.as_str(), peer.as_str(), dataset], read)
    }

    /// By title.
    pub fn peer_dataset_list(&mut self, participant: &Slug, filter: &PeerDatasetFilter) -> Result<Vec<PeerDataset>, StoreError> {
        let language = filter.language.as_deref().map(|tag| format!(",{tag},"));
        let params = vals![
            participant.as_str(),
            filter.peer.as_ref().map_or("", Did::as_str),
            filter.kind.as_deref().unwrap_or_default(),
            filter.license.as_deref().unwrap_or_default(),
            pattern(language.as_deref()),
            needle(filter.query.as_deref()),
            page(filter.limit),
            crate::value::count(filter.offset)
        ];
        self.list(LIST, params, read)
    }

    /// How many datasets there are of each combination of properties, of those a query finds.
    pub fn peer_dataset_facets(&mut self, participant: &Slug, query: Option<&str>) -> Result<Vec<FacetCount>, StoreError> {
        let needle = needle(query);
        let facet = |row: &Row| {
            Ok(FacetCount {
                peer: row.string(0)?,
                kind: row.string(1)?,
                license: row.string(2)?,
                language: row.string(3)?,
                count: row.count(4)?,
            })
        };
        if needle.is_empty() {
            // Without a query the index answers alone.
            return self.list(ALL_FACETS, vals![participant.as_str()], facet);
        }
        self.list(FACETS, vals![participant.as_str(), needle], facet)
    }

    /// Titles of datasets of a peer, by id.
    ///
    /// # Errors
    /// [`StoreError::Limit`] for more than [`PAGE_MAX`].
    pub fn peer_dataset_titles(
        &mut self,
        participant: &Slug,
        peer: &Did,
        datasets: &[String],
    ) -> Result<Vec<(String, String)>, StoreError> {
        if datasets.len() > PAGE_MAX as usize {
            return Err(StoreError::Limit(format!("more than {PAGE_MAX} datasets at once")));
        }
        let params = vals![participant.as_str(), peer.as_str(), json(&datasets)?];
        self.list(TITLES, params, |row| Ok((row.string(0)?, row.string(1)?)))
    }

    /// How many datasets the copy of each peer's catalogue holds.
    pub fn peer_dataset_counts(&mut self, participant: &Slug) -> Result<BTreeMap<String, u64>, StoreError> {
        let counts = self.list(COUNTS, vals![participant.as_str()], |row| Ok((row.string(0)?, row.count(1)?)))?;
        Ok(counts.into_iter().collect())
    }

    /// Peers of all participants that answered once and whose catalogue was last read before `before`, the longest ago
    /// first.
    pub fn peer_catalogs_stale(&mut self, before: Timestamp, limit: u32) -> Result<Vec<(Slug, Did)>, StoreError> {
        self.list(STALE, vals![before, page(limit)], |row| Ok((row.parsed(0, Slug::parse)?, row.parsed(1, Did::parse)?)))
    }

    /// Forgets a peer and the copy of its catalogue; false when it was not known. Deals with it stay.
    pub fn peer_forget(&mut self, participant: &Slug, peer: &Did) -> Result<bool, StoreError> {
        self.execute(GONE, vals![participant.as_str(), peer.as_str(), i64::MAX])?;
        Ok(self.execute(FORGET, vals![participant.as_str(), peer.as_str()])? == 1)
    }
}
