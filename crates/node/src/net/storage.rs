//! Connections to object stores: the table crate's client, with our resolver under it, so that a bucket's address is
//! checked like that of any peer.

use super::{NetworkRule, Outbound, check_url};
use async_trait::async_trait;
use fondaco_core::{Error, Result};
use fondaco_tables::publish::storage::{
    ClientOptions, HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
    StorageError,
};
use http_body_util::BodyExt as _;
use std::sync::Arc;

/// Makes the clients of one connection.
#[derive(Debug)]
struct CheckedConnector(CheckedService);

/// Calls checked addresses only.
#[derive(Clone, Debug)]
struct CheckedService {
    client: reqwest::Client,
    rule: NetworkRule,
}

/// A connector that obeys a rule.
///
/// # Errors
/// An internal failure when TLS cannot be set up.
pub fn connector(rule: NetworkRule) -> Result<Arc<dyn HttpConnector>> {
    Ok(Arc::new(CheckedConnector(CheckedService { client: Outbound::system(rule)?.into_client(), rule })))
}

impl HttpConnector for CheckedConnector {
    fn connect(&self, _: &ClientOptions) -> Result<HttpClient, StorageError> {
        Ok(HttpClient::new(self.0.clone()))
    }
}

#[async_trait]
impl HttpService for CheckedService {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let refused = |e: Error| HttpError::new(HttpErrorKind::Connect, e);
        let url = url::Url::parse(&parts.uri.to_string()).map_err(|e| HttpError::new(HttpErrorKind::Connect, e))?;
        // Addresses written as numbers never reach the resolver.
        check_url(&url, self.rule).map_err(refused)?;
        let mut out = reqwest::Request::new(parts.method, url);
        *out.headers_mut() = parts.headers;
        // Listing and reading send no body worth streaming.
        let bytes = body.collect().await?.to_bytes();
        *out.body_mut() = Some(bytes.into());
        let answer = self.client.execute(out).await.map_err(|e| {
            let kind = if e.is_timeout() {
                HttpErrorKind::Timeout
            } else if e.is_connect() {
                HttpErrorKind::Connect
            } else {
                HttpErrorKind::Interrupted
            };
            match super::client::refusal(&e) {
                Some(why) => refused(why),
                None => HttpError::new(kind, e.without_url()),
            }
        })?;
        let answer: http::Response<reqwest::Body> = answer.into();
        let (parts, body) = answer.into_parts();
        let body = HttpResponseBody::new(body.map_err(|e| HttpError::new(HttpErrorKind::Interrupted, e.without_url())));
        Ok(HttpResponse::from_parts(parts, body))
    }
}
