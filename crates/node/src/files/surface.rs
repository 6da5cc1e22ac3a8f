//! The files of a product over HTTP: `/p/{slug}/files/{transfer}`, the list, and `…/data/{path}`, the bytes.
//!
//! The endpoint of a data address of format `HttpData-PULL`. With the bearer token of the start message one gets the list;
//! the addresses in it are signed, so that browsers, curl and wget need nothing else. Whether access is still open is
//! asked at every request, and watched while bytes flow.
//!
//! A list asked for with the token counts as one read of the product version. What it leads to (its other pages and
//! forms, its files, however often they are continued) belongs to that read. A file asked for with the token alone
//! belongs to the read that was counted within the last day, or else counts as one.

use super::{
    serve::{self, Asked, Stored},
    wire::{ListedFile, Listing, PAGE_FILES},
};
use crate::{
    app::{App, access::Grant, product_files::file_count},
    console_web::language,
    http::{
        bearer,
        problem::{ApiError, ApiResult},
    },
};
use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Path, RawQuery, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
    response::{IntoResponse, Response},
    routing::get,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use fondaco_console::{
    format::{Bytes as Size, Count},
    pages::{SharedFileRow, SharedFilesPage},
};
use fondaco_core::{
    Code, Error, Result,
    ids::TransferId,
    participant::Slug,
    product::{Product, ProductKind},
    time::{Micros, Timestamp},
};
use fondaco_store::ProductFile;
use fondaco_tables::delta_sharing::{FileUrl, UrlError, sign_file_url, verify_file_url};
use futures::stream;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};
use std::{collections::HashMap, sync::LazyLock};
use url::form_urlencoded;

/// How long the address of a file lives. Access can end earlier: every request and every piece is checked.
const URL_LIFE: Micros = Micros::from_secs(3_600);
/// How long the address of a list lives, with which those of its files are renewed: a large download takes its time. It
/// is not renewed itself.
const LIST_LIFE: Micros = Micros::from_secs(86_400);
/// What the key that signs these addresses is derived for.
const URL_KEY: &str = "files-urls";
/// What the address of a list is signed for; no file's, since those begin with [`DATA`].
const LIST: &str = "list";
/// What the address of a file is signed for begins with.
const DATA: &str = "data/";
/// What stands for the listing in the records of files that were fetched with the token alone.
const BY_TOKEN: &str = "token";
/// The policy of the list as a page: nothing but its own style.
static PAGE_POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = STANDARD.encode(Sha256::digest(SharedFilesPage::STYLE));
    format!("default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
});
/// RFC 3986: what stays unescaped in a path.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// The routes below `/p/{slug}/files`.
pub fn router() -> Router<App> {
    Router::new()
        .route("/{transfer}", get(list))
        .route("/{transfer}/croissant.json", get(croissant))
        .route("/{transfer}/data/{*path}", get(data))
}

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Json,
    Html,
    /// What `sha256sum -c` reads.
    Sums,
    /// What `wget -i` reads.
    Urls,
}

/// The parameters of the query that are looked at.
#[derive(Debug, Default, PartialEq, Eq)]
struct Query {
    after: u64,
    limit: u32,
    form: Option<Form>,
    version: Option<u32>,
    signed: bool,
}

impl Query {
    fn parse(query: &str) -> Result<Self> {
        let mut parsed = Self { limit: PAGE_FILES, ..Self::default() };
        let number = |name: &str, value: &str| {
            value.parse::<u32>().map_err(|_| Error::invalid(format!("\"{name}\" is a number; \"{value:.40}\" is none.")))
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "after" => parsed.after = number("after", &value)?.into(),
                "limit" => parsed.limit = number("limit", &value)?.clamp(1, PAGE_FILES),
                "v" => parsed.version = Some(number("v", &value)?),
                "sig" => parsed.signed = true,
                "format" => {
                    parsed.form = Some(match value.as_ref() {
                        "json" => Form::Json,
                        "html" => Form::Html,
                        "sha256sums" => Form::Sums,
                        "urls" => Form::Urls,
                        _ => return Err(Error::invalid("\"format\" is one of: json, html, sha256sums, urls.")),
                    });
                }
                // Clients and proxies may add their own.
                _ => {}
            }
        }
        Ok(parsed)
    }

    /// As asked for, else as the reader prefers: browsers name HTML, programs do not.
    fn form(&self, headers: &HeaderMap) -> Form {
        let names_html = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("text/html"));
        self.form.unwrap_or(if names_html { Form::Html } else { Form::Json })
    }
}

/// Somebody who may read.
struct Reader {
    grant: Grant,
    /// The read that the address belongs to; `None` for who came with the token.
    read: Option<Read>,
}

/// A read that was counted.
struct Read {
    id: String,
    /// When the address of the list ends, and with it the read: what it leads to lives no longer, or it would go on for ever.
    end: Timestamp,
}

/// Checks the credential of a request: a signed address, or the token.
async fn reader(app: &App, slug: &Slug, transfer: String, what: &str, query: &str, asked: &Query, headers: &HeaderMap) -> Result<Reader> {
    let ended = |e: UrlError| match e {
        UrlError::Forged => Error::new(Code::Forbidden, "The address was not issued by this node, or was changed."),
        UrlError::Expired => Error::new(Code::AccessEnded, "The address has expired; ask for the list of files again."),
    };
    let (grant, read) = if asked.signed {
        let version = asked.version.unwrap_or_default();
        let key = app.sealer.derive(URL_KEY);
        let signed = verify_file_url(&scope(&transfer, version), what, query, key.as_ref(), app.now().as_millis()).map_err(ended)?;
        let grant = app.grant(slug, &TransferId::from_stored(transfer)).await?;
        let grant = app.grant_at_version(grant, version).await?;
        if grant.product.reference.version != version {
            return Err(Error::new(Code::AccessEnded, "This version is not delivered any more; ask for the list of files again."));
        }
        (grant, Some(Read { id: signed.query_id, end: Timestamp::from_micros(signed.expires_at_ms.saturating_mul(1_000)) }))
    } else {
        let token = bearer::token(headers).ok_or_else(|| {
            Error::new(Code::Unauthenticated, "Send the bearer token of the data address, or use an address from the list.")
        })?;
        let grant = app.grant_by_token(slug, token).await?;
        if grant.transfer.id.as_str() != transfer {
            return Err(Error::not_found("The transfer"));
        }
        match asked.version {
            Some(version) => (app.grant_at_version(grant, version).await?, None),
            None => (grant, None),
        }
    };
    if grant.product.kind != ProductKind::Files {
        return Err(Error::not_found("A list of files; a table is read by Delta Sharing. It"));
    }
    Ok(Reader { grant, read })
}

fn slug_of(text: &str) -> Result<Slug> {
    Slug::parse(text).map_err(|_| Error::not_found("The participant"))
}

fn scope(transfer: &str, version: u32) -> String {
    format!("{transfer}/{version}")
}

/// `GET /p/{slug}/files/{transfer}`: the list.
async fn list(
    State(app): State<App>,
    Path((slug, transfer)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let query = query.unwrap_or_default();
    let (slug, asked) = (slug_of(&slug)?, Query::parse(&query)?);
    let reader = reader(&app, &slug, transfer, LIST, &query, &asked, &headers).await?;
    let fresh = reader.read.is_none();
    if fresh {
        app.admit_download(&reader.grant).await?;
    }
    let read = reader.read.unwrap_or_else(|| Read { id: app.fresh_id(), end: app.now().plus(LIST_LIFE) });
    let signer = Signer::new(&app, &slug, &reader.grant, read);
    let answer = match asked.form(&headers) {
        Form::Json => page(&app, &reader.grant.product, &signer, &asked).await.map(|listing| Json(listing).into_response()),
        Form::Html => html(&app, &reader.grant.product, &signer, &asked, &headers).await,
        Form::Sums => Ok(lines(&app, reader.grant.clone(), signer, Form::Sums)),
        Form::Urls => Ok(lines(&app, reader.grant.clone(), signer, Form::Urls)),
    };
    let mut response = match answer {
        Ok(response) => response,
        Err(e) => {
            // Nothing was read after all.
            if fresh {
                app.give_back_read(&reader.grant).await?;
            }
            return Err(e.into());
        }
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    Ok(response)
}

/// `GET /p/{slug}/files/{transfer}/croissant.json`: the files, described for loaders of machine learning.
async fn croissant(
    State(app): State<App>,
    Path(path): Path<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<axum::Json<serde_json::Value>, ApiError> {
    let part = |name: &str| path.get(name).cloned().unwrap_or_default();
    let slug = slug_of(&part("slug"))?;
    let reader = reader(&app, &slug, part("transfer"), LIST, "", &Query::parse("")?, &headers).await?;
    Ok(axum::Json(app.croissant_for(&reader.grant, None).await?))
}

/// `GET|HEAD /p/{slug}/files/{transfer}/data/{path}`: the bytes of a file.
async fn data(
    State(app): State<App>,
    Path(path): Path<HashMap<String, String>>,
    RawQuery(query): RawQuery,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let part = |name: &str| path.get(name).cloned().unwrap_or_default();
    let (query, name) = (query.unwrap_or_default(), part("path"));
    let (slug, asked) = (slug_of(&part("slug"))?, Query::parse(&query)?);
    let reader = reader(&app, &slug, part("transfer"), &format!("{DATA}{name}"), &query, &asked, &headers).await?;
    let (product, by_name) = (reader.grant.product.clone(), name.clone());
    let (owner, reference) = (product.participant.clone(), product.reference.clone());
    let file =
        app.store.read("files.by_name", move |tx| -> Result<_> { Ok(tx.product_file_by_name(&owner, &reference, &by_name)?) }).await?;
    let file = file.ok_or_else(|| Error::not_found("The file"))?;
    if reader.read.is_none() && method != Method::HEAD {
        app.admit_within_a_day(&reader.grant).await?;
    }
    let stored = Stored {
        path: app.product_file_path(&product, &file)?,
        media_type: media_type(&file),
        file: &file,
        attachment: true,
        query: reader.read.as_ref().map_or(BY_TOKEN, |read| &read.id),
        rows: 0,
        governed: None,
    };
    Ok(serve::respond(&app, &reader.grant, stored, Asked { method: &method, headers: &headers }).await?)
}

fn media_type(file: &ProductFile) -> &str {
    file.body.get("mediaType").and_then(serde_json::Value::as_str).unwrap_or("application/octet-stream")
}

/// Gives lists and files their addresses.
#[derive(Clone)]
struct Signer {
    base: String,
    scope: String,
    version: u32,
    read: String,
    key: std::sync::Arc<crate::secrets::seal::DerivedKey>,
    files_end: Timestamp,
    lists_end: Timestamp,
}

impl Signer {
    fn new(app: &App, slug: &Slug, grant: &Grant, read: Read) -> Self {
        let lists_end = grant.permit.until.map_or(read.end, |until| until.min(read.end));
        let version = grant.product.reference.version;
        Self {
            base: format!("{}/files/{}", app.config.participant_base(slug), grant.transfer.id),
            scope: scope(grant.transfer.id.as_str(), version),
            version,
            read: read.id,
            key: std::sync::Arc::new(app.sealer.derive(URL_KEY)),
            files_end: app.now().plus(URL_LIFE).min(lists_end),
            lists_end,
        }
    }

    fn sign(&self, base: &str, what: &str, end: Timestamp) -> String {
        let grant =
            FileUrl { transfer: self.scope.clone(), file: what.to_owned(), query_id: self.read.clone(), expires_at_ms: end.as_millis() };
        format!("{}&v={}", sign_file_url(base, &grant, (*self.key).as_ref()), self.version)
    }

    fn file(&self, name: &str) -> String {
        self.sign(&format!("{}/data/{}", self.base, utf8_percent_encode(name, PATH)), &format!("{DATA}{name}"), self.files_end)
    }

    fn list(&self, after: u64, limit: u32) -> String {
        format!("{}&after={after}&limit={limit}", self.sign(&self.base, LIST, self.lists_end))
    }

    fn list_as(&self, form: &str) -> String {
        format!("{}&format={form}", self.sign(&self.base, LIST, self.lists_end))
    }
}

async fn rows(app: &App, product: &Product, from: u64, limit: u32) -> Result<Vec<ProductFile>> {
    let (slug, reference) = (product.participant.clone(), product.reference.clone());
    app.store.read("files.page", move |tx| -> Result<_> { Ok(tx.product_files_page(&slug, &reference, from, limit)?) }).await
}

async fn page(app: &App, product: &Product, signer: &Signer, asked: &Query) -> Result<Listing> {
    let rows = rows(app, product, asked.after, asked.limit).await?;
    let count = file_count(product);
    let next = rows.last().map(|last| last.position + 1).filter(|next| *next < count);
    let files = rows.iter().map(|row| ListedFile {
        path: row.name.clone(),
        size: row.size,
        sha256: row.sha256.clone(),
        media_type: media_type(row).to_owned(),
        url: signer.file(&row.name),
    });
    Ok(Listing {
        product: product.reference.id.to_string(),
        title: product.title.clone(),
        version: product.reference.version,
        file_count: count,
        size_bytes: product.content.get("sizeBytes").and_then(serde_json::Value::as_u64).unwrap_or_default(),
        files: files.collect(),
        this: signer.list(asked.after, asked.limit),
        next: next.map(|next| signer.list(next, asked.limit)),
        expires: signer.lists_end.to_rfc3339(),
    })
}

async fn html(app: &App, product: &Product, signer: &Signer, asked: &Query, headers: &HeaderMap) -> Result<Response> {
    let listing = page(app, product, signer, asked).await?;
    let rows = listing.files.into_iter().map(|f| SharedFileRow { path: f.path, size: Size(f.size), sha256: f.sha256, url: f.url });
    let page = SharedFilesPage {
        locale: language::of(app, headers),
        title: listing.title,
        version: listing.version,
        files: Count(listing.file_count),
        size: Size(listing.size_bytes),
        rows: rows.collect(),
        sums_url: signer.list_as("sha256sums"),
        urls_url: signer.list_as("urls"),
        next_url: listing.next.map(|next| format!("{next}&format=html")),
    };
    let body = page.html().map_err(Error::internal_failure)?;
    let fixed: [(HeaderName, &str); 5] = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, &PAGE_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // The addresses on the page are credentials.
        (header::REFERRER_POLICY, "no-referrer"),
        (header::VARY, "accept, accept-language, cookie"),
    ];
    let mut response = body.into_response();
    for (name, value) in fixed {
        response.headers_mut().insert(name, HeaderValue::from_str(value).map_err(Error::internal_failure)?);
    }
    Ok(response)
}

/// A list as text, written while it is read from the database. Names hold neither line ends nor backslashes
/// ([`super::name`]), so nothing needs the escapes of `sha256sum`.
fn lines(app: &App, grant: Grant, signer: Signer, form: Form) -> Response {
    let app = app.clone();
    let body = stream::try_unfold(Some(0u64), move |from| {
        let (app, grant, signer) = (app.clone(), grant.clone(), signer.clone());
        async move {
            let Some(from) = from else { return Ok::<_, std::io::Error>(None) };
            if !grant.watch.is_open(app.now()) {
                return Err(std::io::Error::new(std::io::ErrorKind::PermissionDenied, "access has ended"));
            }
            let rows = rows(&app, &grant.product, from, PAGE_FILES).await.map_err(std::io::Error::other)?;
            let Some(last) = rows.last() else { return Ok(None) };
            let next = (rows.len() == PAGE_FILES as usize).then_some(last.position + 1);
            let text: String = rows
                .iter()
                .map(|row| match form {
                    Form::Urls => format!("{}\n", signer.file(&row.name)),
                    Form::Sums | Form::Json | Form::Html => format!("{}  {}\n", row.sha256, row.name),
                })
                .collect();
            Ok(Some((Bytes::from(text), next)))
        }
    });
    let kind = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (kind, Body::from_stream(body)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read_within_bounds() {
        let read = Query::parse("after=10&limit=5000&format=urls&v=3&other=x&sig=y").expect("reads");
        assert_eq!(read, Query { after: 10, limit: PAGE_FILES, form: Some(Form::Urls), version: Some(3), signed: true });
        assert_eq!(Query::parse("limit=0").expect("reads").limit, 1);
        for bad in ["after=x", "limit=-1", "format=xml", "v=99999999999"] {
            assert_eq!(Query::parse(bad).expect_err(bad).code(), Code::Invalid, "{bad}");
        }
    }

    #[test]
    fn browsers_get_a_page_and_programs_json() {
        let accept = |text: &'static str| HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(text))]);
        let query = Query::parse("").expect("reads");
        assert_eq!(query.form(&accept("text/html,application/xhtml+xml,*/*;q=0.8")), Form::Html);
        assert_eq!(query.form(&accept("*/*")), Form::Json);
        assert_eq!(query.form(&HeaderMap::new()), Form::Json);
        assert_eq!(Query::parse("format=json").expect("reads").form(&accept("text/html")), Form::Json);
    }
}
