//! The demonstration, played from beginning to end: what it shows is what is there.

use fondaco_core::Result;
use fondaco_node::demo::{Audience, DemoOptions, Facts, NODES_MIN, Report, demo};
use serde_json::Value;
use std::{path::Path, process::Command};
use tokio_util::sync::CancellationToken;

/// Few, so that a debug build is quick: the deals are the same with a hundred thousand.
const ROWS: u64 = 500;

/// Remembers what it was shown, and has had enough once everything is there.
#[derive(Default)]
struct Visitor {
    lines: Vec<String>,
    facts: Option<Facts>,
    leave: CancellationToken,
}

impl Audience for Visitor {
    fn progress(&mut self, line: &str) {
        self.lines.push(line.to_owned());
    }
    fn ready(&mut self, facts: &Facts) -> Result<()> {
        self.facts = Some(facts.clone());
        self.leave.cancel();
        Ok(())
    }
}

fn options(dir: Option<&Path>, exit_when_done: bool) -> DemoOptions {
    DemoOptions { dir: dir.map(Path::to_owned), nodes: NODES_MIN, exit_when_done, rows: Some(ROWS) }
}

async fn play(visitor: &mut Visitor, options: DemoOptions) -> Report {
    let leave = visitor.leave.clone();
    demo(options, leave, visitor).await.expect("played")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deals_are_made_and_verified() {
    let mut visitor = Visitor::default();
    let report = play(&mut visitor, options(None, true)).await;
    assert_eq!(report.problems, Vec::<String>::new());
    let json = serde_json::to_value(&report).expect("json");
    let deals = json["deals"].as_array().expect("deals");
    assert_eq!(json["verified"], deals.len());
    assert_eq!(json["nodes"].as_array().map(Vec::len), Some(NODES_MIN));

    let states = |member: &str| deals.iter().filter_map(|deal| deal[member].as_str()).collect::<Vec<_>>();
    for (member, wanted) in [("state", ["FINALIZED", "REQUESTED", "TERMINATED"]), ("transferState", ["STARTED", "SUSPENDED", "COMPLETED"])]
    {
        for state in wanted {
            assert!(states(member).contains(&state), "{member} {state}: {json:#}");
        }
    }
    let refused = deals.iter().find(|deal| deal["state"] == "TERMINATED").expect("one refused");
    assert!(refused["reason"].as_str().is_some_and(|why| why.contains("purpose")), "{refused}");
    let waiting: Vec<&Value> = deals.iter().filter(|deal| deal["waiting"] == true).collect();
    assert_eq!((waiting.len(), &waiting[0]["provider"]), (1, &json["nodes"][0]["slug"]), "one waits at the first node");
    // Read when it was made and again when it was verified.
    assert_eq!(deals[0]["reads"], 2);

    let dir = json["dir"].as_str().expect("dir");
    assert!(!Path::new(dir).exists(), "{dir} is gone");
    assert_eq!(json["temporary"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_kept_goes_on_with_the_same_addresses_and_deals() {
    let root = tempfile::tempdir().expect("dir");
    let mut first = Visitor::default();
    play(&mut first, options(Some(root.path()), false)).await;
    let first = first.facts.expect("shown");
    let example = first.example.as_ref().expect("an example");
    let profile: Value = serde_json::from_slice(&std::fs::read(&example.profile).expect("kept")).expect("a profile");
    assert_eq!(profile["bearerToken"], example.bearer_token.as_str());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&example.profile).expect("profile").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    let mut again = Visitor::default();
    let report = play(&mut again, options(Some(root.path()), true)).await;
    assert_eq!(report.problems, Vec::<String>::new());
    let second = report.facts.expect("facts");
    let nodes = |facts: &Facts| facts.nodes.iter().map(|n| (n.did.clone(), n.console_url.clone(), n.password.clone())).collect::<Vec<_>>();
    assert_eq!(nodes(&first), nodes(&second));
    let deals = |facts: &Facts| {
        let ids = |d: &fondaco_node::demo::DealFacts| (d.consumer_negotiation_id.clone(), d.agreement_id.clone(), d.state.clone());
        facts.deals.iter().map(ids).collect::<Vec<_>>()
    };
    assert_eq!(deals(&first), deals(&second), "nothing was made twice");
    assert!(!again.lines.iter().any(|line| line.contains("offers a table") || line.contains("offers two")), "{:?}", again.lines);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_as_it_should_be_is_named() {
    let root = tempfile::tempdir().expect("dir");
    let mut visitor = Visitor::default();
    play(&mut visitor, options(Some(root.path()), false)).await;
    let facts = visitor.facts.expect("shown");

    // One byte of the first table changes on the provider's disk.
    let deal = &facts.deals[0];
    let provider = facts.nodes.iter().find(|node| node.slug == deal.provider).expect("a node");
    let data = provider.dir.join("data").join(&deal.provider).join(&deal.dataset);
    let version = std::fs::read_dir(&data).expect("data").next().expect("a version").expect("entry").path();
    let file = std::fs::read_dir(version).expect("version").next().expect("a file").expect("entry").path();
    let mut bytes = std::fs::read(&file).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).expect("write");

    let report = play(&mut Visitor::default(), options(Some(root.path()), true)).await;
    assert_eq!(report.verified, Some(facts.deals.len() - 1));
    assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
    assert!(report.problems[0].contains(&deal.title) && report.problems[0].contains("FDC-4005"), "{:?}", report.problems);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_and_a_nodes_folder_are_explained() {
    let root = tempfile::tempdir().expect("dir");
    let mut visitor = Visitor::default();
    play(&mut visitor, options(Some(root.path()), false)).await;
    let facts = visitor.facts.expect("shown");
    let port = facts.nodes[1].address.split(['/', ':']).find_map(|part| part.parse::<u16>().ok()).expect("a port");
    let taken = std::net::TcpListener::bind(("127.0.0.1", port)).expect("free again");
    let refused = demo(options(Some(root.path()), false), CancellationToken::new(), &mut Visitor::default()).await.expect_err("taken");
    assert!(refused.message().contains(&port.to_string()) && refused.message().contains("another folder"), "{refused}");
    drop(taken);

    let node = &facts.nodes[0].dir;
    let refused = demo(options(Some(node), false), CancellationToken::new(), &mut Visitor::default()).await.expect_err("a node's");
    assert!(refused.message().contains("folder of a node"), "{refused}");
    assert!(!node.join(&facts.nodes[0].slug).exists(), "nothing was made in it");
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_on_the_way_it_leaves_nothing() {
    let mut visitor = Visitor::default();
    visitor.leave.cancel();
    let report = play(&mut visitor, options(None, false)).await;
    assert!(report.facts.is_none() && visitor.facts.is_none());
    let removed = visitor.lines.iter().find_map(|line| line.strip_suffix(" is removed.")).expect("says so");
    assert!(!Path::new(removed).exists());
}

#[test]
fn the_command_shows_where_to_go_and_stops_when_told() {
    use std::{
        io::{BufRead, BufReader, Read},
        process::Stdio,
    };
    let mut child = Command::new(env!("CARGO_BIN_EXE_fondaco"))
        .args(["demo", "--json", "--quiet"])
        .env_remove("FONDACO_DIR")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    // The document ends with a brace in the first column.
    let mut document = String::new();
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    while !document.ends_with("\n}\n") {
        let read = out.read_line(&mut document).expect("a line");
        assert_ne!(read, 0, "ended early: {document}");
    }
    let facts: Value = serde_json::from_str(&document).expect("one document");
    let dir = Path::new(facts["dir"].as_str().expect("dir"));
    assert!(dir.exists());
    let told = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(told.success());
    let status = child.wait().expect("ends");
    let mut rest = String::new();
    out.read_to_string(&mut rest).expect("utf-8");
    assert!(status.success() && rest.is_empty(), "{status} {rest}");
    assert!(!dir.exists(), "{} is gone", dir.display());
}
