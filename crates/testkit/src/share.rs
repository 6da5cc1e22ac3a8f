//! A client of the Delta Sharing protocol that shows every header and hides no status.

use crate::http::{Answer, client, request, send};
use reqwest::{Client, Method};
use serde_json::Value;

/// What the consumer's node gives out for reading.
#[derive(Clone, Debug)]
pub struct Access {
    /// The transfer as the consumer knows it.
    pub transfer: String,
    /// The share.
    pub share: Share,
    /// `share.schema.table`, one.
    pub table: String,
}

/// A share and the token for it.
#[derive(Clone, Debug)]
pub struct Share {
    /// The endpoint of the profile.
    pub endpoint: String,
    /// The bearer token of the profile.
    pub token: String,
    client: Client,
}

impl Access {
    /// The path of its table below the endpoint.
    pub fn table_path(&self) -> String {
        let parts: Vec<&str> = self.table.split('.').collect();
        let [share, schema, table] = parts[..] else { panic!("share.schema.table: {}", self.table) };
        format!("/shares/{share}/schemas/{schema}/tables/{table}")
    }

    /// Queries its table.
    pub async fn query(&self, body: &Value) -> Answer {
        self.share.call(Method::POST, &format!("{}/query", self.table_path()), Some(body)).await
    }

    /// Queries its table, which must succeed, and gives the addresses of the files.
    pub async fn files(&self) -> Vec<String> {
        let answer = self.query(&Value::Object(serde_json::Map::new())).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        file_urls(&answer)
    }

    /// All bytes of its one file.
    pub async fn bytes(&self) -> bytes::Bytes {
        let files = self.files().await;
        assert_eq!(files.len(), 1, "one file");
        let answer = self.share.open(Method::GET, &files[0], &[]).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.body
    }
}

/// The lines of an answer.
pub fn lines(answer: &Answer) -> Vec<Value> {
    answer.text().lines().map(|l| serde_json::from_str(l).expect("NDJSON")).collect()
}

/// The file addresses in a query's answer (format parquet).
pub fn file_urls(answer: &Answer) -> Vec<String> {
    lines(answer).iter().filter_map(|l| l["file"]["url"].as_str().map(str::to_owned)).collect()
}

impl Share {
    /// A share.
    pub fn new(endpoint: &str, token: &str) -> Self {
        Self { endpoint: endpoint.trim_end_matches('/').to_owned(), token: token.to_owned(), client: client() }
    }

    /// Calls an endpoint with the token.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        send(request(&self.client, method, &format!("{}{path}", self.endpoint), Some(&self.token), body)).await
    }

    /// Calls an endpoint with the token and further headers.
    pub async fn call_with(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Answer {
        let mut call = request(&self.client, method, &format!("{}{path}", self.endpoint), Some(&self.token), body);
        for (name, value) in headers {
            call = call.header(*name, *value);
        }
        send(call).await
    }

    /// Opens an address without the token.
    pub async fn open(&self, method: Method, url: &str, headers: &[(&str, &str)]) -> Answer {
        let mut call = request(&self.client, method, url, None, None);
        for (name, value) in headers {
            call = call.header(*name, *value);
        }
        send(call).await
    }
}
