//! Connections to a storage service, with an end to waiting for an answer, and a look at whether it is one.

use std::{future::Future, io, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::StreamExt;
use object_store::{
    BackoffConfig, ClientOptions, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    client::{HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService, ReqwestConnector},
};
use quick_xml::{Reader, events::Event};
use url::Url;

use super::{Storage, errors::explain};
use crate::{StorageTrouble, TablesError};

/// Longest page of a listing: a thousand keys, each of 1,024 bytes that may be written as three, with what is said of it.
const LISTING_BYTES_MAX: usize = 16 << 20;

/// A client of the service.
pub(super) fn client(storage: &Storage) -> Result<AmazonS3, TablesError> {
    let patience = &storage.patience;
    // The client's own timeout covers the whole of an answer, however large: what is timed here is until
    // an answer begins, and between its pieces.
    let options = ClientOptions::new().with_connect_timeout(patience.connect).with_timeout_disabled().with_allow_http(storage.allow_http);
    let backoff = BackoffConfig { init_backoff: patience.first_pause, max_backoff: patience.first_pause * 16, base: 2.0 };
    let retry_timeout = patience.request * u32::try_from(patience.retries + 1).unwrap_or(u32::MAX);
    let retry = RetryConfig { backoff, max_retries: patience.retries, retry_timeout };
    let inner = storage.connector.clone().unwrap_or_else(|| Arc::new(ReqwestConnector::default()));
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&storage.bucket)
        .with_region(&storage.region)
        .with_virtual_hosted_style_request(!storage.path_style)
        .with_client_options(options)
        .with_retry(retry)
        .with_http_connector(TimedConnector { inner, answer: patience.request });
    if let Some(endpoint) = &storage.endpoint {
        builder = builder.with_endpoint(address(storage, endpoint)?);
    }
    builder = match &storage.credentials {
        // Without keys the client would look for some in the machine's surroundings.
        None => builder.with_skip_signature(true),
        Some(keys) => {
            let builder = builder.with_access_key_id(&keys.access_key).with_secret_access_key(&keys.secret_key);
            match &keys.session_token {
                Some(token) => builder.with_token(token),
                None => builder,
            }
        }
    };
    builder.build().map_err(|e| explain(storage.subject(""), &e))
}

/// The address to call: with the bucket in the host name, where that is its place.
fn address(storage: &Storage, endpoint: &str) -> Result<String, TablesError> {
    let wrong = |reason: &str| TablesError::Storage {
        trouble: StorageTrouble::Unreachable,
        subject: storage.subject(""),
        reason: format!("{endpoint:?} {reason}"),
    };
    let mut url = Url::parse(endpoint).map_err(|_| wrong("is no address; write it as https://host"))?;
    match url.scheme() {
        "https" => (),
        "http" if storage.allow_http => (),
        "http" => return Err(wrong("is not protected by TLS; use https, or allow plain http")),
        _ => return Err(wrong("is no address; write it as https://host")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("holds a password; give keys apart from the address"));
    }
    if !storage.path_style {
        let host = format!("{}.{}", storage.bucket, url.host_str().unwrap_or_default());
        url.set_host(Some(&host)).map_err(|_| wrong("cannot take the bucket in front; use the path style"))?;
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Makes clients that do not wait for ever for an answer to begin.
#[derive(Debug)]
struct TimedConnector {
    inner: Arc<dyn HttpConnector>,
    answer: Duration,
}

impl HttpConnector for TimedConnector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Timed { inner: self.inner.connect(options)?, answer: self.answer }))
    }
}

#[derive(Debug)]
struct Timed {
    inner: HttpClient,
    answer: Duration,
}

impl HttpService for Timed {
    fn call<'a, 'b>(&'a self, request: HttpRequest) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let late = |_| HttpError::new(HttpErrorKind::Timeout, io::Error::new(io::ErrorKind::TimedOut, "no answer in time"));
            let listing = request.uri().query().is_some_and(|q| q.split('&').any(|p| p == "list-type=2"));
            let answer = tokio::time::timeout(self.answer, self.inner.execute(request)).await.map_err(late)??;
            if !listing || !answer.status().is_success() {
                return Ok(answer);
            }
            let (head, body) = answer.into_parts();
            let mut pieces = body.bytes_stream();
            let mut page = Vec::new();
            while let Some(piece) = pieces.next().await {
                page.extend_from_slice(&piece?);
                if page.len() > LISTING_BYTES_MAX {
                    return Err(no_listing("its answer is longer than any page of a listing"));
                }
            }
            if !is_listing(&page) {
                return Err(no_listing("its answer is not a listing of a bucket"));
            }
            Ok(HttpResponse::from_parts(head, Bytes::from(page).into()))
        })
    }
}

/// An answer of something else than a storage service: not worth asking for again.
fn no_listing(why: &'static str) -> HttpError {
    HttpError::new(HttpErrorKind::Decode, io::Error::new(io::ErrorKind::InvalidData, why))
}

/// Whether a page is what a listing is: the client takes every XML and most HTML for an empty bucket.
fn is_listing(page: &[u8]) -> bool {
    let mut reader = Reader::from_reader(page);
    loop {
        match reader.read_event() {
            Ok(Event::Start(root) | Event::Empty(root)) => return root.local_name().as_ref() == b"ListBucketResult",
            Ok(Event::Decl(_) | Event::Comment(_) | Event::PI(_)) => (),
            Ok(Event::Text(text)) if text.iter().all(u8::is_ascii_whitespace) => (),
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_known_by_its_root() {
        for (page, expected) in [
            (
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"></ListBucketResult>",
                true,
            ),
            ("\u{feff}<ListBucketResult/>", true),
            ("<!-- x --><s3:ListBucketResult xmlns:s3=\"urn:x\"/>", true),
            ("", false),
            ("OK", false),
            ("{\"status\": \"ok\"}", false),
            ("<!DOCTYPE html><html><body>It works!</body></html>", false),
            ("<html><ListBucketResult/></html>", false),
            ("<ListAllMyBucketsResult/>", false),
        ] {
            assert_eq!(is_listing(page.as_bytes()), expected, "{page}");
        }
    }
}
