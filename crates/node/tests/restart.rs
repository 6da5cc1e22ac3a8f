//! `kill -9` of either node at random moments of many deals, then a restart on the same ports: nothing acknowledged is
//! lost, nothing happens twice, and every process goes on by itself.
//!
//! `FONDACO_RESTART_SEED` repeats the choice of moments and victims, `FONDACO_RESTART_DEALS` sets the number of deals.
//! The seed is printed; what the kernel schedules in between is not part of it.

use fondaco_core::entropy::{Entropy, SeededEntropy};
use fondaco_node::{
    init::{InitOptions, init},
    secrets::OsEntropy,
};
use fondaco_testkit::{Share, eventually, file_urls, http, tables};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashSet},
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::Semaphore, time::sleep};

const PROGRAM: &str = env!("CARGO_BIN_EXE_fondaco");
/// Deals, unless the environment says otherwise.
const DEALS: usize = 200;
/// Deals under way at once.
const AT_ONCE: usize = 16;
/// The shortest and longest time a node is left alone.
const UNDISTURBED_MS: (u64, u64) = (10, 400);
/// A client's pause before it tries again.
const PAUSE: Duration = Duration::from_millis(25);
/// More than all of it may take.
const ALL: Duration = Duration::from_mins(4);

/// A node of its own process.
struct Node {
    dir: PathBuf,
    slug: &'static str,
    did: String,
    admin: String,
    token: String,
    child: Mutex<Option<Child>>,
    client: Client,
}

impl Node {
    async fn init(root: &TempDir, slug: &'static str) -> Self {
        let dir = root.path().join(slug);
        let (public, admin) =
            (TcpListener::bind("127.0.0.1:0").await.expect("a port"), TcpListener::bind("127.0.0.1:0").await.expect("a port"));
        let address = |l: &TcpListener| l.local_addr().expect("an address").to_string();
        let made = init(InitOptions {
            dir: dir.clone(),
            participant: slug.into(),
            name: format!("{slug} Ltd"),
            country: None,
            public: Some(format!("http://{}", address(&public))),
            admin: Some(address(&admin)),
            database: None,
        })
        .await
        .expect("a node");
        let token = std::fs::read_to_string(made.token_file).expect("the token").trim().to_owned();
        let did = made.participant.did.to_string();
        let admin = format!("http://{}", address(&admin));
        Self { dir, slug, did, admin, token, child: Mutex::new(None), client: http::client() }
    }

    /// Starts the process and waits until it is ready.
    async fn serve(self: &Arc<Self>) {
        let node = Arc::clone(self);
        let started = tokio::task::spawn_blocking(move || {
            let log = std::fs::File::options().create(true).append(true).open(node.dir.join("log")).expect("a log");
            let mut child = Command::new(PROGRAM)
                .args(["serve", "--dir"])
                .arg(&node.dir)
                .env("FONDACO_LOG__LEVEL", "info")
                .stdout(Stdio::piped())
                .stderr(log)
                .spawn()
                .expect("it starts");
            let mut line = String::new();
            BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
            assert!(line.starts_with("ready "), "{} did not start: {line}{}", node.slug, node.log());
            *node.child.lock().expect("not poisoned") = Some(child);
        });
        started.await.expect("started");
    }

    /// SIGKILL.
    fn kill(&self) {
        let mut child = self.child.lock().expect("not poisoned").take().expect("running");
        child.kill().expect("killed");
        child.wait().expect("gone");
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}/api/v1/participants/{}{path}", self.admin, self.slug);
        self.client.request(method, url).bearer_auth(&self.token)
    }

    /// One try; `None` when the node, or the peer it had to ask, is away.
    async fn once(&self, request: reqwest::RequestBuilder) -> Option<Value> {
        let response = request.send().await.ok()?;
        let status = response.status();
        let body = response.bytes().await.ok()?;
        if matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE) {
            return None;
        }
        let text = String::from_utf8_lossy(&body);
        assert!(status.is_success(), "{}: {status} {text}\n{}", self.slug, self.log());
        Some(serde_json::from_slice(&body).expect("JSON"))
    }

    /// Tries until there is an answer, as a careful client does: with the same key every time.
    async fn create(&self, path: &str, key: &str, body: &Value) -> Value {
        loop {
            if let Some(answer) = self.once(self.request(Method::POST, path).header("idempotency-key", key).json(body)).await {
                return answer;
            }
            sleep(PAUSE).await;
        }
    }

    async fn get(&self, path: &str) -> Value {
        loop {
            if let Some(answer) = self.once(self.request(Method::GET, path)).await {
                return answer;
            }
            sleep(PAUSE).await;
        }
    }

    /// Asks again and again until the process is where it should be.
    async fn until(&self, path: &str, enough: impl Fn(&str) -> bool) -> Value {
        loop {
            let process = self.get(&format!("{path}?wait=5")).await;
            if enough(process["state"].as_str().expect("a state")) {
                return process;
            }
        }
    }

    /// All rows of a list, by id; an id that comes twice is a failure.
    async fn all(&self, kind: &str) -> BTreeMap<String, Value> {
        let mut rows = BTreeMap::new();
        let mut after = String::new();
        loop {
            let page = self.get(&format!("/{kind}?limit=200{after}")).await;
            for row in page[kind].as_array().expect("rows") {
                let id = row["id"].as_str().expect("an id").to_owned();
                assert!(rows.insert(id.clone(), row.clone()).is_none(), "{kind}: {id} twice");
            }
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return rows,
            }
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Ok(mut child) = self.child.lock()
            && let Some(child) = child.as_mut()
        {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

/// What a client was told: from then on it must be true.
#[derive(Clone)]
struct Told {
    negotiation: String,
    agreement: String,
    transfer: String,
}

async fn deal(n: usize, provider: &Node, consumer: &Node) -> Told {
    let text = |v: &Value| v.as_str().expect("a text").to_owned();
    let body = json!({"peer": provider.did, "product": "wind"});
    let begun = consumer.create("/negotiations", &format!("deal-{n}"), &body).await;
    let negotiation = text(&begun["negotiationId"]);
    let done = consumer.until(&format!("/negotiations/{negotiation}"), |s| matches!(s, "FINALIZED" | "TERMINATED")).await;
    assert_eq!(done["state"], "FINALIZED", "deal {n}: {done}");
    let agreement = text(&done["agreementId"]);
    let begun = consumer.create(&format!("/agreements/{agreement}/transfers"), &format!("transfer-{n}"), &json!({})).await;
    let transfer = text(&begun["id"]);
    let running = consumer.until(&format!("/transfers/{transfer}"), |s| s != "REQUESTED").await;
    assert_eq!(running["state"], "STARTED", "deal {n}: {running}");
    Told { negotiation, agreement, transfer }
}

/// Kills and restarts until it is told that all is done; gives the number of kills.
async fn disturb(nodes: [Arc<Node>; 2], random: SeededEntropy, done: Arc<Semaphore>) -> usize {
    let mut kills = 0;
    loop {
        let (least, most) = UNDISTURBED_MS;
        let undisturbed = Duration::from_millis(least + random.next_u64() % (most - least));
        if tokio::time::timeout(undisturbed, done.acquire()).await.is_ok() {
            return kills;
        }
        let victims: &[usize] = match random.next_u64() % 5 {
            0 | 1 => &[0],
            2 | 3 => &[1],
            _ => &[0, 1],
        };
        for v in victims {
            nodes[*v].kill();
            kills += 1;
        }
        for v in victims {
            nodes[*v].serve().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_nodes_lose_nothing_and_double_nothing() {
    let seed = number("FONDACO_RESTART_SEED").unwrap_or_else(|| {
        let mut bytes = [0; 4];
        OsEntropy.fill(&mut bytes);
        u32::from_le_bytes(bytes).into()
    });
    let deals = number("FONDACO_RESTART_DEALS").map_or(DEALS, |n| usize::try_from(n).expect("a number of deals"));
    eprintln!("FONDACO_RESTART_SEED={seed} FONDACO_RESTART_DEALS={deals}");
    let progress = Arc::new(AtomicUsize::new(0));
    let all = run(seed, deals, Arc::clone(&progress));
    let finished = tokio::time::timeout(ALL, all).await;
    assert!(finished.is_ok(), "seed {seed}: only {} of {deals} deals after {} s", progress.load(Ordering::Relaxed), ALL.as_secs());
}

async fn run(seed: u64, deals: usize, progress: Arc<AtomicUsize>) {
    let root = TempDir::new().expect("a folder");
    let provider = Arc::new(Node::init(&root, "provider").await);
    let consumer = Arc::new(Node::init(&root, "consumer").await);
    tokio::join!(provider.serve(), consumer.serve());
    let file = tables::write(root.path(), "wind.csv", tables::WIND);
    let product = json!({"id": "wind", "title": "Wind", "kind": "table", "paths": [file]});
    provider.create("/products", "wind", &product).await;

    let done = Arc::new(Semaphore::new(0));
    let disturbing = tokio::spawn(disturb([Arc::clone(&provider), Arc::clone(&consumer)], SeededEntropy::new(seed), Arc::clone(&done)));
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut dealing = tokio::task::JoinSet::new();
    for n in 0..deals {
        let (provider, consumer, places, progress) =
            (Arc::clone(&provider), Arc::clone(&consumer), Arc::clone(&places), Arc::clone(&progress));
        dealing.spawn(async move {
            let _place = places.acquire().await.expect("open");
            let told = deal(n, &provider, &consumer).await;
            progress.fetch_add(1, Ordering::Relaxed);
            told
        });
    }
    let mut told = Vec::new();
    while let Some(one) = dealing.join_next().await {
        told.push(one.unwrap_or_else(|e| panic!("seed {seed}: {e}")));
    }
    done.add_permits(1);
    let kills = disturbing.await.expect("the nodes always came back");
    eprintln!("{deals} deals, {kills} kills");
    assert!(deals < 50 || kills >= 5, "only {kills} kills");
    check(&provider, &consumer, &told).await;
    for node in [&provider, &consumer] {
        let log = node.log();
        for line in log.lines() {
            // The beginnings of API tokens, of tokens for data, and of tokens between nodes.
            let secret = ["fdc_", "fda_", "eyJ"].iter().any(|prefix| line.contains(prefix)) || line.contains(&node.token);
            assert!(!secret, "a secret in the log of {}", node.slug);
            assert!(!line.contains(" ERROR ") && !line.contains("panic"), "{}: {line}", node.slug);
        }
        assert!(log.contains("node.ready"), "the log was looked at");
    }
}

/// What both nodes know in the end.
async fn check(provider: &Node, consumer: &Node, told: &[Told]) {
    for node in [provider, consumer] {
        eventually("nothing left to do", async || {
            let request = node.client.get(format!("{}/api/v1/node", node.admin)).bearer_auth(&node.token);
            (node.once(request).await?["jobs"]["pending"] == 0).then_some(())
        })
        .await;
    }
    let (ours, theirs) = (consumer.all("negotiations").await, provider.all("negotiations").await);
    assert_eq!((ours.len(), theirs.len()), (told.len(), told.len()), "one negotiation for each that was asked for");
    let (agreements, their_agreements) = (consumer.all("agreements").await, provider.all("agreements").await);
    assert_eq!((agreements.len(), their_agreements.len()), (told.len(), told.len()), "one agreement for each negotiation");
    let of: HashSet<&str> = agreements.values().map(|a| a["negotiationId"].as_str().expect("id")).collect();
    assert_eq!(of.len(), told.len());
    let (transfers, their_transfers) = (consumer.all("transfers").await, provider.all("transfers").await);
    assert_eq!((transfers.len(), their_transfers.len()), (told.len(), told.len()));
    for Told { negotiation, agreement, transfer } in told {
        let n = &ours[negotiation];
        let peer = &theirs[n["peerPid"].as_str().expect("known")];
        assert_eq!((&n["state"], &peer["state"]), (&json!("FINALIZED"), &json!("FINALIZED")), "{n} {peer}");
        assert_eq!(peer["peerPid"], *negotiation);
        assert_eq!((&n["agreementId"], &peer["agreementId"]), (&json!(agreement), &json!(agreement)));
        let (a, b) = (&agreements[agreement], &their_agreements[agreement]);
        assert_eq!(a["digest"], b["digest"], "{agreement}");
        assert_eq!(a["negotiationId"], *negotiation);
        let t = &transfers[transfer];
        let peer = &their_transfers[t["peerPid"].as_str().expect("known")];
        assert_eq!((&t["state"], &peer["state"]), (&json!("STARTED"), &json!("STARTED")), "{t} {peer}");
        assert_eq!((&t["agreementId"], &peer["agreementId"]), (&json!(agreement), &json!(agreement)));
    }
    // Each agreement is in both logs, which hold.
    for node in [provider, consumer] {
        eventually("the log to take all in", async || {
            let request = node.client.get(format!("{}/api/v1/log", node.admin)).bearer_auth(&node.token);
            (node.once(request).await?["waiting"] == 0).then_some(())
        })
        .await;
        let request = node.client.get(format!("{}/api/v1/log/check", node.admin)).bearer_auth(&node.token);
        let checked = node.once(request).await.expect("an answer");
        assert_eq!(checked["faults"], json!([]), "{checked}");
        for Told { agreement, .. } in told {
            let logged = node.get(&format!("/evidence?object={agreement}")).await;
            let kinds: Vec<&str> =
                logged["evidence"].as_array().expect("a list").iter().map(|e| e["kind"].as_str().expect("kind")).collect();
            assert_eq!(kinds, ["agreement"], "once, of {agreement}");
        }
    }
    // And the last one can be read.
    let Some(Told { agreement, .. }) = told.last() else { return };
    let access = consumer.once(consumer.request(Method::POST, &format!("/agreements/{agreement}/access")).json(&json!({}))).await;
    let access = access.expect("the provider is there");
    let text = |v: &Value| v.as_str().expect("a text").to_owned();
    let share = Share::new(&text(&access["profile"]["endpoint"]), &text(&access["profile"]["bearerToken"]));
    let answer = share.call(Method::POST, "/shares/provider/schemas/default/tables/wind/query", Some(&json!({}))).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let bytes = share.open(Method::GET, &file_urls(&answer)[0], &[]).await.body;
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
}
