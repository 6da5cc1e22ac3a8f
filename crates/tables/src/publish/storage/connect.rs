//! Connections to a storage service, with an end to waiting for an answer.

use std::{future::Future, io, pin::Pin, sync::Arc, time::Duration};

use object_store::{
    BackoffConfig, ClientOptions, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    client::{HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService, ReqwestConnector},
};
use url::Url;

use super::{Storage, errors::explain};
use crate::{StorageTrouble, TablesError};

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
            tokio::time::timeout(self.answer, self.inner.execute(request)).await.map_err(late)?
        })
    }
}
