//! The commands' side of the admin API. It speaks plain HTTP to the node's own admin listener, found through
//! `DIR/run.json` or the configuration, with the token in `DIR/admin.token` or `FONDACO_TOKEN`; it follows no
//! redirects and uses no proxy, so that the token goes nowhere else.

use super::failure::{Failure, Result};
use crate::{
    config::Config,
    http::problem::Problem,
    init::TOKEN_FILE,
    node::{RUN_FILE, RunInfo},
};
use fondaco_core::{Code, Error};
use reqwest::{Method, Response, header};
use serde_json::Value;
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};
use url::Url;
use zeroize::Zeroizing;

/// The environment variable with an API token; wins over the file.
pub(super) const TOKEN_VARIABLE: &str = "FONDACO_TOKEN";
/// A node on the same machine accepts at once or not at all.
const CONNECT_SECONDS_MAX: u64 = 3;
/// Silence after which a call is given up. The longest wait the API offers is 60 s; one step of a publication
/// reports progress several times a second but may sync a large file to disk in between.
const SILENCE_SECONDS_MAX: u64 = 120;
/// Longest answer read: a page of the widest products is far below, and memory stays bounded.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Longest line of a progress stream; the last line holds a whole product with up to 2,000 columns.
const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most items a list command gathers: enough for any table one reads on a terminal; larger sets are for the API.
const LIST_ITEMS_MAX: usize = 10_000;
/// Items asked for at once.
const PAGE_ITEMS: &str = "200";
/// Longest small local file (token, run.json).
const SMALL_FILE_BYTES_MAX: u64 = 64 * 1024;

/// Where the node of a folder said it listens. `None` when it said nothing: it is not running, or starting.
pub(super) fn run_info(dir: &Path) -> Result<Option<RunInfo>> {
    let path = dir.join(RUN_FILE);
    let Some(text) = read_small(&path)? else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|e| {
        Failure::new(Code::Invalid, format!("{} is damaged ({e}). Restart the node; it writes the file anew.", path.display()))
    })
}

/// Items of a list, and whether there are more.
#[derive(Debug)]
pub(super) struct Items {
    /// The items.
    pub(super) items: Vec<Value>,
    /// Whether the limit was reached before the end.
    pub(super) truncated: bool,
}

/// A client of one node's admin API.
#[derive(Debug)]
pub(super) struct AdminClient {
    base: Url,
    bearer: Zeroizing<String>,
    http: reqwest::Client,
    dir: PathBuf,
}

impl AdminClient {
    /// Finds the node of a folder. Nothing is sent yet.
    pub(super) fn open(dir: &Path) -> Result<Self> {
        let base = match run_info(dir)? {
            Some(run) => base_url(&run.admin)?,
            None => base_url(&Config::load(dir)?.admin.listen.to_string())?,
        };
        let bearer = match std::env::var(TOKEN_VARIABLE) {
            Ok(token) if !token.trim().is_empty() => Zeroizing::new(token.trim().to_owned()),
            _ => token_of(dir)?,
        };
        Self::at(base, bearer, dir)
    }

    /// Whether the node of a folder says that it is ready. Needs no token.
    pub(super) async fn ready(dir: &Path) -> Result<()> {
        let base = match run_info(dir)? {
            Some(run) => base_url(&run.admin)?,
            None => base_url(&Config::load(dir)?.admin.listen.to_string())?,
        };
        let client = Self::at(base.clone(), Zeroizing::new(String::new()), dir)?;
        let url = base.join("/readyz").map_err(Error::internal_failure)?;
        let answer = client.http.get(url).send().await.map_err(|e| client.unreachable(&e))?;
        if answer.status().is_success() {
            return Ok(());
        }
        let why = answer.text().await.unwrap_or_default();
        Err(Failure::new(Code::Unavailable, format!("The node is not ready: {}.", why.trim())))
    }

    /// A client of the API at an address.
    pub(super) fn at(base: Url, bearer: Zeroizing<String>, dir: &Path) -> Result<Self> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            // The listener speaks plain http on this machine: no certificates are loaded for it.
            .tls_certs_only(std::iter::empty())
            .connect_timeout(Duration::from_secs(CONNECT_SECONDS_MAX))
            .read_timeout(Duration::from_secs(SILENCE_SECONDS_MAX))
            .user_agent(concat!("fondaco/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(Error::internal_failure)?;
        Ok(Self { base, bearer, http, dir: dir.to_owned() })
    }

    /// Reads one thing.
    pub(super) async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Value> {
        let response = self.send(Method::GET, path, query, None, None).await?;
        self.json(response).await
    }

    /// Reads a file: whatever its form.
    pub(super) async fn read(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Vec<u8>> {
        let response = self.send(Method::GET, path, query, None, None).await?;
        self.bytes(response).await
    }

    /// Reads bytes from the public listener, as anybody may.
    pub(super) async fn public(&self, path: &str) -> Result<Vec<u8>> {
        let info = run_info(&self.dir)?.ok_or_else(|| Failure::new(Code::Unavailable, "The node does not say where it listens."))?;
        let url = base_url(&info.public)?.join(path).map_err(Error::internal_failure)?;
        let response = self.http.get(url).send().await.and_then(reqwest::Response::error_for_status);
        let bytes = match response {
            Ok(response) => response.bytes().await,
            Err(e) => Err(e),
        };
        let unreadable =
            |e: reqwest::Error| Failure::new(Code::Unavailable, format!("/{path} cannot be read from the node: {}.", e.without_url()));
        bytes.map(Into::into).map_err(unreadable)
    }

    /// Reads all pages of a list whose items are under `key`.
    pub(super) async fn list(&self, path: &[&str], query: &[(&str, &str)], key: &str) -> Result<Items> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut query = query.to_vec();
            query.push(("limit", PAGE_ITEMS));
            if let Some(cursor) = &cursor {
                query.push(("after", cursor));
            }
            let mut page = self.get(path, &query).await?;
            let Some(Value::Array(more)) = page.get_mut(key).map(Value::take) else {
                return Err(self.unreadable(&format!("a list without \"{key}\"")));
            };
            let empty = more.is_empty();
            items.extend(more);
            cursor = page.get("next").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() || empty || items.len() >= LIST_ITEMS_MAX {
                let truncated = (cursor.is_some() && !empty) || items.len() > LIST_ITEMS_MAX;
                items.truncate(LIST_ITEMS_MAX);
                return Ok(Items { items, truncated });
            }
        }
    }

    /// Does something to a thing that exists.
    pub(super) async fn act(&self, path: &[&str], body: &Value) -> Result<Value> {
        let response = self.send(Method::POST, path, &[], Some(body), None).await?;
        self.json(response).await
    }

    /// Changes some members of a thing that exists.
    pub(super) async fn change(&self, path: &[&str], body: &Value) -> Result<Value> {
        let response = self.send(Method::PATCH, path, &[], Some(body), None).await?;
        self.json(response).await
    }

    /// Makes or replaces a thing of a known name.
    pub(super) async fn replace(&self, path: &[&str], body: &Value) -> Result<Value> {
        let response = self.send(Method::PUT, path, &[], Some(body), None).await?;
        self.json(response).await
    }

    /// Sets a thing; its answer has no body.
    pub(super) async fn set(&self, path: &[&str], body: &Value) -> Result<()> {
        let response = self.send(Method::PUT, path, &[], Some(body), None).await?;
        if response.status().is_success() {
            return Ok(());
        }
        self.json(response).await.map(drop)
    }

    /// Removes a thing; its answer has no body.
    pub(super) async fn remove(&self, path: &[&str]) -> Result<()> {
        let response = self.send(Method::DELETE, path, &[], None, None).await?;
        if response.status().is_success() {
            return Ok(());
        }
        self.json(response).await.map(drop)
    }

    /// Removes a thing of which something stays; its answer is what stayed.
    pub(super) async fn erase(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Value> {
        let response = self.send(Method::DELETE, path, query, None, None).await?;
        self.json(response).await
    }

    /// Creates something, once: the call carries an idempotency key and is repeated once with the same key when
    /// the connection breaks before the answer has come.
    pub(super) async fn create(&self, path: &[&str], body: &Value) -> Result<Value> {
        let key = idempotency_key()?;
        let first = match self.send(Method::POST, path, &[], Some(body), Some(&key)).await {
            Ok(response) => response,
            Err(e) if e.problem.code == Code::Unavailable.as_str() => self.send(Method::POST, path, &[], Some(body), Some(&key)).await?,
            Err(e) => return Err(e),
        };
        self.json(first).await
    }

    /// Creates something that takes long, and hands each line of the answer to `line`.
    pub(super) async fn create_with_progress(&self, path: &[&str], body: &Value, mut line: impl FnMut(Value)) -> Result<()> {
        let key = idempotency_key()?;
        let request = self.request(Method::POST, path, &[], Some(body), Some(&key))?;
        let mut response = self.checked(request.header(header::ACCEPT, "application/x-ndjson").send().await).await?;
        let mut buffer: Vec<u8> = Vec::new();
        loop {
            let chunk = response.chunk().await.map_err(|e| self.unreachable(&e))?;
            let ended = chunk.is_none();
            buffer.extend_from_slice(&chunk.unwrap_or_default());
            if ended && !buffer.is_empty() {
                buffer.push(b'\n');
            }
            while let Some(end) = buffer.iter().position(|b| *b == b'\n') {
                let text: Vec<u8> = buffer.drain(..=end).collect();
                if !text.trim_ascii().is_empty() {
                    line(serde_json::from_slice(&text).map_err(|_| self.unreadable("a line that is not JSON"))?);
                }
            }
            if buffer.len() > LINE_BYTES_MAX {
                return Err(self.unreadable("a line that is too long"));
            }
            if ended {
                return Ok(());
            }
        }
    }

    fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Url> {
        let mut url = self.base.clone();
        {
            let mut segments =
                url.path_segments_mut().map_err(|()| Failure::new(Code::Invalid, "The admin address is not an http address."))?;
            segments.pop_if_empty().extend(["api", "v1"]);
            for segment in path {
                // The URL standard drops these, and the call would go to another endpoint.
                if matches!(*segment, "" | "." | "..") {
                    return Err(Failure::usage(format!("\"{segment}\" is not an id.")));
                }
                segments.push(segment);
            }
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    fn request(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
        key: Option<&str>,
    ) -> Result<reqwest::RequestBuilder> {
        let mut request = self.http.request(method, self.url(path, query)?).bearer_auth(self.bearer.as_str());
        if let Some(body) = body {
            request = request.json(body);
        }
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        Ok(request)
    }

    async fn send(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
        key: Option<&str>,
    ) -> Result<Response> {
        let request = self.request(method, path, query, body, key)?;
        self.checked(request.header(header::ACCEPT, "application/json").send().await).await
    }

    async fn checked(&self, sent: reqwest::Result<Response>) -> Result<Response> {
        let response = sent.map_err(|e| self.unreachable(&e))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let body = self.bytes(response).await?;
        let mut problem: Problem =
            serde_json::from_slice(&body).map_err(|_| self.unreadable(&format!("status {status} without a problem document")))?;
        if status == reqwest::StatusCode::UNAUTHORIZED {
            problem.detail = format!(
                "{} The token was read from {}; a running node must use the same folder.",
                problem.detail,
                if std::env::var_os(TOKEN_VARIABLE).is_some() {
                    TOKEN_VARIABLE.to_owned()
                } else {
                    self.dir.join(TOKEN_FILE).display().to_string()
                }
            );
        }
        Err(Failure::answered(problem))
    }

    async fn json(&self, response: Response) -> Result<Value> {
        let body = self.bytes(response).await?;
        serde_json::from_slice(&body).map_err(|_| self.unreadable("something that is not JSON"))
    }

    async fn bytes(&self, mut response: Response) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.unreachable(&e))? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(self.unreadable("more than this command reads"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let base = self.base.as_str().trim_end_matches('/');
        if error.is_connect() {
            return Failure::new(
                Code::NodeNotRunning,
                format!(
                    "Nothing answers at {base}. Start it with: fondaco serve --dir {}",
                    super::context::quoted(&self.dir.to_string_lossy())
                ),
            );
        }
        let why = if error.is_timeout() { "did not answer in time" } else { "broke the connection off" };
        Error::new(Code::Unavailable, format!("The node at {base} {why}. Its log says more; then try again.")).into()
    }

    fn unreadable(&self, what: &str) -> Failure {
        Failure::new(
            Code::PeerAnsweredBadly,
            format!("What answers at {} is not a node of this version: it sent {what}. Is another program using the port?", self.base),
        )
    }
}

/// The API below `/api/v1/participants/{slug}`.
#[derive(Debug)]
pub(super) struct ParticipantClient {
    node: AdminClient,
    slug: String,
}

impl ParticipantClient {
    /// Acts for a participant.
    pub(super) const fn new(node: AdminClient, slug: String) -> Self {
        Self { node, slug }
    }
    /// Whom it acts for.
    pub(super) fn slug(&self) -> &str {
        &self.slug
    }
    fn path<'a>(&'a self, path: &[&'a str]) -> Vec<&'a str> {
        ["participants", &self.slug].into_iter().chain(path.iter().copied()).collect()
    }
    /// See [`AdminClient::get`].
    pub(super) async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Value> {
        self.node.get(&self.path(path), query).await
    }
    /// See [`AdminClient::list`]; the key is the last segment of the path.
    pub(super) async fn list(&self, path: &str, query: &[(&str, &str)]) -> Result<Items> {
        self.node.list(&self.path(&[path]), query, path).await
    }
    /// The list `key` of one thing.
    pub(super) async fn list_of(&self, kind: &str, id: &str, key: &str) -> Result<Items> {
        self.node.list(&self.path(&[kind, id, key]), &[], key).await
    }
    /// See [`AdminClient::act`].
    pub(super) async fn act(&self, path: &[&str], body: &Value) -> Result<Value> {
        self.node.act(&self.path(path), body).await
    }
    /// See [`AdminClient::replace`].
    pub(super) async fn replace(&self, path: &[&str], body: &Value) -> Result<Value> {
        self.node.replace(&self.path(path), body).await
    }
    /// See [`AdminClient::set`].
    pub(super) async fn set(&self, path: &[&str], body: &Value) -> Result<()> {
        self.node.set(&self.path(path), body).await
    }
    /// See [`AdminClient::remove`].
    pub(super) async fn remove(&self, path: &[&str]) -> Result<()> {
        self.node.remove(&self.path(path)).await
    }
    /// See [`AdminClient::read`].
    pub(super) async fn read(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Vec<u8>> {
        self.node.read(&self.path(path), query).await
    }
    /// See [`AdminClient::erase`].
    pub(super) async fn erase(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Value> {
        self.node.erase(&self.path(path), query).await
    }
    /// See [`AdminClient::create`].
    pub(super) async fn create(&self, path: &[&str], body: &Value) -> Result<Value> {
        self.node.create(&self.path(path), body).await
    }
    /// See [`AdminClient::create_with_progress`].
    pub(super) async fn create_with_progress(&self, path: &[&str], body: &Value, line: impl FnMut(Value)) -> Result<()> {
        self.node.create_with_progress(&self.path(path), body, line).await
    }
}

/// The address as `host:port` or URL. An unspecified address (`0.0.0.0`) is reached over loopback.
pub(super) fn base_url(address: &str) -> Result<Url> {
    let text = match address.parse::<SocketAddr>() {
        Ok(mut socket) => {
            if socket.ip().is_unspecified() {
                socket.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
            }
            format!("http://{socket}")
        }
        Err(_) => address.to_owned(),
    };
    Url::parse(&text).ok().filter(|u| u.scheme() == "http" && u.has_host()).ok_or_else(|| {
        Failure::new(Code::ConfigInvalid, format!("\"{address}\" is not an address of an admin listener (http://HOST:PORT)."))
    })
}

fn token_of(dir: &Path) -> Result<Zeroizing<String>> {
    let path = dir.join(TOKEN_FILE);
    match read_small(&path)? {
        Some(text) if !text.trim().is_empty() => Ok(Zeroizing::new(text.trim().to_owned())),
        _ => Err(Failure::new(
            Code::Unauthenticated,
            format!("There is no API token in {}. Put one there, or set {TOKEN_VARIABLE}.", path.display()),
        )),
    }
}

fn read_small(path: &Path) -> Result<Option<String>> {
    use std::io::Read;
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Failure::file("Cannot read", path, &e)),
    };
    let mut text = String::new();
    file.take(SMALL_FILE_BYTES_MAX).read_to_string(&mut text).map_err(|e| Failure::file("Cannot read", path, &e))?;
    Ok(Some(text))
}

/// A fresh key: 128 random bits.
fn idempotency_key() -> Result<String> {
    let mut random = [0u8; 16];
    aws_lc_rs::rand::fill(&mut random).map_err(Error::internal_failure)?;
    Ok(hex::encode(random))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{Json, Router, extract::Query, http::HeaderMap, routing};
    use serde_json::json;
    use std::{
        collections::HashMap,
        sync::{Arc, Mutex},
    };

    async fn node(app: Router) -> AdminClient {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let base = base_url(&listener.local_addr().expect("address").to_string()).expect("url");
        tokio::spawn(async move { axum::serve(listener, app).await });
        AdminClient::at(base, Zeroizing::new("secret".into()), Path::new("/srv/n")).expect("client")
    }

    #[test]
    fn addresses_of_both_forms() {
        assert_eq!(base_url("127.0.0.1:7401").expect("a").as_str(), "http://127.0.0.1:7401/");
        assert_eq!(base_url("0.0.0.0:7401").expect("b").as_str(), "http://127.0.0.1:7401/");
        assert_eq!(base_url("[::]:7401").expect("c").as_str(), "http://127.0.0.1:7401/");
        assert_eq!(base_url("http://127.0.0.1:7401").expect("d").as_str(), "http://127.0.0.1:7401/");
        assert!(base_url("file:///etc/passwd").is_err());
        assert!(base_url("nonsense").is_err());
    }

    #[tokio::test]
    async fn pages_are_gathered_and_ids_stay_one_segment() {
        let app = Router::new()
            .route(
                "/api/v1/participants/acme/products",
                routing::get(|Query(q): Query<HashMap<String, String>>, headers: HeaderMap| async move {
                    assert_eq!(headers["authorization"], "Bearer secret");
                    match q.get("after").map(String::as_str) {
                        None => Json(json!({"products": [{"id": "a"}], "next": "c1"})),
                        Some("c1") => Json(json!({"products": [{"id": "b"}]})),
                        Some(_) => Json(json!({"products": []})),
                    }
                }),
            )
            .route(
                "/api/v1/participants/acme/products/{id}",
                routing::get(|axum::extract::Path(id): axum::extract::Path<String>| async move { Json(json!({"id": id})) }),
            );
        let acme = ParticipantClient::new(node(app).await, "acme".into());
        let found = acme.list("products", &[]).await.expect("list");
        assert_eq!((found.items, found.truncated), (vec![json!({"id": "a"}), json!({"id": "b"})], false));
        assert_eq!(acme.get(&["products", "a/../b?c"], &[]).await.expect("one"), json!({"id": "a/../b?c"}));
        assert_eq!(acme.get(&["products", ".."], &[]).await.expect_err("dots").exit, 2);
    }

    #[tokio::test]
    async fn a_creation_cut_off_is_repeated_with_the_same_key() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let base = base_url(&listener.local_addr().expect("address").to_string()).expect("url");
        let keys = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&keys);
        tokio::spawn(async move {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            for attempt in 0..2 {
                let (mut socket, _) = listener.accept().await.expect("accept");
                let mut text = String::new();
                while !text.contains("{\"a\":1}") {
                    let mut buffer = [0u8; 4096];
                    let n = socket.read(&mut buffer).await.expect("read");
                    text.push_str(std::str::from_utf8(&buffer[..n]).expect("ascii"));
                }
                let key = text.lines().find_map(|l| l.to_ascii_lowercase().strip_prefix("idempotency-key: ").map(str::to_owned));
                seen.lock().expect("lock").push(key.expect("a key"));
                if attempt == 1 {
                    socket.write_all(b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}").await.expect("write");
                }
            }
        });
        let client = AdminClient::at(base, Zeroizing::new("t".into()), Path::new("d")).expect("client");
        assert_eq!(client.create(&["things"], &json!({"a": 1})).await.expect("created"), json!({}));
        let keys = keys.lock().expect("lock");
        assert_eq!(keys.len(), 2);
        assert_eq!(keys[0], keys[1]);
        assert!(keys[0].len() == 32);
    }

    #[tokio::test]
    async fn problems_pass_through_and_silence_says_how_to_start() {
        let app = Router::new()
            .route("/api/v1/node", routing::get(|| async { crate::http::problem::ApiError(Error::new(Code::Forbidden, "Read only.")) }));
        let client = node(app).await;
        let failed = client.get(&["node"], &[]).await.expect_err("403");
        assert_eq!((failed.problem.code.as_str(), failed.problem.detail.as_str()), ("FDC-1003", "Read only."));
        // The same client against a port that nothing listens on.
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("bind").local_addr().expect("address");
        let gone =
            AdminClient::at(base_url(&free.to_string()).expect("url"), Zeroizing::new("t".into()), Path::new("/srv/n")).expect("client");
        let failed = gone.get(&["node"], &[]).await.expect_err("nothing there");
        assert_eq!(failed.problem.code, "FDC-5004");
        assert!(failed.problem.detail.ends_with("Start it with: fondaco serve --dir /srv/n"), "{}", failed.problem.detail);
    }

    #[tokio::test]
    async fn progress_lines_arrive_whole() {
        let app = Router::new().route("/api/v1/x", routing::post(|| async { "{\"progress\":1}\n\n{\"progress\":2}\n{\"product\":{}}" }));
        let mut lines = Vec::new();
        node(app).await.create_with_progress(&["x"], &json!({}), |l| lines.push(l)).await.expect("stream");
        assert_eq!(lines, [json!({"progress": 1}), json!({"progress": 2}), json!({"product": {}})]);
    }
}
