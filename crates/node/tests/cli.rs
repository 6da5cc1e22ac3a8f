//! The `fondaco` command as a person or a script uses it: exit status, one JSON document on standard output, and a whole
//! deal between two nodes by command line alone.

use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_fondaco");

fn fondaco(args: &[&str]) -> Output {
    Command::new(PROGRAM).args(args).env_remove("FONDACO_DIR").env_remove("FONDACO_TOKEN").output().expect("the program starts")
}

/// Runs a command with `--json`: its status and its one document.
fn json(dir: &Path, args: &[&str]) -> (i32, Value) {
    let mut all = vec!["--json", "--dir", dir.to_str().expect("utf-8")];
    all.extend(args);
    let output = fondaco(&all);
    let out = String::from_utf8(output.stdout).expect("utf-8");
    let err = String::from_utf8_lossy(&output.stderr);
    let document = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{args:?}: {e}: {out}\n{err}"));
    (output.status.code().expect("not killed"), document)
}

/// Runs a command that must succeed.
fn done(dir: &Path, args: &[&str]) -> Value {
    let (status, document) = json(dir, args);
    assert_eq!(status, 0, "{args:?}: {document}");
    document
}

/// Runs a command that must be refused, and gives the code.
fn refused(dir: &Path, args: &[&str]) -> String {
    let (status, document) = json(dir, args);
    assert_eq!(status, 1, "{args:?}: {document}");
    document["code"].as_str().expect("a problem").to_owned()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("bind").local_addr().expect("address").port()
}

/// A node of its own process.
struct Node {
    dir: PathBuf,
    public: String,
    child: Option<Child>,
}

impl Node {
    fn init(root: &Path, slug: &str) -> Self {
        let dir = root.join(slug);
        let public = format!("http://127.0.0.1:{}", free_port());
        let admin = format!("127.0.0.1:{}", free_port());
        let made = done(&dir, &["init", "--participant", slug, "--name", "Some Organisation", "--public", &public, "--admin", &admin]);
        assert_eq!(made["participant"], slug);
        assert!(made["did"].as_str().is_some_and(|d| d.starts_with("did:web:127.0.0.1%3A") && d.ends_with(&format!(":p:{slug}"))));
        Self { dir, public, child: None }
    }

    fn serve(&mut self) {
        let mut child = Command::new(PROGRAM)
            .args(["serve", "--dir"])
            .arg(&self.dir)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("serve starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        self.child = Some(child);
        assert!(line.starts_with(&format!("ready public={} admin=http://127.0.0.1:", self.public)), "{line}");
    }

    fn stop(&mut self) {
        let mut child = self.child.take().expect("running");
        let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill");
        assert!(killed.success());
        assert_eq!(child.wait().expect("ends").code(), Some(0));
        assert!(!self.dir.join("run.json").exists());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn alone_it_prints_help_and_wrong_usage_is_status_2() {
    let alone = fondaco(&[]);
    assert_eq!(alone.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&alone.stderr).contains("Usage: fondaco"));
    assert_eq!(fondaco(&["--help"]).status.code(), Some(0));
    let no_dir = fondaco(&["product", "list"]);
    assert_eq!(no_dir.status.code(), Some(2));
    assert!(no_dir.stdout.is_empty());
    assert!(String::from_utf8_lossy(&no_dir.stderr).contains("--dir DIR"));
    let wrong = fondaco(&["--json", "fetch", "agr_1"]);
    assert_eq!(wrong.status.code(), Some(2));
    let problem: Value = serde_json::from_slice(&wrong.stdout).expect("one document");
    assert!(problem["detail"].as_str().is_some_and(|d| d.contains("--out")), "{problem}");
}

#[test]
fn completions_name_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let script = fondaco(&["completions", shell]);
        assert_eq!(script.status.code(), Some(0));
        assert!(String::from_utf8_lossy(&script.stdout).contains("negotiate"), "{shell}");
    }
}

#[test]
fn a_folder_without_a_node_says_how_to_make_one() {
    let dir = tempfile::tempdir().expect("dir");
    let (status, problem) = json(dir.path(), &["product", "list"]);
    assert_eq!((status, problem["code"].as_str()), (1, Some("FDC-5001")));
    assert!(problem["detail"].as_str().is_some_and(|d| d.contains("fondaco init")));
    let (status, report) = json(dir.path(), &["doctor"]);
    assert_eq!(status, 1);
    assert!(report["findings"].as_array().is_some_and(|f| f.iter().any(|f| f["status"] == "fail" && f["mend"].is_string())));
}

#[test]
fn a_deal_by_command_line() {
    let root = tempfile::tempdir().expect("dir");
    let (mut acme, mut beta) = (Node::init(root.path(), "acme"), Node::init(root.path(), "beta"));
    assert_eq!(refused(&acme.dir, &["init", "--participant", "acme", "--name", "Again"]), "FDC-1005");
    let (status, problem) = json(&acme.dir, &["product", "list"]);
    assert_eq!((status, problem["code"].as_str()), (1, Some("FDC-5004")));
    assert!(problem["detail"].as_str().is_some_and(|d| d.contains("fondaco serve --dir")));
    done(&acme.dir, &["doctor"]);
    acme.serve();
    beta.serve();

    // Publish and discover.
    let csv = root.path().join("air.csv");
    std::fs::write(&csv, "station,at,pm25\nA1,2026-11-21,12.5\nA2,2026-11-21,NA\n007,2026-11-22,9\n").expect("write");
    let offer = root.path().join("offer.json");
    std::fs::write(&offer, r#"{"@type":"Offer","permission":[{"action":"use","constraint":[{"leftOperand":"dateTime","operator":"lt","rightOperand":"2099-01-01T00:00:00Z"}]}]}"#)
        .expect("write");
    let (csv, offer) = (csv.to_str().expect("utf-8"), offer.to_str().expect("utf-8"));
    let product = done(&acme.dir, &["product", "add", csv, "--id", "air", "--title", "Air quality", "--kind", "table", "--offer", offer]);
    assert_eq!((product["id"].as_str(), product["content"]["rows"].as_u64()), (Some("air"), Some(3)));
    assert_eq!(done(&acme.dir, &["product", "list"])["products"][0]["id"], "air");
    assert_eq!(refused(&acme.dir, &["product", "show", "none"]), "FDC-1004");
    let peer = format!("{}/p/acme", acme.public);
    let catalog = done(&beta.dir, &["catalog", &peer]);
    assert_eq!(catalog["datasets"][0]["id"], "air");
    assert_eq!(refused(&beta.dir, &["negotiate", &peer, "none"]), "FDC-1004");

    // Negotiate: both sides hold the agreement.
    let deal = done(&beta.dir, &["negotiate", &peer, "air", "--purpose", "research"]);
    assert_eq!(deal.as_object().map(|o| o.keys().map(String::as_str).collect()), Some(vec!["negotiationId", "state", "agreementId"]));
    assert_eq!(deal["state"], "FINALIZED");
    let agreement = deal["agreementId"].as_str().expect("an agreement").to_owned();
    for dir in [&acme.dir, &beta.dir] {
        assert_eq!(done(dir, &["agreement", "list"])["agreements"][0]["id"], agreement.as_str());
    }
    let negotiation = deal["negotiationId"].as_str().expect("an id");
    assert_eq!(done(&beta.dir, &["negotiation", "show", negotiation])["state"], "FINALIZED");

    // Fetch: the data, again without moving it, and the profile.
    let out = root.path().join("out");
    let out_text = out.to_str().expect("utf-8");
    let got = done(&beta.dir, &["fetch", &agreement, "--out", out_text]);
    let first = PathBuf::from(got["files"][0]["path"].as_str().expect("a path"));
    assert_eq!(std::fs::metadata(&first).expect("there").len(), got["files"][0]["sizeBytes"].as_u64().expect("size"));
    assert_eq!(std::fs::read(&first).expect("read")[..4], *b"PAR1");
    assert_eq!(done(&beta.dir, &["fetch", &agreement, "--out", out_text])["files"][0]["kept"], true);
    let share = root.path().join("air.share");
    done(&beta.dir, &["fetch", &agreement, "--profile", share.to_str().expect("utf-8")]);
    let profile: Value = serde_json::from_slice(&std::fs::read(&share).expect("read")).expect("json");
    assert_eq!(profile["shareCredentialsVersion"], 1);

    // Stop access, and open it again.
    let transfer = done(&acme.dir, &["transfer", "list"])["transfers"][0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(done(&acme.dir, &["transfer", "suspend", &transfer, "--reason", "Invoice open."])["state"], "SUSPENDED");
    let elsewhere = root.path().join("elsewhere");
    let elsewhere = elsewhere.to_str().expect("utf-8");
    let (status, _) = json(&beta.dir, &["fetch", &agreement, "--out", elsewhere]);
    assert_eq!(status, 1);
    assert_eq!(done(&acme.dir, &["transfer", "resume", &transfer])["state"], "STARTED");
    done(&acme.dir, &["transfer", "end", &transfer]);
    let seen = done(&acme.dir, &["agreement", "preview", &agreement, "--rows", "1"]);
    let offered = done(&acme.dir, &["product", "preview", "air"]);
    assert_eq!(offered["offers"][0]["alternatives"][0]["columns"], seen["columns"]);
    assert_eq!(seen["rows"].as_array().map(Vec::len), Some(1), "{seen}");
    assert_eq!(refused(&beta.dir, &["agreement", "preview", &agreement]), "FDC-1003");
    let text = |dir: &Path| {
        let said = fondaco(&["--dir", dir.to_str().expect("utf-8"), "agreement", "usage", &agreement]).stdout;
        String::from_utf8(said).expect("utf-8")
    };
    assert!(text(&beta.dir).contains("weighed by the provider") && text(&acme.dir).contains("BYTES"));
    assert_eq!(done(&acme.dir, &["agreement", "stop", &agreement, "--reason", "A leak."])["state"], "stopped");
    assert_eq!(done(&acme.dir, &["agreement", "list", "--state", "stopped"])["agreements"][0]["id"], agreement.as_str());
    let (status, _) = json(&beta.dir, &["fetch", &agreement, "--out", elsewhere]);
    assert_eq!(status, 1);
    assert_eq!(done(&acme.dir, &["agreement", "resume", &agreement])["state"], "active");
    assert_eq!(done(&acme.dir, &["product", "stop", "air", "--reason", "A leak."])["stop"]["reason"], "A leak.");
    done(&acme.dir, &["product", "resume", "air"]);
    let renewed = done(&beta.dir, &["agreement", "renew", &agreement]);
    assert_eq!((&renewed["sameTerms"], &renewed["agreementId"]), (&Value::Bool(true), &Value::from(agreement.as_str())));
    assert_eq!(refused(&beta.dir, &["agreement", "stop", &agreement, "--reason", "x"]), "FDC-1003");
    let end = refused(&beta.dir, &["agreement", "end", &agreement]);
    assert_eq!(end, "FDC-3009");

    // People, tokens, a second participant.
    assert!(done(&acme.dir, &["user", "add", "mei", "--participant", "acme"])["password"].is_string());
    let token = done(&acme.dir, &["token", "create", "--name", "report", "--scope", "read"]);
    assert!(token["token"].as_str().is_some_and(|t| t.starts_with("fdc_")));
    let id = token["id"].as_str().expect("an id");
    assert!(done(&acme.dir, &["token", "revoke", id])["revokedAt"].is_string());
    done(&acme.dir, &["participant", "add", "gamma", "--name", "Gamma"]);
    let (status, problem) = json(&acme.dir, &["product", "list"]);
    assert_eq!(status, 2);
    assert!(problem["detail"].as_str().is_some_and(|d| d.contains("acme") && d.contains("gamma")), "{problem}");
    assert_eq!(done(&acme.dir, &["--as", "gamma", "product", "list"]), serde_json::json!({"products": []}));

    let report = done(&acme.dir, &["doctor"]);
    assert!(
        report["findings"].as_array().is_some_and(|f| f.iter().any(|f| f["check"] == "DID document" && f["status"] == "ok")),
        "{report}"
    );
    done(&acme.dir, &["product", "withdraw", "air", "--as", "acme"]);
    acme.stop();
    beta.stop();
    let report = done(&acme.dir, &["doctor"]);
    assert!(report["findings"].as_array().is_some_and(|f| f.iter().any(|f| f["check"] == "keys" && f["status"] == "ok")), "{report}");
}
