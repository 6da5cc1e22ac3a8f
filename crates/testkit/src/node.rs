//! One node in this process, on free ports, with its admin API at hand.

use crate::{
    database::Database,
    http::{Answer, client, request, send},
    proxy::FaultProxy,
    wire,
};
use fondaco_core::{
    decision::Rules,
    ids::OfferId,
    participant::{Declarations, Did, Participant, Slug},
    product::{Offer, ProductRef},
};
use fondaco_node::{
    app::{App, participants::NewParticipant},
    config::Config,
    init::{InitOptions, init},
    node::{Node, RunningNode},
};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use std::path::Path;
use tempfile::TempDir;
use tokio::net::TcpListener;

/// How to make a node. `"alpha".into()` is enough for most.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its participant.
    pub slug: String,
    /// Where the participant is established.
    pub country: Option<String>,
    /// Whether others reach it through a [`FaultProxy`].
    pub behind_proxy: bool,
    /// From how many bytes on queries are answered later to clients that can poll; as configured by default when left out.
    pub async_bytes: Option<u64>,
}

impl From<&str> for Options {
    fn from(slug: &str) -> Self {
        Self { slug: slug.to_owned(), country: None, behind_proxy: false, async_bytes: None }
    }
}

impl Options {
    /// With a proxy in front.
    #[must_use]
    pub fn behind_proxy(mut self) -> Self {
        self.behind_proxy = true;
        self
    }
    /// Answering queries later from so many bytes on.
    #[must_use]
    pub fn async_bytes(mut self, bytes: u64) -> Self {
        self.async_bytes = Some(bytes);
        self
    }
    /// With a country.
    #[must_use]
    pub fn in_country(mut self, code: &str) -> Self {
        self.country = Some(code.to_owned());
        self
    }
}

/// A node that runs.
pub struct TestNode {
    /// Its use cases.
    pub app: App,
    /// The address others use.
    pub public_url: String,
    /// The address of the admin API and the console.
    pub admin_url: String,
    /// A token that may do everything.
    pub token: String,
    /// The password of the person "admin".
    pub password: String,
    /// Its first participant.
    pub slug: Slug,
    /// That participant's DID.
    pub did: Did,
    proxy: Option<FaultProxy>,
    running: RunningNode,
    client: Client,
    dir: TempDir,
    // Last, so that it is dropped after everything that uses it.
    _database: Database,
}

impl TestNode {
    /// Makes and starts a node.
    pub async fn start(options: impl Into<Options>) -> Self {
        let options = options.into();
        let database = Database::fresh();
        let dir = TempDir::new().expect("a folder");
        let public = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let admin = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = |l: &TcpListener| l.local_addr().expect("an address");
        let proxy = if options.behind_proxy { Some(FaultProxy::start(address(&public)).await) } else { None };
        let public_url = format!("http://{}", proxy.as_ref().map_or_else(|| address(&public), FaultProxy::addr));
        let admin_url = format!("http://{}", address(&admin));
        let report = init(InitOptions {
            dir: dir.path().to_owned(),
            participant: options.slug.clone(),
            name: format!("{} Ltd", options.slug),
            country: options.country,
            public: Some(public_url.clone()),
            admin: Some(address(&admin).to_string()),
            database: database.url(),
        })
        .await
        .expect("a node is made");
        let token = std::fs::read_to_string(&report.token_file).expect("the token").trim().to_owned();
        let mut config = Config::load(dir.path()).expect("the configuration");
        config.tables.async_bytes = options.async_bytes.unwrap_or(config.tables.async_bytes);
        let running = Node::start_on(config, public, admin).await.expect("the node starts");
        Self {
            app: running.app.clone(),
            public_url,
            admin_url,
            token,
            password: report.password,
            slug: report.participant.slug,
            did: report.participant.did,
            proxy,
            running,
            client: client(),
            dir,
            _database: database,
        }
    }

    /// Stops it in order.
    pub async fn shutdown(self) {
        self.running.shutdown().await;
    }

    /// Its data folder; tests may put their files there.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The proxy in front of it.
    pub fn proxy(&self) -> &FaultProxy {
        self.proxy.as_ref().expect("made with behind_proxy")
    }

    /// Its first participant.
    pub async fn participant(&self) -> Participant {
        self.app.participant(self.slug.as_str()).await.expect("the participant")
    }

    /// Adds a participant and gives it.
    pub async fn add_participant(&self, slug: &str) -> Participant {
        let new = NewParticipant { slug: slug.into(), name: format!("{slug} Ltd"), country: None };
        self.app.participant_add(new, None).await.expect("a participant")
    }

    /// Calls the admin API at a path from the root, with any token.
    pub async fn admin(&self, method: Method, path: &str, token: Option<&str>, body: Option<&Value>) -> Answer {
        send(request(&self.client, method, &format!("{}{path}", self.admin_url), token, body)).await
    }

    /// The admin API's path of the participant.
    pub fn api_path(&self, rest: &str) -> String {
        format!("/api/v1/participants/{}{rest}", self.slug)
    }

    /// `GET` below the participant, with the node's token.
    pub async fn get(&self, rest: &str) -> Answer {
        self.admin(Method::GET, &self.api_path(rest), Some(&self.token), None).await
    }

    /// `POST` below the participant, with the node's token.
    pub async fn post(&self, rest: &str, body: &Value) -> Answer {
        self.admin(Method::POST, &self.api_path(rest), Some(&self.token), Some(body)).await
    }

    /// `PUT` below the participant, with the node's token.
    pub async fn put(&self, rest: &str, body: &Value) -> Answer {
        self.admin(Method::PUT, &self.api_path(rest), Some(&self.token), Some(body)).await
    }

    /// `POST` below the participant with an idempotency key.
    pub async fn post_once(&self, rest: &str, key: &str, body: &Value) -> Answer {
        let url = format!("{}{}", self.admin_url, self.api_path(rest));
        send(request(&self.client, Method::POST, &url, Some(&self.token), Some(body)).header("idempotency-key", key)).await
    }

    /// Publishes CSV text as a table under the given offers (none is an open one).
    pub async fn publish(&self, id: &str, csv: &str, offers: &[Value]) -> Value {
        let path = crate::tables::write(self.dir(), &format!("{id}.csv"), csv);
        self.publish_file(id, &path, offers).await
    }

    /// Publishes a file as a table.
    pub async fn publish_file(&self, id: &str, path: &Path, offers: &[Value]) -> Value {
        let body = json!({"id": id, "title": format!("The table {id}"), "kind": "table", "paths": [path], "offers": offers});
        self.post("/products", &body).await.must(201)
    }

    /// Adds an offer whose provider-side decisions follow `rules`, to a product version published before; gives its id.
    pub async fn add_offer_with_rules(&self, dataset: &str, odrl: Value, rules: Value) -> String {
        let product = ProductRef::parse_dataset_id(dataset).expect("a dataset id");
        let now = self.app.now();
        let offer = Offer {
            id: OfferId::generate(now, &*self.app.entropy),
            participant: self.slug.clone(),
            product,
            policy: fondaco_core::policy::Policy::from_odrl(&odrl).expect("terms that can be enforced"),
            odrl,
            rules: Rules::default(),
            created_at: now,
        };
        let id = offer.id.to_string();
        let added = self.app.store.tx("test.offer", move |tx| -> fondaco_core::Result<()> { Ok(tx.offer_insert(&offer)?) }).await;
        added.expect("the offer");
        let set = self.put(&format!("/offers/{id}/rules"), &rules).await;
        assert!(matches!(set.status, 200 | 204), "{}", set.text());
        id
    }

    /// The base of the protocol's endpoints.
    pub fn dsp_url(&self) -> String {
        format!("{}/p/{}/dsp/2025-1", self.public_url, self.slug)
    }

    /// An `Authorization` header for one call to `callee`, signed with this participant's key.
    pub async fn authorization(&self, callee: &Did) -> String {
        self.app.authorization(&self.slug, &self.did, callee, &Declarations::default()).await.expect("a token")
    }

    /// Sends a protocol message to a node, as this participant.
    pub async fn send(&self, to: &Self, path: &str, message: &Value) -> Answer {
        let authorization = self.authorization(&to.did).await;
        to.dsp(Method::POST, path, Some(&authorization), Some("application/json"), message.to_string()).await
    }

    /// Asks a node for something of the protocol, as this participant.
    pub async fn ask(&self, of: &Self, path: &str) -> Answer {
        let authorization = self.authorization(&of.did).await;
        of.dsp(Method::GET, path, Some(&authorization), None, "").await
    }

    /// A raw call to this node's protocol endpoints.
    pub async fn dsp(
        &self,
        method: Method,
        path: &str,
        authorization: Option<&str>,
        content_type: Option<&str>,
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let mut call = self.client.request(method, format!("{}{path}", self.dsp_url())).body(body);
        if let Some(value) = authorization {
            call = call.header("authorization", value);
        }
        if let Some(value) = content_type {
            call = call.header("content-type", value);
        }
        send(call).await
    }

    /// A raw call to the public listener.
    pub async fn public(&self, method: Method, path: &str) -> Answer {
        send(self.client.request(method, format!("{}{path}", self.public_url))).await
    }

    /// A first request of this participant for an offer of `provider`; gives its `consumerPid` and the answer.
    pub async fn request_offer(&self, provider: &Self, offer: &Value) -> (String, Answer) {
        let pid = wire::urn();
        let message = wire::first_request(&pid, &self.dsp_url(), offer);
        let answer = self.send(provider, "/negotiations/request", &message).await;
        (pid, answer)
    }

    /// How many jobs there are, those of later included.
    pub async fn outbox(&self) -> u64 {
        let stats = self.app.store.read("test.outbox", |tx| -> fondaco_core::Result<_> { Ok(tx.job_stats()?) }).await;
        stats.expect("readable").count
    }

    /// Waits until there is no job, not even a later one.
    pub async fn idle(&self) {
        crate::eventually("the outbox to be empty", async || (self.outbox().await == 0).then_some(())).await;
    }

    /// A negotiation, once it is final.
    pub async fn settled(&self, negotiation: &str) -> Value {
        self.get(&format!("/negotiations/{negotiation}?wait=30")).await.must(200)
    }

    /// A negotiation or transfer (`"negotiations"`, `"transfers"`) once it is in the state.
    pub async fn reaches(&self, kind: &str, id: &str, state: &str) -> Value {
        crate::eventually(&format!("{kind} {id} to be {state}"), async || {
            let found = self.get(&format!("/{kind}/{id}")).await.must(200);
            (found["state"] == state).then_some(found)
        })
        .await
    }

    /// Our row of the process that the peer calls `peer_pid`.
    pub async fn by_peer_pid(&self, kind: &str, peer_pid: &str) -> Value {
        let list = self.get(&format!("/{kind}?limit=200")).await.must(200);
        let rows = list[kind].as_array().expect("a list");
        rows.iter().find(|row| row["peerPid"] == peer_pid).unwrap_or_else(|| panic!("no {kind} with {peer_pid} in {list}")).clone()
    }
}
