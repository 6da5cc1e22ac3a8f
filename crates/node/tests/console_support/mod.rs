//! Nodes, and a browser without a screen, for the tests of the console.

use bytes::Bytes;
use fondaco_core::{
    negotiation::Negotiation,
    participant::{Participant, Slug},
    policy::Policy,
    price::Price,
    product::ProductKind,
    publication::{Draft, Source},
    time::Micros,
};
use fondaco_node::{
    app::{negotiations::Begin, participants::NewParticipant, publish::SourceAccess, views::ProcessesAsked},
    config::Config,
    init::{InitOptions, init},
    node::{self, RunningNode},
};
use fondaco_store::Memberships;
use futures::{Stream, StreamExt as _};
use reqwest::{Client, Method, StatusCode, header};
use serde_json::json;
use std::{collections::BTreeMap, pin::Pin, sync::Mutex};
use tempfile::TempDir;
use tokio::net::TcpListener;

/// Longest wait for anything: a machine under load is slow, a defect waits forever.
const PATIENCE: Micros = Micros::from_secs(30);

/// A node with one participant.
pub struct Node {
    /// Its process, as it were.
    pub running: RunningNode,
    /// The first person's password.
    pub password: String,
    slug: String,
    admin: String,
    dir: TempDir,
}

impl Node {
    /// Makes and starts one on free ports.
    pub async fn start(slug: &str) -> Self {
        let dir = TempDir::new().expect("a folder");
        let public = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let admin = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = |l: &TcpListener| l.local_addr().expect("an address").to_string();
        let report = init(InitOptions {
            dir: dir.path().to_owned(),
            participant: slug.to_owned(),
            name: format!("{}{} Ltd", slug[..1].to_uppercase(), &slug[1..]),
            country: None,
            public: Some(format!("http://{}", address(&public))),
            admin: Some(address(&admin)),
            database: None,
        })
        .await
        .expect("a node");
        let admin_url = format!("http://{}", address(&admin));
        let config = Config::load(dir.path()).expect("the configuration");
        let running = node::Node::start_on(config, public, admin).await.expect("it starts");
        Self { running, password: report.password, slug: slug.to_owned(), admin: admin_url, dir }
    }

    /// Stops it in order.
    pub async fn stop(self) {
        self.running.shutdown().await;
    }

    async fn participant(&self) -> Participant {
        self.running.app.participant(&self.slug).await.expect("the participant")
    }

    /// The participant's DID.
    pub fn did(&self) -> String {
        let public = self.running.app.config.public.url.clone();
        let slug = Slug::parse(&self.slug).expect("slug");
        fondaco_core::participant::Did::web(&public, &slug).expect("did").to_string()
    }

    /// Adds another participant.
    pub async fn add_participant(&self, slug: &str) {
        let new = NewParticipant { slug: slug.into(), name: format!("{slug} Inc"), country: None };
        self.running.app.participant_add(new, None).await.expect("the participant");
    }

    /// Adds a person who may act for one participant.
    pub async fn add_user(&self, login: &str, password: &str, slug: &str) {
        let of = Memberships { acts_for: vec![Slug::parse(slug).expect("slug")], ..Memberships::default() };
        self.running.app.user_add(login, login, password, false, of, None).await.expect("the user");
    }

    /// Adds a person who audits one participant.
    pub async fn add_auditor(&self, login: &str, password: &str, slug: &str) {
        let of = Memberships { audits: vec![Slug::parse(slug).expect("slug")], ..Memberships::default() };
        self.running.app.user_add(login, login, password, false, of, None).await.expect("the auditor");
    }

    /// A browser in which the administrator is signed in.
    pub async fn signed_in(&self) -> Browser {
        self.sign_in("admin", &self.password).await
    }

    /// A browser in which somebody is signed in.
    pub async fn sign_in(&self, name: &str, password: &str) -> Browser {
        let browser = Browser::new(self);
        let csrf = field(&browser.page("/login").await, "csrf");
        let answer = browser.post("/login", &[("csrf", &csrf), ("name", name), ("password", password)]).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "signing in: {}", answer.text());
        browser
    }

    /// Lets a person decide about each request for the first product.
    pub async fn hold_requests(&self) {
        let app = &self.running.app;
        let slug = self.participant().await.slug;
        let offer = app.listing(&slug, "wind", None).await.expect("the product").offers.remove(0);
        let rules = serde_json::from_value(json!({"requested": [{"do": "hold"}]})).expect("rules");
        app.offer_set_rules(&slug, &offer.id, rules).await.expect("the offer");
    }

    /// Lets a person decide about each offer and each agreement, as a consumer.
    pub async fn hold_everything(&self) {
        let app = &self.running.app;
        let participant = self.participant().await;
        let hold = json!({"default": {"offered": [{"do": "hold"}], "agreed": [{"do": "hold"}]}});
        app.participant_set_rules(&participant, serde_json::from_value(hold).expect("rules")).await.expect("the participant");
    }

    /// Waits until a job has failed.
    pub async fn until_a_job_fails(&self) {
        let app = &self.running.app;
        let slug = self.participant().await.slug;
        let failed = async {
            while app.health(&slug).await.expect("health").failing.is_none() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE.to_std(), failed).await.expect("a failure");
    }

    /// Waits for a request that nobody has decided about; its id.
    pub async fn until_asked(&self) -> String {
        let app = &self.running.app;
        let slug = self.participant().await.slug;
        let mut events = app.store.subscribe();
        let asked = ProcessesAsked { state: Some("REQUESTED".into()), ..ProcessesAsked::default() };
        let wait = async {
            loop {
                let found = app.list_negotiations(&slug, asked.clone()).await.expect("the list");
                if let Some(n) = found.items.first() {
                    return n.id.to_string();
                }
                events.recv().await.expect("an event");
            }
        };
        tokio::time::timeout(PATIENCE.to_std(), wait).await.expect("a request")
    }

    /// Publishes a small table, to be read at most 100 times, at a price if there is one.
    async fn publish(&self, price: Option<Price>) {
        let csv = self.dir.path().join("wind.csv");
        std::fs::write(&csv, "hour,station,wind_m_s\n0,pier,3.5\n1,pier,4.5\n").expect("the table");
        let limit = json!({"leftOperand": "count", "operator": "lteq", "rightOperand": 100});
        let terms = json!({"@type": "Offer", "permission": [{"action": "use", "constraint": [limit]}]});
        let priced = Policy::from_odrl(&terms).expect("terms").at(price).to_odrl();
        let draft = Draft {
            product: "wind".into(),
            title: "Wind at the coast".into(),
            description: "Measured at the pier.".into(),
            keywords: vec!["weather".into()],
            source: Some(Source::Paths { paths: vec![csv.display().to_string()], in_place: false }),
            offers: vec![priced],
            publish_profile: true,
            ..Draft::new(ProductKind::Table)
        };
        let participant = self.participant().await;
        self.running.app.publish(&participant, draft, SourceAccess::OPERATOR, None, |_| {}).await.expect("the product");
    }
}

/// Two nodes: one offers a table, the other may have bought it.
pub struct Deal {
    /// Who offers.
    pub provider: Node,
    /// Who buys.
    pub consumer: Node,
    /// The consumer's negotiation; empty before there is one.
    pub negotiation: String,
    /// The agreement; likewise.
    pub agreement: String,
    /// The consumer's transfer; likewise.
    pub transfer: String,
}

impl Deal {
    /// The table is on offer.
    pub async fn offered() -> Self {
        Self::offered_at(None).await
    }

    /// It is offered at a price.
    pub async fn offered_at(price: Option<Price>) -> Self {
        let provider = Node::start("provider").await;
        provider.publish(price).await;
        let consumer = Node::start("consumer").await;
        Self { provider, consumer, negotiation: String::new(), agreement: String::new(), transfer: String::new() }
    }

    /// It is bought, and access is open.
    pub async fn make() -> Self {
        let mut deal = Self::offered().await;
        let app = &deal.consumer.running.app;
        let buyer = deal.consumer.participant().await;
        let begin = Begin { peer: deal.provider.did(), product: "wind".into(), offer: None, purpose: Vec::new(), price: None };
        let begun = app.negotiation_begin(&buyer, begin, None).await.expect("a negotiation");
        let done = app.negotiation_wait(&buyer.slug, &begun.id, PATIENCE, |n: &Negotiation| n.state.is_final()).await.expect("an end");
        let agreement = done.state.agreement().unwrap_or_else(|| panic!("no agreement: {:?}", done.state)).id.clone();
        let access = app.access_profile(&buyer, &agreement, PATIENCE).await.expect("access");
        deal.transfer = access.transfer.id.to_string();
        (deal.negotiation, deal.agreement) = (begun.id.to_string(), agreement);
        deal
    }

    /// Stops both.
    pub async fn stop(self) {
        self.consumer.stop().await;
        self.provider.stop().await;
    }
}

/// An answer, read whole.
pub struct Answer {
    status: StatusCode,
    headers: header::HeaderMap,
    body: String,
}

impl Answer {
    pub fn status(&self) -> StatusCode {
        self.status
    }
    /// A header; empty when there is none, joined when there are several.
    pub fn header(&self, name: &str) -> String {
        let values: Vec<_> = self.headers.get_all(name).iter().filter_map(|v| v.to_str().ok()).collect();
        values.join(", ")
    }
    pub fn location(&self) -> String {
        self.header("location")
    }
    pub fn text(&self) -> &str {
        &self.body
    }
}

/// Cookies and forms; no scripts. Redirects are not followed, so that tests see them.
pub struct Browser {
    client: Client,
    base: String,
    cookies: Mutex<BTreeMap<String, String>>,
}

impl Browser {
    pub fn new(node: &Node) -> Self {
        Self::with_cookies(node, BTreeMap::new())
    }

    pub fn with_cookies(node: &Node, cookies: BTreeMap<String, String>) -> Self {
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().expect("a client");
        Self { client, base: node.admin.clone(), cookies: Mutex::new(cookies) }
    }

    pub fn cookies(&self) -> BTreeMap<String, String> {
        self.cookies.lock().expect("no panic before").clone()
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let cookies: Vec<String> = self.cookies().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = self.client.request(method, format!("{}{path}", self.base));
        if cookies.is_empty() { request } else { request.header(header::COOKIE, cookies.join("; ")) }
    }

    async fn read(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        for cookie in headers.get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().expect("text");
            let (name, value) = cookie.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
            let mut jar = self.cookies.lock().expect("no panic before");
            if cookie.contains("Max-Age=0;") {
                jar.remove(name);
            } else {
                jar.insert(name.to_owned(), value.to_owned());
            }
        }
        // A stream of events has no end worth waiting for.
        let is_stream = headers.get(header::CONTENT_TYPE).is_some_and(|v| v == "text/event-stream");
        let body = if is_stream { String::new() } else { response.text().await.expect("a body") };
        Answer { status, headers, body }
    }

    /// A GET, a POST with a form, or a PUT without a token.
    pub async fn send(&self, method: Method, path: &str, fields: &[(&str, &str)]) -> Answer {
        match method {
            Method::POST => self.post(path, fields).await,
            Method::PUT => self.put(path, "", "").await,
            _ => self.get(path).await,
        }
    }

    /// A file, as the script of a page sends it.
    pub async fn put(&self, path: &str, token: &str, content: &str) -> Answer {
        self.read(self.request(Method::PUT, path).header("x-csrf-token", token).body(content.to_owned())).await
    }

    /// A form that brings files along: their field, name and content.
    pub async fn post_files(&self, path: &str, fields: &[(&str, &str)], files: &[(&str, &str, &str)]) -> Answer {
        const BOUNDARY: &str = "----a-boundary-of-ours";
        let mut body = String::new();
        for (name, value) in fields {
            body.push_str(&format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"));
        }
        for (field, name, content) in files {
            let head = format!("Content-Disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\nContent-Type: text/csv");
            body.push_str(&format!("--{BOUNDARY}\r\n{head}\r\n\r\n{content}\r\n"));
        }
        body.push_str(&format!("--{BOUNDARY}--\r\n"));
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        self.read(self.request(Method::POST, path).header(header::CONTENT_TYPE, kind).body(body)).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.read(self.request(Method::GET, path)).await
    }

    /// A GET of a browser whose reader wants these languages.
    pub async fn get_accepting(&self, languages: &str, path: &str) -> Answer {
        self.read(self.request(Method::GET, path).header(header::ACCEPT_LANGUAGE, languages)).await
    }

    /// A page that must be there.
    pub async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}: {}", answer.text());
        answer.body
    }

    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.read(self.form(path, fields)).await
    }

    /// A form that the browser says comes from `site`.
    pub async fn post_from(&self, site: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.read(self.form(path, fields).header("sec-fetch-site", site)).await
    }

    /// A POST that no form sends.
    pub async fn post_json(&self, path: &str, body: &str) -> Answer {
        let request = self.request(Method::POST, path).header(header::CONTENT_TYPE, "application/json");
        self.read(request.body(body.to_owned())).await
    }

    fn form(&self, path: &str, fields: &[(&str, &str)]) -> reqwest::RequestBuilder {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.request(Method::POST, path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(body)
    }

    /// Presses the button "Negotiate" of the one offer of a peer's product; where that leads.
    pub async fn negotiate(&self, slug: &str, peer: &str, id: &str) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("peer", peer).append_pair("id", id).finish();
        self.negotiate_at(slug, &format!("/p/{slug}/catalog/product?{query}"), None).await
    }

    /// The same from the product's page, naming a price where it asks for one.
    pub async fn negotiate_at(&self, slug: &str, page: &str, price: Option<&str>) -> String {
        let product = self.page(page).await;
        let fields = ["csrf", "peer", "product", "offer"].map(|name| (name, field(&product, name)));
        let mut fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
        fields.extend(price.map(|price| ("price", price)));
        let begun = self.post(&format!("/p/{slug}/negotiations"), &fields).await;
        assert_eq!(begun.status(), StatusCode::SEE_OTHER, "{}", begun.text());
        begun.location()
    }

    /// A stream of events.
    pub async fn stream(&self, path: &str) -> Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>> {
        let response = self.request(Method::GET, path).send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        Box::pin(response.bytes_stream())
    }

    /// Reads a page again with every event, as the script does, until it shows a state.
    pub async fn follow_until(&self, slug: &str, topic: &str, page: &str, wanted: &str) -> String {
        let mut events = self.stream(&format!("/p/{slug}/events?topic={topic}")).await;
        let follow = async {
            loop {
                let html = self.page(page).await;
                if state(&html) == wanted {
                    return html;
                }
                let event = events.next().await.expect("the stream ended before").expect("it broke");
                assert!(event.starts_with(b"data:") || event.starts_with(b":"), "{event:?}");
            }
        };
        tokio::time::timeout(PATIENCE.to_std(), follow).await.unwrap_or_else(|_| panic!("{page} never showed {wanted}"))
    }
}

/// The value of the first field of a name in a page.
pub fn field(html: &str, name: &str) -> String {
    let marker = format!("name=\"{name}\" value=\"");
    let start = html.find(&marker).unwrap_or_else(|| panic!("no field {name} in {html}")) + marker.len();
    let end = start + html[start..].find('"').expect("the end of the value");
    html[start..end].replace("&#38;", "&").replace("&amp;", "&")
}

/// The first path in a page that starts so.
pub fn path_in<'a>(html: &'a str, start: &str) -> &'a str {
    let at = html.find(start).unwrap_or_else(|| panic!("no {start} in {html}"));
    html[at..].split('"').next().unwrap_or_default()
}

/// The last part of a path.
pub fn id_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// The first state that a page shows.
pub fn state(html: &str) -> &str {
    let marker = "data-state=\"";
    let start = html.find(marker).map(|at| at + marker.len()).unwrap_or_default();
    html[start..].split('"').next().unwrap_or_default()
}
