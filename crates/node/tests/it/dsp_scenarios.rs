//! The 65 scenarios of the Dataspace Protocol's official kit, played by a scripted counterparty that speaks plain JSON.
//! What the node does of its own accord in each is in `conformance/dsp-tck/seed.toml`, applied by the command, just as
//! for the kit itself. All are played at once; at the end nothing may have moved on by itself.
//!
//! A script is a list of words: `request` and `initiate` begin; `>offer` is sent to the node and must be taken, `!offer`
//! must be refused and change nothing; `<offer` must come from the node; `=OFFERED` is the state it must tell.

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
};
use fondaco_testkit::{PATIENCE, TestNode, log, wire};
use serde_json::{Value, json};
use std::{path::Path, sync::Arc};
use tokio::{net::TcpListener, sync::mpsc};

const SEED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../conformance/dsp-tck/seed.toml");

/// Name, dataset or agreement, script.
const SCENARIOS: [(&str, &str, &str); 61] = [
    // The node is the provider.
    ("CN:01-01", "ACN0101", "request <offer =OFFERED >terminated =TERMINATED"),
    ("CN:01-02", "ACN0102", "request <offer >counter <terminated =TERMINATED"),
    ("CN:01-03", "ACN0103", "request <offer >accepted <agreement >verified <finalized =FINALIZED"),
    ("CN:01-04", "ACN0104", "request <agreement >verified <finalized =FINALIZED"),
    ("CN:02-01", "ACN0201", "request <terminated =TERMINATED"),
    ("CN:02-02", "ACN0202", "request =REQUESTED >terminated =TERMINATED"),
    ("CN:02-03", "ACN0203", "request <agreement =AGREED >terminated =TERMINATED"),
    ("CN:02-04", "ACN0204", "request <offer =OFFERED >terminated =TERMINATED"),
    ("CN:02-05", "ACN0205", "request <offer <terminated =TERMINATED"),
    ("CN:02-06", "ACN0206", "request <offer >accepted <terminated =TERMINATED"),
    ("CN:02-07", "ACN0207", "request <agreement >verified <terminated =TERMINATED"),
    ("CN:03-01", "ACN0301", "request <agreement >verified <finalized =FINALIZED !terminated =FINALIZED"),
    ("CN:03-02", "ACN0302", "request <offer !verified =OFFERED"),
    ("CN:03-03", "ACN0303", "request <offer >accepted !verified =ACCEPTED"),
    ("CN:03-04", "ACN0304", "request <offer >counter !counter =REQUESTED"),
    // The node is the consumer.
    ("CN_C:01-01", "ACNC0101", "initiate <request >offer <accepted >agreement <verified >finalized =FINALIZED"),
    ("CN_C:01-02", "ACNC0102", "initiate <request >offer <counter =REQUESTED >terminated =TERMINATED"),
    ("CN_C:01-03", "ACNC0103", "initiate <request >offer <terminated =TERMINATED"),
    ("CN_C:01-04", "ACNC0104", "initiate <request >agreement <verified >finalized =FINALIZED"),
    ("CN_C:02-01", "ACNC0201", "initiate <request >terminated =TERMINATED"),
    ("CN_C:02-02", "ACNC0202", "initiate <request <terminated =TERMINATED"),
    ("CN_C:02-03", "ACNC0203", "initiate <request >agreement <terminated =TERMINATED"),
    ("CN_C:02-04", "ACNC0204", "initiate <request >offer =OFFERED >terminated =TERMINATED"),
    ("CN_C:02-05", "ACNC0205", "initiate <request >offer <accepted >terminated =TERMINATED"),
    ("CN_C:02-06", "ACNC0206", "initiate <request >agreement <verified >terminated =TERMINATED"),
    ("CN_C:03-01", "ACNC0301", "initiate <request !finalized =REQUESTED"),
    ("CN_C:03-02", "ACNC0302", "initiate <request >offer !agreement =OFFERED"),
    ("CN_C:03-03", "ACNC0303", "initiate <request >offer !finalized =OFFERED"),
    ("CN_C:03-04", "ACNC0304", "initiate <request >offer <accepted !finalized =ACCEPTED"),
    ("CN_C:03-05", "ACNC0305", "initiate <request >offer <accepted !offer =ACCEPTED"),
    ("CN_C:03-06", "ACNC0306", "initiate <request >offer <accepted >agreement !finalized =AGREED"),
    // The node delivers.
    ("TP:01-01", "ATP0101", "request <started <terminated =TERMINATED"),
    ("TP:01-02", "ATP0102", "request <started <completed =COMPLETED"),
    ("TP:01-03", "ATP0103", "request <started <suspended <terminated =TERMINATED"),
    ("TP:01-04", "ATP0104", "request <started <suspended <started <completed =COMPLETED"),
    ("TP:01-05", "ATP0105", "request <terminated =TERMINATED"),
    ("TP:02-01", "ATP0201", "request <started =STARTED >terminated =TERMINATED"),
    ("TP:02-02", "ATP0202", "request <started >completed =COMPLETED"),
    ("TP:02-03", "ATP0203", "request <started >suspended =SUSPENDED >terminated =TERMINATED"),
    ("TP:02-05", "ATP0205", "request =REQUESTED >terminated =TERMINATED"),
    ("TP:03-01", "ATP0301", "request !completed =REQUESTED"),
    ("TP:03-02", "ATP0302", "request !suspended =REQUESTED"),
    ("TP:03-03", "ATP0303", "request <started >suspended !completed =SUSPENDED"),
    ("TP:03-04", "ATP0304", "request <started >terminated !started =TERMINATED"),
    ("TP:03-05", "ATP0305", "request <started >terminated !suspended =TERMINATED"),
    ("TP:03-06", "ATP0306", "request <started >terminated !completed =TERMINATED"),
    // The node receives.
    ("TP_C:01-01", "ATPC0101", "initiate <request >started =STARTED >terminated =TERMINATED"),
    ("TP_C:01-02", "ATPC0102", "initiate <request >started >completed =COMPLETED"),
    ("TP_C:01-03", "ATPC0103", "initiate <request >started >suspended >terminated =TERMINATED"),
    ("TP_C:01-04", "ATPC0104", "initiate <request >started >suspended >started >completed =COMPLETED"),
    ("TP_C:01-05", "ATPC0105", "initiate <request >terminated =TERMINATED"),
    ("TP_C:02-01", "ATPC0201", "initiate <request >started <terminated =TERMINATED"),
    ("TP_C:02-02", "ATPC0202", "initiate <request >started <completed =COMPLETED"),
    ("TP_C:02-03", "ATPC0203", "initiate <request >started <suspended <terminated =TERMINATED"),
    ("TP_C:02-05", "ATPC0205", "initiate <request <terminated =TERMINATED"),
    ("TP_C:03-01", "ATPC0301", "initiate <request !completed =REQUESTED"),
    ("TP_C:03-02", "ATPC0302", "initiate <request !suspended =REQUESTED"),
    ("TP_C:03-03", "ATPC0303", "initiate <request >started >suspended !completed =SUSPENDED"),
    ("TP_C:03-04", "ATPC0304", "initiate <request >started >terminated !started =TERMINATED"),
    ("TP_C:03-05", "ATPC0305", "initiate <request >started >terminated !suspended =TERMINATED"),
    ("TP_C:03-06", "ATPC0306", "initiate <request >started >terminated !completed =TERMINATED"),
];

/// The node under test, and the node whose identity the counterparty has.
struct Stage {
    node: TestNode,
    identity: TestNode,
}

/// Somebody who does as the script says, with an address of their own.
struct Counterparty {
    stage: Arc<Stage>,
    name: &'static str,
    /// The dataset or agreement.
    about: &'static str,
    address: String,
    inbox: mpsc::UnboundedReceiver<(String, Value)>,
    own_pid: String,
    node_pid: String,
}

#[derive(Clone)]
struct Door {
    own_pid: String,
    letters: mpsc::UnboundedSender<(String, Value)>,
}

/// Takes every message; a first request is answered with a pid, any other with nothing.
async fn take(State(door): State<Door>, uri: Uri, body: Bytes) -> Response {
    let message: Value = serde_json::from_slice(&body).expect("JSON");
    let first = ["/negotiations/request", "/transfers/request"].contains(&uri.path());
    let kind = if uri.path().starts_with("/transfers") { "TransferProcess" } else { "ContractNegotiation" };
    let ack = json!({"@context": [wire::CONTEXT], "@type": kind, "providerPid": door.own_pid, "consumerPid": message["consumerPid"], "state": "REQUESTED"});
    // Nobody reads any more: the test has failed elsewhere.
    let _ = door.letters.send((uri.path().to_owned(), message));
    if first { (StatusCode::CREATED, Json(ack)).into_response() } else { StatusCode::OK.into_response() }
}

impl Counterparty {
    async fn new(stage: Arc<Stage>, name: &'static str, about: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let (letters, inbox) = mpsc::unbounded_channel();
        let own_pid = wire::urn();
        let door = Door { own_pid: own_pid.clone(), letters };
        tokio::spawn(axum::serve(listener, Router::new().fallback(take).with_state(door)).into_future());
        Self { stage, name, about, address, inbox, own_pid, node_pid: String::new() }
    }

    fn is_transfer(&self) -> bool {
        self.name.starts_with("TP")
    }

    fn node_consumes(&self) -> bool {
        self.name.contains("_C")
    }

    fn family(&self) -> &'static str {
        if self.is_transfer() { "transfers" } else { "negotiations" }
    }

    fn offer_id(&self) -> String {
        if self.node_consumes() { format!("offer{}", self.about) } else { format!("CD123:{}:456", self.about) }
    }

    fn pids(&self) -> Value {
        let (provider, consumer) = if self.node_consumes() { (&self.own_pid, &self.node_pid) } else { (&self.node_pid, &self.own_pid) };
        json!({"providerPid": provider, "consumerPid": consumer})
    }

    /// Type, path below the process, members beside the pids, and the state it leads to.
    fn message(&self, word: &str) -> (&'static str, &'static str, Value, &'static str) {
        let offer = || wire::offer(&self.offer_id(), self.about, &[]);
        let none = || json!({});
        match (self.is_transfer(), word) {
            (false, "offer") => ("ContractOfferMessage", "offers", json!({"offer": offer()}), "OFFERED"),
            (false, "counter") => ("ContractRequestMessage", "request", json!({"offer": offer()}), "REQUESTED"),
            (false, "agreement") => {
                let agreement = json!({
                    "@id": wire::urn(), "@type": "Agreement", "target": self.about, "assigner": self.stage.identity.did,
                    "assignee": self.stage.node.did, "timestamp": "2026-11-01T00:00:00Z", "permission": [{"action": "use"}],
                });
                ("ContractAgreementMessage", "agreement", json!({"agreement": agreement}), "AGREED")
            }
            (false, "accepted") => ("ContractNegotiationEventMessage", "events", json!({"eventType": "ACCEPTED"}), "ACCEPTED"),
            (false, "finalized") => ("ContractNegotiationEventMessage", "events", json!({"eventType": "FINALIZED"}), "FINALIZED"),
            (false, "verified") => ("ContractAgreementVerificationMessage", "agreement/verification", none(), "VERIFIED"),
            (false, "terminated") => ("ContractNegotiationTerminationMessage", "termination", none(), "TERMINATED"),
            (true, "started") => ("TransferStartMessage", "start", none(), "STARTED"),
            (true, "suspended") => ("TransferSuspensionMessage", "suspension", none(), "SUSPENDED"),
            (true, "completed") => ("TransferCompletionMessage", "completion", none(), "COMPLETED"),
            (true, "terminated") => ("TransferTerminationMessage", "termination", none(), "TERMINATED"),
            _ => panic!("{}: no message {word}", self.name),
        }
    }

    async fn step(&mut self, word: &str) {
        let told = format!("{} {word}", self.name);
        match (word, word.split_at(1)) {
            ("request", _) => self.request(&told).await,
            ("initiate", _) => self.initiate().await,
            ("<request", _) => self.requested(&told).await,
            (_, ("<", word)) => self.hear(word, &told).await,
            (_, (">", word)) => {
                let answer = self.say(word).await;
                let (_, _, _, state) = self.message(word);
                assert_eq!((answer.status, &answer.json()["state"]), (200, &json!(state)), "{told}: {}", answer.text());
            }
            (_, ("!", word)) => {
                let before = self.state().await;
                let answer = self.say(word).await;
                assert_eq!(answer.refused(400), "FDC-3001", "{told}");
                assert_eq!(log::refusals(answer.header("x-request-id")), 1, "{told}");
                assert_eq!(self.state().await, before, "{told}");
            }
            (_, ("=", state)) => assert_eq!(self.state().await, state, "{told}"),
            _ => panic!("no step {told}"),
        }
    }

    /// Asks the node, as a consumer.
    async fn request(&mut self, told: &str) {
        let begin = json!({"consumerPid": self.own_pid, "callbackAddress": self.address});
        let mut message = if self.is_transfer() {
            wire::message("TransferRequestMessage", json!({"agreementId": self.about, "format": "HttpData-PULL"}))
        } else {
            wire::message("ContractRequestMessage", json!({"offer": wire::offer(&self.offer_id(), self.about, &[])}))
        };
        message.as_object_mut().expect("an object").extend(begin.as_object().expect("an object").clone());
        let ack = self.stage.identity.send(&self.stage.node, &format!("/{}/request", self.family()), &message).await.must(201);
        assert_eq!((&ack["state"], &ack["consumerPid"]), (&json!("REQUESTED"), &json!(self.own_pid)), "{told}: {ack}");
        ack["providerPid"].as_str().expect("a pid").clone_into(&mut self.node_pid);
    }

    /// Has the node ask, as its own people would.
    async fn initiate(&self) {
        let mut body = json!({"providerId": self.stage.identity.did, "connectorAddress": self.address});
        let more = if self.is_transfer() {
            json!({"agreementId": self.about, "format": "HttpData-PULL"})
        } else {
            json!({"datasetId": self.about, "offerId": self.offer_id()})
        };
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        self.stage.node.post(&format!("/{}/initiate", self.family()), &body).await.must(201);
    }

    async fn letter(&mut self, told: &str) -> (String, Value) {
        let letter = tokio::time::timeout(PATIENCE, self.inbox.recv()).await;
        let (path, message) = letter.unwrap_or_else(|_| panic!("{told}: nothing came")).expect("an open door");
        assert_eq!(message["@context"], json!([wire::CONTEXT]), "{told}: {message}");
        (path, message)
    }

    async fn requested(&mut self, told: &str) {
        let (path, message) = self.letter(told).await;
        assert_eq!(path, format!("/{}/request", self.family()), "{told}");
        assert_eq!(message["callbackAddress"], self.stage.node.dsp_url(), "{told}");
        if self.is_transfer() {
            assert_eq!((&message["@type"], &message["agreementId"]), (&json!("TransferRequestMessage"), &json!(self.about)), "{told}");
        } else {
            assert_eq!(message["@type"], "ContractRequestMessage", "{told}");
            assert_eq!((&message["offer"]["@id"], &message["offer"]["target"]), (&json!(self.offer_id()), &json!(self.about)), "{told}");
        }
        message["consumerPid"].as_str().expect("a pid").clone_into(&mut self.node_pid);
    }

    async fn hear(&mut self, word: &str, told: &str) {
        let (kind, below, members, _) = self.message(word);
        let (path, message) = self.letter(told).await;
        assert_eq!((&message["@type"], path), (&json!(kind), format!("/{}/{}/{below}", self.family(), self.own_pid)), "{told}");
        for pid in ["providerPid", "consumerPid"] {
            assert_eq!(message[pid], self.pids()[pid], "{told}");
        }
        assert_eq!(message["eventType"], members["eventType"], "{told}");
        if word == "agreement" {
            let (agreement, stage) = (&message["agreement"], &self.stage);
            assert_eq!((&agreement["assigner"], &agreement["assignee"]), (&json!(stage.node.did), &json!(stage.identity.did)), "{told}");
        }
    }

    async fn say(&self, word: &str) -> fondaco_testkit::Answer {
        let (kind, below, mut members, _) = self.message(word);
        members.as_object_mut().expect("an object").extend(self.pids().as_object().expect("an object").clone());
        let path = format!("/{}/{}/{below}", self.family(), self.node_pid);
        self.stage.identity.send(&self.stage.node, &path, &wire::message(kind, members)).await
    }

    async fn state(&self) -> String {
        let seen = self.stage.identity.ask(&self.stage.node, &format!("/{}/{}", self.family(), self.node_pid)).await.must(200);
        seen["state"].as_str().expect("a state").to_owned()
    }
}

/// A node prepared as the kit wants it, with the counterparty in the kit's place.
async fn stage() -> Stage {
    let (node, identity) = tokio::join!(TestNode::start("node"), TestNode::start("counterparty"));
    let seed = std::fs::read_to_string(SEED).expect("the seed file").replace("TCK_PARTICIPANT", identity.did.as_str());
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("seed.toml");
    std::fs::write(&file, seed).expect("written");
    std::fs::copy(Path::new(SEED).with_file_name("readings.csv"), folder.path().join("readings.csv")).expect("copied");
    for outcomes in [vec!["new", "published", "set"], vec!["unchanged"]] {
        let applied = apply(&node, &file).await;
        let mut seen: Vec<&str> =
            applied["applied"].as_array().expect("a list").iter().map(|a| a["outcome"].as_str().expect("a word")).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, outcomes);
    }
    Stage { node, identity }
}

async fn apply(node: &TestNode, file: &Path) -> Value {
    let done = tokio::process::Command::new(env!("CARGO_BIN_EXE_fondaco"))
        .args(["--json", "apply"])
        .arg(file)
        .arg("--dir")
        .arg(node.dir())
        .output()
        .await
        .expect("the command runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).expect("JSON")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_scenarios_of_the_official_kit() {
    log::watch();
    let stage = Arc::new(stage().await);
    discovery(&stage).await;
    let plays: Vec<_> = SCENARIOS
        .into_iter()
        .map(|(name, about, script)| {
            let stage = Arc::clone(&stage);
            let play = tokio::spawn(async move {
                let mut who = Counterparty::new(stage, name, about).await;
                for word in script.split_whitespace() {
                    who.step(word).await;
                }
                who
            });
            (name, script, play)
        })
        .collect();
    let (mut actors, mut failed) = (Vec::new(), Vec::new());
    for (name, script, play) in plays {
        match play.await {
            Ok(who) => actors.push((who, script)),
            Err(e) => failed.push(format!("{name}: {e}")),
        }
    }
    assert!(failed.is_empty(), "{} of {} failed:\n{}", failed.len(), SCENARIOS.len(), failed.join("\n"));
    // No decision waits any more, so whoever was to hold has held.
    stage.node.idle().await;
    for (mut who, script) in actors {
        let last = script.rsplit(' ').find_map(|w| w.strip_prefix('=')).expect("every script ends with a state");
        assert_eq!(who.state().await, last, "{}", who.name);
        assert!(who.inbox.try_recv().is_err(), "{}: more came than the script says", who.name);
    }
}

/// MET:01-01, CAT:01-01, CAT:01-02 and CAT:01-03.
async fn discovery(stage: &Stage) {
    let (node, identity) = (&stage.node, &stage.identity);
    let path = format!("/p/{}/.well-known/dspace-version", node.slug);
    let versions = node.public(reqwest::Method::GET, &path).await.must(200);
    let ours = versions["protocolVersions"].as_array().expect("a list").iter().find(|v| v["version"] == "2025-1").expect("2025-1");
    assert!(ours["path"].is_string() && ours["binding"].is_string(), "{ours}");
    let request = wire::message("CatalogRequestMessage", json!({"filter": []}));
    let catalog = identity.send(node, "/catalog/request", &request).await.must(200);
    assert!(catalog["dataset"].as_array().expect("datasets").iter().any(|d| d["@id"] == "CAT0101"), "{catalog}");
    let dataset = identity.ask(node, "/catalog/datasets/CAT0102").await.must(200);
    assert_eq!((&dataset["@type"], &dataset["@id"]), (&json!("Dataset"), &json!("CAT0102")));
    let missing = identity.ask(node, "/catalog/datasets/CAT0103").await.must(404);
    assert_eq!((&missing["@type"], &missing["@context"][0]), (&json!("CatalogError"), &json!(wire::CONTEXT)));
}

#[test]
fn the_table_is_whole() {
    let seed = std::fs::read_to_string(SEED).expect("the seed file");
    for (name, about, script) in SCENARIOS {
        assert!(seed.contains(about) || script.contains("initiate"), "{name}");
        assert_eq!(about.trim_start_matches(|c: char| c.is_ascii_alphabetic()), name.split_once(':').expect("a number").1.replace('-', ""));
    }
}
