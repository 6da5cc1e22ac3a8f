//! Peers: from a DID or an address to the endpoints of its connector, and calls to its catalogue.

use super::App;
use crate::identity::token::AgreementClaim;
use crate::net::{address, client::OutRequest};
use axum::http::{HeaderValue, StatusCode, header};
use fondaco_core::{
    Code, Error, Result,
    participant::{Declarations, Did, NAME_MAX_CHARS, Participant, Slug},
    policy::Policy,
    product::Frequency,
};
use fondaco_dsp::{
    WireError,
    limits::Limits,
    messages::{
        catalog::{self, CatalogFilter},
        version::VersionResponse,
    },
};
use fondaco_store::PeerRow;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use url::Url;

/// What version discovery lives under.
const VERSION_PATH: &str = "/.well-known/dspace-version";
/// Most catalogue pages read while looking for a product: a bound on what one command may cost.
const PAGES_MAX: usize = 100;
/// Pages that a search goes on to while nothing is found: with 5,000 products searched for each, as our nodes do, all that
/// is kept of a peer.
const EMPTY_PAGES_MAX: usize = 20;
/// Longest entity tag kept. One that is longer only means that the catalogue is read whole.
const ETAG_MAX_BYTES: usize = 500;

/// How exact the time of the last contact in the list of peers is. It is a hint for people; finer would cost a write for
/// each negotiation.
pub const NOTED_TTL: Duration = Duration::from_mins(1);

/// A peer we can talk to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// Who it is.
    pub did: Did,
    /// The base of its DSP endpoints, without a trailing slash.
    pub dsp: String,
}

/// A page of a peer's catalogue.
#[derive(Clone, Debug)]
pub struct RemoteCatalog {
    /// Whose it is.
    pub peer: Remote,
    /// Its title: usually the participant's name.
    pub title: Option<String>,
    /// What is on offer.
    pub datasets: Vec<RemoteDataset>,
    /// Where the next page is, to be given back to us.
    pub next: Option<String>,
    /// What the peer calls this page as it is now: an entity tag.
    pub etag: Option<String>,
}

/// What is asked of a peer's catalogue.
#[derive(Clone, Copy, Debug, Default)]
pub struct CatalogAsked<'a> {
    /// Words that datasets contain, all of them.
    pub query: Option<&'a str>,
    /// Only this kind.
    pub kind: Option<&'a str>,
    /// The `next` of the page before.
    pub cursor: Option<&'a str>,
    /// The entity tag of the page that we have.
    pub unless: Option<&'a str>,
}

/// A dataset in a peer's catalogue. All texts are the peer's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RemoteDataset {
    /// Its id.
    pub id: String,
    /// Its title, or its id.
    pub title: String,
    /// Its description.
    pub description: String,
    /// Search words.
    pub keywords: Vec<String>,
    /// Its version.
    pub version: Option<String>,
    /// When it was published.
    pub issued: Option<String>,
    /// An SPDX expression or a web address, as far as the peer keeps to that.
    pub license: Option<String>,
    /// Whom to ask; an address that can be followed only if [`fondaco_core::listing::contact_url`] says so.
    pub contact_point: Option<String>,
    /// How often it is renewed: a name of ours where we know the peer's, else what the peer wrote.
    pub accrual_periodicity: Option<String>,
    /// Language tags.
    pub language: Vec<String>,
    /// What its provider says about it beyond DCAT: kind, schema, rows, size, profile.
    pub extension: Value,
    /// The formats it is delivered in.
    pub formats: Vec<String>,
    /// The offers for us.
    pub offers: Vec<RemoteOffer>,
}

/// An offer in a peer's catalogue.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RemoteOffer {
    /// Its id.
    pub id: String,
    /// The ODRL as it came.
    pub odrl: Value,
    /// The terms in words; when we cannot read them, a warning that says so.
    pub terms: Vec<String>,
}

impl RemoteDataset {
    /// A number the provider states in its description.
    pub fn number(&self, key: &str) -> Option<u64> {
        self.extension.get(key).and_then(Value::as_u64)
    }
    /// A text the provider states in its description.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.extension.get(key).and_then(Value::as_str)
    }
}

fn answered_badly(what: &str, e: &WireError) -> Error {
    Error::new(Code::PeerAnsweredBadly, format!("The peer's {what} cannot be used: {e}"))
}

impl App {
    /// The `Authorization` header for a call to a peer.
    ///
    /// # Errors
    /// When the participant has no usable key.
    pub async fn authorization(&self, slug: &Slug, own: &Did, peer: &Did, declared: &Declarations) -> Result<String> {
        self.authorization_signing(slug, own, peer, declared, None).await
    }

    /// The same for a call that signs an agreement.
    ///
    /// # Errors
    /// When the participant has no usable key.
    pub async fn authorization_signing(
        &self,
        slug: &Slug,
        own: &Did,
        peer: &Did,
        declared: &Declarations,
        agreement: Option<&AgreementClaim>,
    ) -> Result<String> {
        let key = self.signing_key(slug).await?;
        self.authenticator.outgoing_signing(&key, own, peer, declared, agreement, self.now(), &*self.entropy)
    }

    /// Finds a peer by its DID or by an address that ends in `/p/{slug}`.
    ///
    /// # Errors
    /// [`Code::DidUnresolvable`], [`Code::PeerUnreachable`], [`Code::AddressRefused`]… with what to do.
    pub async fn remote(&self, participant: &Participant, peer: &str) -> Result<Remote> {
        let found = self.find_remote(peer.trim()).await;
        self.note_peer(participant, peer, &found).await?;
        found
    }

    /// A peer that the caller knows the address of: nothing is asked of anybody.
    ///
    /// # Errors
    /// [`Code::DidInvalid`], [`Code::AddressRefused`].
    pub fn remote_at(&self, did: &str, dsp: &str) -> Result<Remote> {
        let dsp = dsp.trim_end_matches('/').to_owned();
        self.url(&dsp)?;
        Ok(Remote { did: Did::parse(did)?, dsp })
    }

    /// The same, of which nothing is remembered.
    pub(super) async fn find_remote(&self, peer: &str) -> Result<Remote> {
        if let Some((did, root)) = self.configured_peer(peer)? {
            return self.discovered(did, &root).await;
        }
        let did = if peer.starts_with("did:") { Did::parse(peer)? } else { self.did_at(peer).await? };
        if let Some(remote) = self.remotes.get(&did).await {
            return Ok(remote);
        }
        let document = self.resolver.resolve(&did).await?;
        let service = document
            .services
            .iter()
            .find(|s| s.types.iter().any(|t| t == "DataService"))
            .ok_or_else(|| Error::new(Code::DidUnresolvable, format!("The DID document of {did} names no DataService.")))?;
        let root = service
            .endpoint
            .trim_end_matches('/')
            .strip_suffix(VERSION_PATH)
            .ok_or_else(|| Error::new(Code::DidUnresolvable, format!("The DataService of {did} does not point to {VERSION_PATH}.")))?;
        self.discovered(did, root).await
    }

    /// A peer that the configuration places, by its id or its address: with a mock of identity there is no DID document.
    fn configured_peer(&self, peer: &str) -> Result<Option<(Did, String)>> {
        let root = |address: &Url| address.as_str().trim_end_matches('/').to_owned();
        let asked = peer.trim_end_matches('/');
        let mut known = self.config.identity.peers.iter();
        let found = known.find(|(id, address)| id.as_str() == peer || root(address) == asked);
        found.map(|(id, address)| Ok((Did::parse(id)?, root(address)))).transpose()
    }

    /// Version discovery below `root`.
    async fn discovered(&self, did: Did, root: &str) -> Result<Remote> {
        if let Some(remote) = self.remotes.get(&did).await {
            return Ok(remote);
        }
        let url = self.url(&format!("{root}{VERSION_PATH}"))?;
        let response = self.outbound.send(OutRequest::get(url).with_limit(Limits::VERSION.bytes as u64)).await?;
        if !response.status.is_success() {
            return Err(Error::new(Code::PeerAnsweredBadly, format!("Version discovery of {did} answered {}.", response.status.as_u16())));
        }
        let versions = VersionResponse::parse(&response.body).map_err(|e| answered_badly("version document", &e))?;
        let ours = versions
            .protocol_versions
            .iter()
            .find(|v| {
                v.version == fondaco_dsp::VERSION && v.binding == "HTTPS" && v.service_id.as_deref().is_none_or(|id| id == did.as_str())
            })
            .ok_or_else(|| Error::new(Code::PeerAnsweredBadly, format!("{did} does not speak the Dataspace Protocol 2025-1 over HTTP.")))?;
        let path = ours.path.trim_end_matches('/');
        let dsp = if path.is_empty() || path.starts_with('/') { format!("{root}{path}") } else { format!("{root}/{path}") };
        self.url(&dsp)?;
        let remote = Remote { did: did.clone(), dsp };
        self.remotes.insert(did, remote.clone()).await;
        Ok(remote)
    }

    /// The DID of the document below an address; it must be the address that the DID itself names.
    async fn did_at(&self, address: &str) -> Result<Did> {
        let base = address.trim_end_matches('/');
        if let Some(did) = self.addresses.get(base).await {
            return Ok(did);
        }
        let url = self.url(&format!("{base}/did.json"))?;
        let response = self.outbound.send(OutRequest::get(url.clone()).with_limit(Limits::DID.bytes as u64)).await?;
        let said = serde_json::from_slice::<Value>(&response.body).ok().filter(|_| response.status.is_success());
        let did = said.as_ref().and_then(|d| d.get("id")).and_then(Value::as_str).ok_or_else(|| {
            Error::new(
                Code::DidUnresolvable,
                format!("There is no DID document at {url}. Give a did:web or an address that ends in /p/SLUG."),
            )
        })?;
        let did = Did::parse(did)?;
        let (host, path) = did.web_location()?;
        let port = url.port().map(|p| format!(":{p}")).unwrap_or_default();
        let asked = format!("{}{port}{}", url.host_str().unwrap_or_default(), url.path());
        if asked != format!("{host}{path}") {
            return Err(Error::new(Code::DidUnresolvable, format!("The document at {url} belongs to {did}, which lives elsewhere.")));
        }
        self.addresses.insert(base.to_owned(), did.clone()).await;
        Ok(did)
    }

    /// A URL that we may call.
    ///
    /// # Errors
    /// [`Code::AddressRefused`].
    pub fn url(&self, text: &str) -> Result<Url> {
        address::parse_url(text, self.outbound.rule())
    }

    /// A URL of our own, which need not be one we may call.
    ///
    /// # Errors
    /// When the configured public address does not make one.
    pub fn url_of_own(&self, text: &str) -> Result<Url> {
        Url::parse(text).map_err(Error::internal_failure)
    }

    /// Remembers how a contact with a peer went, for the list of peers.
    async fn note_peer(&self, participant: &Participant, address: &str, found: &Result<Remote>) -> Result<()> {
        let now = self.now();
        let contact = (participant.slug.clone(), address.to_owned());
        if found.is_ok() && self.noted.contains_key(&contact) {
            return Ok(());
        }
        let known = match found {
            Ok(remote) => Some(remote.did.clone()),
            Err(_) => Did::parse(address).ok().filter(|d| d.as_str().starts_with("did:")),
        };
        let Some(did) = known else { return Ok(()) };
        let row = PeerRow {
            participant: participant.slug.clone(),
            did,
            name: None,
            address: Some(address.chars().take(2_048).collect()),
            last_ok_at: found.is_ok().then_some(now),
            last_error: found.as_ref().err().map(|e| e.message().to_owned()),
            catalog_read_at: None,
            catalog_error: None,
        };
        self.store.tx("peer.touch", move |tx| -> Result<_> { Ok(tx.peer_touch(&row)?) }).await?;
        if found.is_ok() {
            self.noted.insert(contact, ()).await;
        } else {
            self.noted.invalidate(&contact).await;
        }
        Ok(())
    }

    /// Keeps what a peer calls itself in its catalogue, so that lists can show more than its DID.
    async fn learn_name(&self, participant: &Participant, did: &Did, title: Option<&str>) -> Result<()> {
        let name: String = title.unwrap_or_default().trim().chars().take(NAME_MAX_CHARS).collect();
        if name.is_empty() || self.peer_names(&participant.slug, [did]).await?.peer(did) == name {
            return Ok(());
        }
        let slug = participant.slug.clone();
        let learnt = PeerRow {
            participant: slug,
            did: did.clone(),
            name: Some(name),
            address: None,
            last_ok_at: Some(self.now()),
            last_error: None,
            catalog_read_at: None,
            catalog_error: None,
        };
        self.store.tx("peer.name", move |tx| -> Result<_> { Ok(tx.peer_touch(&learnt)?) }).await
    }

    fn declared_by(participant: &Participant) -> Declarations {
        Declarations { spatial: participant.country.clone(), purpose: Vec::new() }
    }

    /// A page of a peer's catalogue: the entries that were asked for. `None` when it is the page that we have.
    ///
    /// # Errors
    /// As [`App::remote`].
    pub async fn remote_catalog(&self, participant: &Participant, peer: &str, asked: CatalogAsked<'_>) -> Result<Option<RemoteCatalog>> {
        let remote = self.remote(participant, peer).await?;
        let query = asked.query.map(str::to_lowercase).unwrap_or_default();
        let words: Vec<&str> = query.split_whitespace().collect();
        // Nodes of ours find one text; the longest word leaves the least to sort out here.
        let longest = words.iter().max_by_key(|w| w.chars().count());
        let filter = CatalogFilter { query: longest.map(|w| (*w).to_owned()), kind: asked.kind.map(str::to_owned) };
        let page = match self.catalog_page(participant, &remote, &filter, asked).await {
            // Filters are each provider's own. One that has others, or none, is asked for everything.
            Err(e) if filter != CatalogFilter::default() && e.code() == Code::PeerRefused => {
                self.catalog_page(participant, &remote, &CatalogFilter::default(), asked).await
            }
            page => page,
        };
        let Some(CatalogPage { mut catalog, mut next, etag }) = page? else { return Ok(None) };
        // A page of a search may hold nothing and still lead on.
        for _ in 0..EMPTY_PAGES_MAX {
            let (Some(cursor), true) = (&next, catalog.datasets.is_empty() && filter != CatalogFilter::default()) else { break };
            let on = CatalogAsked { cursor: Some(cursor), unless: None, ..asked };
            let Some(page) = self.catalog_page(participant, &remote, &filter, on).await? else { break };
            (catalog, next) = (page.catalog, page.next);
        }
        let name = catalog.title.clone();
        self.learn_name(participant, &remote.did, name.as_deref()).await?;
        catalog.datasets.retain(|d| {
            let texts = [Some(d.id.as_str()), d.title.as_deref(), d.description.as_deref()];
            let text =
                texts.into_iter().flatten().chain(d.keywords.iter().map(String::as_str)).collect::<Vec<_>>().join("\n").to_lowercase();
            let kind = d.extension.as_ref().and_then(|e| e.get("kind")).and_then(Value::as_str);
            words.iter().all(|w| text.contains(w)) && asked.kind.is_none_or(|wanted| kind == Some(wanted))
        });
        let datasets = catalog.datasets.into_iter().map(described).collect();
        Ok(Some(RemoteCatalog { peer: remote, title: name, datasets, next, etag }))
    }

    async fn catalog_page(
        &self,
        participant: &Participant,
        remote: &Remote,
        filter: &CatalogFilter,
        asked: CatalogAsked<'_>,
    ) -> Result<Option<CatalogPage>> {
        let first = self.url(&format!("{}/catalog/request", remote.dsp))?;
        let url = match asked.cursor {
            None => first.clone(),
            Some(cursor) => page_url(&first, cursor)?,
        };
        let request = catalog::CatalogRequestMessage { message_id: Some(self.fresh_urn()), filter: filter.to_filters() };
        let authorization = self.authorization(&participant.slug, &participant.did, &remote.did, &Self::declared_by(participant)).await?;
        let mut call = OutRequest::post_json(url, request.to_json().to_string())
            .with_authorization(&authorization)?
            .with_limit(Limits::CATALOG.bytes as u64);
        if let Some(etag) = asked.unless.and_then(|tag| HeaderValue::from_str(tag).ok()) {
            call = call.with_header(header::IF_NONE_MATCH, etag);
        }
        let response = self.outbound.send(call).await?;
        if asked.unless.is_some() && matches!(response.status, StatusCode::PRECONDITION_FAILED | StatusCode::NOT_MODIFIED) {
            return Ok(None);
        }
        if !response.status.is_success() {
            return Err(refused("catalogue", response.status.as_u16(), &response.body));
        }
        let links = response.headers.get_all(header::LINK);
        let next = links.iter().filter_map(|v| v.to_str().ok()).find_map(|link| next_page(&first, link));
        let etag = response.headers.get(header::ETAG).and_then(|v| v.to_str().ok()).filter(|tag| tag.len() <= ETAG_MAX_BYTES);
        let catalog = catalog::Catalog::parse(&response.body).map_err(|e| answered_badly("catalogue", &e))?;
        Ok(Some(CatalogPage { catalog, next, etag: etag.map(str::to_owned) }))
    }

    /// A dataset of a peer, by its id or by a product's id, which means its newest version.
    ///
    /// # Errors
    /// [`Code::NotFound`] when the peer has none for us.
    pub async fn remote_dataset(
        &self,
        participant: &Participant,
        remote: &Remote,
        id: &str,
        declared: &Declarations,
    ) -> Result<RemoteDataset> {
        super::bounded("product", id, fondaco_core::ids::FOREIGN_ID_MAX_CHARS)?;
        let found = self.dataset_by_id(participant, remote, id, declared).await?;
        let newest = found.as_ref().and_then(|d| d.text("latest")).filter(|latest| *latest != id && !id.contains(':')).map(str::to_owned);
        if let Some(newest) = newest
            && let Some(newer) = self.dataset_by_id(participant, remote, &newest, declared).await?
        {
            return Ok(newer);
        }
        if let Some(found) = found {
            return Ok(found);
        }
        // Version 1 may be withdrawn while a later version is on offer: look through the catalogue, or through what of it
        // holds the id, where the provider understands that.
        let mut filter = CatalogFilter { query: Some(id.to_owned()), kind: None };
        let mut cursor = None;
        for _ in 0..PAGES_MAX {
            let asked = CatalogAsked { cursor: cursor.as_deref(), ..CatalogAsked::default() };
            let page = match self.catalog_page(participant, remote, &filter, asked).await {
                Err(e) if filter != CatalogFilter::default() && e.code() == Code::PeerRefused => {
                    (filter, cursor) = (CatalogFilter::default(), None);
                    continue;
                }
                page => page?,
            };
            let Some(CatalogPage { catalog: page, next, .. }) = page else { break };
            let of_product = |d: &&catalog::Dataset| d.id == id || d.id.split_once(':').is_some_and(|(base, _)| base == id);
            if let Some(best) = page.datasets.iter().filter(of_product).max_by_key(|d| version_number(&d.id)) {
                return Ok(described(best.clone()));
            }
            match next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        Err(Error::not_found(format!("The product \"{id:.100}\" of this peer")))
    }

    async fn dataset_by_id(
        &self,
        participant: &Participant,
        remote: &Remote,
        id: &str,
        declared: &Declarations,
    ) -> Result<Option<RemoteDataset>> {
        let mut url = self.url(&format!("{}/catalog/datasets", remote.dsp))?;
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.push(id);
        }
        let authorization = self.authorization(&participant.slug, &participant.did, &remote.did, declared).await?;
        let call = OutRequest::get(url).with_authorization(&authorization)?.with_limit(Limits::CATALOG.bytes as u64);
        let response = self.outbound.send(call).await?;
        match response.status.as_u16() {
            200 => {
                let dataset = catalog::Dataset::parse(&response.body).map_err(|e| answered_badly("dataset", &e))?;
                if dataset.id != id {
                    return Err(Error::new(Code::PeerAnsweredBadly, "The peer answered with another dataset than the one asked for."));
                }
                Ok(Some(described(dataset)))
            }
            404 => Ok(None),
            status => Err(refused("dataset", status, &response.body)),
        }
    }
}

fn refused(what: &str, status: u16, body: &[u8]) -> Error {
    let words = catalog::CatalogError::parse(body).map(|e| e.reasons.join(" ")).unwrap_or_default();
    Error::new(Code::PeerRefused, format!("The peer refused its {what} ({status}). {words}").trim().to_owned())
}

fn version_number(dataset: &str) -> u32 {
    dataset.split_once(':').and_then(|(_, v)| v.parse().ok()).unwrap_or(1)
}

/// A page as it came.
struct CatalogPage {
    catalog: catalog::Catalog,
    next: Option<String>,
    etag: Option<String>,
}

/// The address of the next page, from a `Link` header (RFC 8288): below the catalogue's own address its query, else the
/// whole address.
fn next_page(first: &Url, link: &str) -> Option<String> {
    link.split(',').find_map(|part| {
        let (target, parameters) = part.trim().split_once('>')?;
        let is_next =
            parameters.split(';').any(|p| p.trim().eq_ignore_ascii_case("rel=\"next\"") || p.trim().eq_ignore_ascii_case("rel=next"));
        let url = first.join(target.trim_start_matches('<')).ok().filter(|_| is_next)?;
        match url.query() {
            Some(query) if same_place(&url, first) => Some(format!("?{query}")),
            _ => Some(url.into()),
        }
    })
}

fn same_place(a: &Url, b: &Url) -> bool {
    a.origin() == b.origin() && a.path() == b.path()
}

/// From what [`next_page`] gave to an address. Pages lie where the catalogue does: our credential goes nowhere else.
fn page_url(first: &Url, cursor: &str) -> Result<Url> {
    let other = || Error::invalid("The cursor is not one of this peer's; begin without it.");
    let url = first.join(cursor).map_err(|_| other())?;
    if url.origin() == first.origin() { Ok(url) } else { Err(other()) }
}

fn described(d: catalog::Dataset) -> RemoteDataset {
    let formats = d.distributions.iter().map(|x| x.format.clone()).collect();
    // Offers may hang on the dataset or on a distribution.
    let all = d.offers.iter().chain(d.distributions.iter().flat_map(|x| &x.offers));
    let offers = all.filter_map(offered).collect();
    RemoteDataset {
        title: d.title.unwrap_or_else(|| d.id.clone()),
        id: d.id,
        description: d.description.unwrap_or_default(),
        keywords: d.keywords,
        version: d.version,
        issued: d.issued,
        license: d.license,
        contact_point: d.contact_point,
        accrual_periodicity: d.accrual_periodicity.map(|f| frequency(&f)),
        language: d.language,
        extension: d.extension.unwrap_or(Value::Null),
        formats,
        offers,
    }
}

/// The name of a frequency of the EU's vocabulary; anything else as it is.
fn frequency(text: &str) -> String {
    let known = Frequency::ALL.iter().find(|f| f.iri() == text || f.as_str() == text);
    known.map_or_else(|| text.to_owned(), |f| f.as_str().to_owned())
}

fn offered(odrl: &Value) -> Option<RemoteOffer> {
    let id = odrl.get("@id")?.as_str()?.to_owned();
    let terms = match Policy::from_odrl(odrl) {
        Ok(policy) => policy.sentences(),
        Err(e) => vec![format!("These terms cannot be put into words here; read the policy itself. {e}")],
    };
    Some(RemoteOffer { id, odrl: odrl.clone(), terms })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_among_links() {
        let first = Url::parse("https://h/p/a/catalog/request").expect("url");
        let next = |link: &str| next_page(&first, link);
        let here = "https://h/p/a/catalog/request";
        assert_eq!(next(&format!("<{here}?cursor=a%20b>; rel=\"next\"")).as_deref(), Some("?cursor=a%20b"));
        let two = format!("<{here}?cursor=x>; rel=\"previous\", <{here}?cursor=y>; rel=\"next\"");
        assert_eq!(next(&two).as_deref(), Some("?cursor=y"));
        // Others call it otherwise, or put it elsewhere.
        assert_eq!(next("</p/a/catalog/request?continuationToken=1>; rel=next").as_deref(), Some("?continuationToken=1"));
        assert_eq!(next("<https://h/pages/2>; rel=\"next\"").as_deref(), Some("https://h/pages/2"));
        assert_eq!(next(&format!("<{here}?cursor=x>; rel=\"previous\"")), None);
        assert_eq!(next("garbage"), None);
        // What comes back leads to the same place again, and nowhere else.
        assert_eq!(page_url(&first, "?cursor=a%20b").map(String::from), Ok(format!("{here}?cursor=a%20b")));
        assert_eq!(page_url(&first, "https://h/pages/2").map(String::from), Ok("https://h/pages/2".into()));
        for elsewhere in ["https://evil.example/x", "//evil.example/x", "http://h/pages/2", "https://h:8443/pages/2"] {
            assert!(page_url(&first, elsewhere).is_err(), "{elsewhere}");
        }
    }
}
