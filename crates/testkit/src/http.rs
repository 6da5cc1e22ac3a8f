//! An HTTP client that hides nothing: no redirects, no proxy, no errors by status.

use bytes::Bytes;
use reqwest::{Client, Method, RequestBuilder, header::HeaderMap, redirect::Policy};
use serde_json::Value;

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e} in {} {}", self.status, self.text()))
    }

    /// A header as text; empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|v| v.to_str().expect("a header of text")).unwrap_or_default()
    }

    /// The body as JSON, of an answer that must have this status.
    #[track_caller]
    pub fn must(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        self.json()
    }

    /// The `code` of a problem document or protocol error that must have this status.
    #[track_caller]
    pub fn refused(&self, status: u16) -> String {
        let body = self.must(status);
        body["code"].as_str().unwrap_or_else(|| panic!("no code in {body}")).to_owned()
    }
}

/// A client of this runtime.
pub fn client() -> Client {
    Client::builder().no_proxy().redirect(Policy::none()).build().expect("a client")
}

/// Sends and reads all.
pub async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.expect("an answer");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, body: response.bytes().await.expect("a whole answer") }
}

/// A request with an optional bearer token and JSON body.
pub fn request(client: &Client, method: Method, url: &str, token: Option<&str>, body: Option<&Value>) -> RequestBuilder {
    let mut request = client.request(method, url);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if let Some(body) = body {
        request = request.json(body);
    }
    request
}
