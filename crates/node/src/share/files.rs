//! `GET|HEAD …/files/{transfer}/{file}`: the bytes, under a signed address.
//!
//! The address is the credential; whether its transfer is still open is looked up for every request, and watched
//! before every chunk.

use super::{Refusal, query::URL_KEY};
use crate::app::{App, gate::Watch};
use axum::{
    body::{Body, Bytes},
    extract::{Path, RawQuery, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use fondaco_core::{Code, Error, ids::TransferId, participant::Slug, time::Clock};
use fondaco_tables::{
    delta_sharing::{UrlError, verify_file_url},
    serve::{self, ByteRange, Multipart, Plan, RequestHeaders, plan_response},
};
use futures::stream;
use std::{io::SeekFrom, path::PathBuf, sync::Arc};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt},
};

/// Bytes read and sent at a time: large enough for the disk, small enough that an ended access stops soon and that
/// memory stays flat.
const CHUNK_BYTES: usize = 256 * 1024;

/// The media type of Parquet.
const PARQUET: &str = "application/vnd.apache.parquet";

/// Serves a file.
pub async fn file(
    State(app): State<App>,
    Path((slug, transfer, version, name)): Path<(String, String, u32, String)>,
    RawQuery(query): RawQuery,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let slug = Slug::parse(&slug).map_err(|_| Error::not_found("The file"))?;
    let key = app.sealer.derive(URL_KEY);
    verify_file_url(&format!("{transfer}/{version}"), &name, query.as_deref().unwrap_or_default(), key.as_ref(), app.now().as_millis())
        .map_err(|e| match e {
            UrlError::Forged => Error::new(Code::Forbidden, "The address was not issued by this node, or was changed."),
            UrlError::Expired => Error::new(Code::AccessEnded, "The address has expired; query the table again."),
        })?;
    let grant = app.grant(&slug, &TransferId::from_stored(transfer)).await?;
    let grant = app.grant_at_version(grant, version).await?;
    let file = app.product_file(&slug, &grant.product.reference, &name).await?.filter(|_| grant.product.reference.version == version);
    let file = file.ok_or_else(|| Error::not_found("The file"))?;
    let path = app.product_file_path(&grant.product, &file)?;

    let text = |name: header::HeaderName| headers.get(name).and_then(|v| v.to_str().ok());
    let request = RequestHeaders {
        range: text(header::RANGE),
        if_range: text(header::IF_RANGE),
        if_none_match: text(header::IF_NONE_MATCH),
        if_match: text(header::IF_MATCH),
    };
    let (size, etag) = (file.size, serve::etag(&file.sha256));
    let is_head = method == Method::HEAD;
    let plan = plan_response(if is_head { serve::Method::Head } else { serve::Method::Get }, request, &etag, size);
    let status = StatusCode::from_u16(plan.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    let map = response.headers_mut();
    map.insert(header::ETAG, HeaderValue::from_str(&etag).map_err(Error::internal_failure)?);
    map.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    // The bytes under an address never change, but whether they may be had does: no cache may answer for us.
    map.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    let mut pieces = Vec::new();
    match plan {
        Plan::Full => {
            map.insert(header::CONTENT_TYPE, HeaderValue::from_static(PARQUET));
            map.insert(header::CONTENT_LENGTH, HeaderValue::from(size));
            if size > 0 {
                pieces.push(Piece::Range(ByteRange { start: 0, end: size - 1 }));
            }
        }
        Plan::Partial(ranges) if ranges.len() == 1 => {
            map.insert(header::CONTENT_TYPE, HeaderValue::from_static(PARQUET));
            map.insert(header::CONTENT_LENGTH, HeaderValue::from(ranges[0].length()));
            map.insert(header::CONTENT_RANGE, header_value(&ranges[0].content_range(size))?);
            pieces.push(Piece::Range(ranges[0]));
        }
        Plan::Partial(ranges) => {
            let multipart = Multipart::new(&ranges, size, PARQUET, &etag);
            map.insert(header::CONTENT_TYPE, header_value(&multipart.content_type())?);
            map.insert(header::CONTENT_LENGTH, HeaderValue::from(multipart.content_length()));
            for (head, range) in multipart.parts() {
                pieces.push(Piece::Text(head.clone()));
                pieces.push(Piece::Range(*range));
            }
            pieces.push(Piece::Text(multipart.tail()));
        }
        Plan::NotSatisfiable => {
            map.insert(header::CONTENT_RANGE, header_value(&serve::unsatisfied_content_range(size))?);
        }
        Plan::NotModified | Plan::PreconditionFailed => {}
    }
    if is_head || pieces.is_empty() {
        return Ok(response);
    }
    let file = open(&path, size).await?;
    *response.body_mut() = body(file, pieces, grant.watch, Arc::clone(&app.clock));
    Ok(response.into_response())
}

fn header_value(text: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(text).map_err(Error::internal_failure)
}

async fn open(path: &PathBuf, size: u64) -> Result<File, Error> {
    let damaged =
        |why: String| Error::new(Code::DataDamaged, "The file is missing or changed; the provider has been told.").with_internal(why);
    let file = File::open(path).await.map_err(|e| damaged(format!("{}: {e}", path.display())))?;
    let found = file.metadata().await.map_err(|e| damaged(e.to_string()))?.len();
    if found != size {
        return Err(damaged(format!("{}: {found} bytes instead of {size}", path.display())));
    }
    Ok(file)
}

/// A part of the body.
enum Piece {
    /// Framing of a multipart answer.
    Text(String),
    /// Bytes of the file, both ends included.
    Range(ByteRange),
}

struct Flow {
    file: File,
    pieces: std::collections::VecDeque<Piece>,
    /// What is left of the range being sent.
    left: u64,
    watch: Watch,
    clock: Arc<dyn Clock>,
}

/// The body: each chunk goes out only while access is open. A closed gate ends the connection short of the announced
/// length, which every client takes for the failure it is.
fn body(file: File, pieces: Vec<Piece>, watch: Watch, clock: Arc<dyn Clock>) -> Body {
    let flow = Flow { file, pieces: pieces.into(), left: 0, watch, clock };
    Body::from_stream(stream::try_unfold(flow, |mut flow| async move {
        let Some(chunk) = flow.next().await? else { return Ok::<_, std::io::Error>(None) };
        metrics::counter!("fondaco_share_bytes_total").increment(chunk.len() as u64);
        Ok(Some((chunk, flow)))
    }))
}

impl Flow {
    async fn next(&mut self) -> Result<Option<Bytes>, std::io::Error> {
        while self.left == 0 {
            match self.pieces.pop_front() {
                None => return Ok(None),
                Some(Piece::Text(text)) => return Ok(Some(Bytes::from(text))),
                Some(Piece::Range(range)) => {
                    self.file.seek(SeekFrom::Start(range.start)).await?;
                    self.left = range.length();
                }
            }
        }
        let want = usize::try_from(self.left).unwrap_or(usize::MAX).min(CHUNK_BYTES);
        let mut buffer = Vec::with_capacity(want);
        let got = (&mut self.file).take(want as u64).read_to_end(&mut buffer).await?;
        if got < want {
            return Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "the file became shorter"));
        }
        // Looked at last, so that nothing read before the end of access goes out after it.
        if !self.watch.is_open(self.clock.now()) {
            return Err(std::io::Error::new(std::io::ErrorKind::PermissionDenied, "access has ended"));
        }
        self.left -= want as u64;
        Ok(Some(Bytes::from(buffer)))
    }
}
