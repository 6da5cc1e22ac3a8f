//! Products of files: listed, fetched by stock means and by our command, counted, and only as they were published.

use fondaco_testkit::{Answer, Fault, Options, TestPair, http};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::Path;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_fondaco");

/// A folder of files, outside the node's own.
fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let dir = TempDir::new().expect("a folder");
    for (path, bytes) in files {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        std::fs::write(path, bytes).expect("written");
    }
    dir
}

const THREE: &[(&str, &[u8])] = &[("a.csv", b"x\n1\n"), ("b/空 气.html", b"<script>alert(1)</script>"), ("b/empty", b"")];

async fn publish(pair: &TestPair, dir: &Path, in_place: bool, offers: &[Value]) -> Value {
    let source = json!({"type": "paths", "paths": [dir], "inPlace": in_place});
    let body = json!({"id": "photos", "title": "Photos", "kind": "files", "source": source, "offers": offers});
    pair.provider.post("/products", &body).await.must(201)
}

fn at_most(reads: u64) -> Value {
    let constraint = json!({"leftOperand": "count", "operator": "lteq", "rightOperand": reads});
    json!({"@type": "Offer", "permission": [{"action": "use", "constraint": [constraint]}]})
}

/// What the consumer's node gives out for fetching.
struct Access {
    transfer: String,
    endpoint: String,
    token: String,
}

impl Access {
    async fn of(pair: &TestPair, agreement: &str) -> Self {
        let answer = pair.consumer.post(&format!("/agreements/{agreement}/access"), &json!({"waitSeconds": 30})).await.must(200);
        assert_eq!((&answer["format"], &answer["profile"]), (&json!("HttpData-PULL"), &Value::Null), "{answer}");
        let text = |v: &Value| v.as_str().expect("a text").to_owned();
        Self {
            transfer: text(&answer["transferId"]),
            endpoint: text(&answer["files"]["endpoint"]),
            token: text(&answer["files"]["bearerToken"]),
        }
    }

    async fn list(&self) -> Answer {
        http::send(http::request(&http::client(), Method::GET, &self.endpoint, Some(&self.token), None)).await
    }

    async fn with_token(&self, path: &str) -> Answer {
        let url = format!("{}/{path}", self.endpoint);
        http::send(http::request(&http::client(), Method::GET, &url, Some(&self.token), None)).await
    }
}

async fn open(url: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = http::client().get(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    http::send(request).await
}

async fn reads(pair: &TestPair, agreement: &str) -> u64 {
    pair.provider.get(&format!("/agreements/{agreement}")).await.must(200)["reads"].as_u64().expect("reads")
}

fn url_of(list: &Value, path: &str) -> String {
    let files = list["files"].as_array().expect("files");
    let file = files.iter().find(|f| f["path"] == path).unwrap_or_else(|| panic!("no {path} in {list}"));
    file["url"].as_str().expect("an address").to_owned()
}

#[tokio::test]
async fn files_are_listed_and_served_to_whoever_has_their_addresses() {
    let pair = TestPair::start().await;
    let dir = folder(THREE);
    publish(&pair, dir.path(), false, &[]).await;
    // The product keeps its own copy.
    drop(dir);
    let agreement = pair.agree("photos").await;
    let access = Access::of(&pair, &agreement).await;
    let list = access.list().await.must(200);
    assert_eq!((&list["product"], &list["fileCount"], &list["sizeBytes"]), (&json!("photos"), &json!(3), &json!(29)), "{list}");
    let paths: Vec<&str> = list["files"].as_array().expect("files").iter().map(|f| f["path"].as_str().expect("path")).collect();
    assert_eq!(paths, ["a.csv", "b/empty", "b/空 气.html"]);
    assert_eq!(list["files"][0]["sha256"], hex::encode(Sha256::digest(b"x\n1\n")));

    let html = open(&url_of(&list, "b/空 气.html"), &[]).await;
    assert_eq!((html.status, html.text().as_str()), (200, "<script>alert(1)</script>"));
    assert_eq!(html.header("content-type"), "text/html");
    assert_eq!(html.header("x-content-type-options"), "nosniff");
    assert!(html.header("content-security-policy").contains("sandbox"));
    let kept_as = html.header("content-disposition");
    assert_eq!(kept_as, "attachment; filename=\"_ _.html\"; filename*=UTF-8''%E7%A9%BA%20%E6%B0%94.html");
    assert!(html.header("repr-digest").starts_with("sha-256=:"), "{:?}", html.headers);
    assert_eq!(open(&url_of(&list, "b/empty"), &[]).await.body.len(), 0);
    // As `curl -C -` and `wget -c` continue.
    let csv = url_of(&list, "a.csv");
    let rest = open(&csv, &[("range", "bytes=2-")]).await;
    assert_eq!((rest.status, rest.text().as_str(), rest.header("content-range")), (206, "1\n", "bytes 2-3/4"));
    assert_eq!(open(&csv, &[("range", "bytes=4-")]).await.status, 416);
    let other = open(&csv, &[("range", "bytes=2-"), ("if-range", "\"other\"")]).await;
    assert_eq!((other.status, other.text().as_str()), (200, "x\n1\n"));

    // The same list in other forms, of the same read.
    let this = list["self"].as_str().expect("self");
    let sums = open(&format!("{this}&format=sha256sums"), &[]).await;
    assert_eq!(sums.text().lines().next(), Some(format!("{}  a.csv", hex::encode(Sha256::digest(b"x\n1\n"))).as_str()));
    let urls = open(&format!("{this}&format=urls"), &[]).await.text();
    assert_eq!(urls.lines().count(), 3);
    assert_eq!(open(urls.lines().next().expect("an address"), &[]).await.text(), "x\n1\n");
    let page = open(this, &[("accept", "text/html")]).await;
    assert!(page.header("content-type").starts_with("text/html") && page.text().contains("a.csv"), "{}", page.text());
    assert!(page.header("content-security-policy").contains("default-src 'none'"));
    // Page by page.
    let first = open(&this.replace("limit=1000", "limit=2"), &[]).await.must(200);
    assert_eq!(first["files"].as_array().map(Vec::len), Some(2));
    let second = open(first["next"].as_str().expect("a next page"), &[]).await.must(200);
    assert_eq!((second["files"].as_array().map(Vec::len), &second["next"]), (Some(1), &Value::Null));
    // A read ends: what its addresses lead to never lives longer than they do.
    let end = |url: &str| url.split(['?', '&']).find_map(|p| p.strip_prefix("exp=")).and_then(|t| t.parse::<u64>().ok()).expect("an end");
    for later in [&first["self"], &first["next"], &second["self"], &open(this, &[]).await.must(200)["self"]] {
        assert_eq!(end(later.as_str().expect("an address")), end(this), "{later}");
    }
    assert!(end(&csv) < end(this));
    assert_eq!(reads(&pair, &agreement).await, 1, "all of this was one read");
    pair.shutdown().await;
}

#[tokio::test]
async fn only_the_credential_of_this_transfer_opens_its_files() {
    let pair = TestPair::start().await;
    let dir = folder(THREE);
    publish(&pair, dir.path(), false, &[]).await;
    let access = Access::of(&pair, &pair.agree("photos").await).await;
    let other = Access::of(&pair, &pair.agree("photos").await).await;
    let list = access.list().await.must(200);
    let csv = url_of(&list, "a.csv");
    assert_eq!(open(&access.endpoint, &[]).await.refused(401), "FDC-1002");
    assert_eq!(open(csv.split('?').next().expect("a path"), &[]).await.refused(401), "FDC-1002");
    let crossed = Access { endpoint: access.endpoint.clone(), ..other };
    assert_eq!(crossed.list().await.refused(404), "FDC-1004");
    for forged in [
        csv.replace("a.csv", "b/empty"),
        csv.replace("v=1", "v=2"),
        csv.replace("sig=", "sig=A"),
        csv.replace("exp=", "exp=9"),
        // The address of a file is none of the list, and the other way round.
        format!("{}?{}", access.endpoint, csv.split_once('?').expect("a query").1),
        list["self"].as_str().expect("self").replacen('?', "/data/a.csv?", 1),
    ] {
        assert_eq!(open(&forged, &[]).await.refused(403), "FDC-1003", "{forged}");
    }
    for path in ["data/none", "data/../a.csv", "data/%2e%2e/a.csv", "data/b"] {
        let status = access.with_token(path).await.status;
        assert!(status == 404, "{path}: {status}");
    }
    // A token of files opens a volume and no table.
    let share = format!("{}/p/provider/share/shares/provider", pair.provider.public_url);
    let tables = http::send(http::client().get(format!("{share}/all-tables")).bearer_auth(&access.token)).await;
    assert_eq!(tables.must(200).get("items").and_then(serde_json::Value::as_array).map_or(0, Vec::len), 0);
    let volumes = http::send(http::client().get(format!("{share}/all-volumes")).bearer_auth(&access.token)).await;
    assert_eq!(volumes.must(200)["items"].as_array().map(Vec::len), Some(1));
    // Suspended, neither token nor address helps.
    let transfer = pair.provider_transfer(&access.transfer).await;
    pair.provider.post(&format!("/transfers/{transfer}/suspend"), &json!({})).await.must(200);
    assert_eq!(open(&csv, &[]).await.refused(403), "FDC-3005");
    assert_eq!(access.list().await.refused(403), "FDC-3005");
    pair.shutdown().await;
}

#[tokio::test]
async fn a_list_is_a_read_and_what_it_leads_to_is_not_another() {
    let pair = TestPair::start().await;
    let dir = folder(THREE);
    publish(&pair, dir.path(), false, &[at_most(2)]).await;
    let agreement = pair.agree("photos").await;
    let access = Access::of(&pair, &agreement).await;
    // A file by token alone is a read; what follows within a day belongs to it.
    for _ in 0..3 {
        assert_eq!(access.with_token("data/a.csv").await.status, 200);
    }
    assert_eq!(reads(&pair, &agreement).await, 1);
    let list = access.list().await.must(200);
    for _ in 0..3 {
        assert_eq!(open(&url_of(&list, "a.csv"), &[]).await.status, 200);
        assert_eq!(open(list["self"].as_str().expect("self"), &[]).await.status, 200);
    }
    assert_eq!(reads(&pair, &agreement).await, 2);
    assert_eq!(access.list().await.refused(403), "FDC-3004");
    assert_eq!(open(&url_of(&list, "a.csv"), &[]).await.status, 200, "the second read goes on");
    assert_eq!(reads(&pair, &agreement).await, 2);
    pair.shutdown().await;
}

#[tokio::test]
async fn a_file_changed_after_publication_is_refused_and_its_publisher_told() {
    let pair = TestPair::start().await;
    let dir = folder(&[("a.csv", b"x\n1\n"), ("b.csv", b"y\n2\n")]);
    publish(&pair, dir.path(), true, &[]).await;
    let access = Access::of(&pair, &pair.agree("photos").await).await;
    let list = access.list().await.must(200);
    let (a, b) = (url_of(&list, "a.csv"), url_of(&list, "b.csv"));
    assert_eq!(open(&a, &[]).await.text(), "x\n1\n");
    std::fs::write(dir.path().join("a.csv"), "x\n2\n").expect("changed");
    for _ in 0..3 {
        let answer = open(&a, &[]).await;
        assert_eq!(answer.refused(500), "FDC-4005");
        assert!(!answer.text().contains("x\n2"), "not one byte");
    }
    assert_eq!(open(&b, &[]).await.status, 200, "the others are as they were");
    let shown = pair.provider.get("/products/photos").await.must(200);
    let damaged = shown["damaged"].as_array().expect("damage");
    assert_eq!((damaged.len(), &damaged[0]["file"]), (1, &json!("a.csv")), "{shown}");
    // Restored, it is served again, and the report is gone.
    std::fs::write(dir.path().join("a.csv"), "x\n1\n").expect("restored");
    assert_eq!(open(&a, &[]).await.text(), "x\n1\n");
    assert_eq!(pair.provider.get("/products/photos").await.must(200)["damaged"], json!([]));
    pair.shutdown().await;
}

#[tokio::test]
async fn damage_is_told_each_time_and_ends_when_the_file_is_back() {
    let pair = TestPair::start().await;
    let dir = folder(&[("a.csv", b"x\n1\n")]);
    publish(&pair, dir.path(), false, &[]).await;
    let access = Access::of(&pair, &pair.agree("photos").await).await;
    let url = url_of(&access.list().await.must(200), "a.csv");
    let versions = pair.provider.dir().join("data/provider/photos");
    let kept = std::fs::read_dir(versions).expect("versions").next().expect("one").expect("a folder").path().join("a.csv");
    let aside = pair.provider.dir().join("aside");
    let told = || async {
        let slug = pair.provider.slug.clone();
        let read = move |tx: &mut fondaco_store::Tx| -> fondaco_core::Result<_> { Ok(tx.events_latest(&slug, 200)?) };
        let all = pair.provider.app.store.read("test.events", read);
        let about = |kind: &String| ["product.damaged", "product.restored"].contains(&kind.as_str());
        all.await.expect("events").into_iter().rev().map(|e| e.kind).filter(about).collect::<Vec<String>>()
    };
    for round in 1..=2 {
        // Moved away and back it looks exactly as it did.
        std::fs::rename(&kept, &aside).expect("away");
        for _ in 0..2 {
            assert_eq!(open(&url, &[]).await.refused(500), "FDC-4005");
        }
        let shown = pair.provider.get("/products/photos").await.must(200);
        assert_eq!(shown["damaged"].as_array().map(Vec::len), Some(1), "round {round}: {shown}");
        std::fs::rename(&aside, &kept).expect("back");
        for _ in 0..2 {
            assert_eq!(open(&url, &[]).await.text(), "x\n1\n");
        }
        assert_eq!(pair.provider.get("/products/photos").await.must(200)["damaged"], json!([]), "round {round}");
        assert_eq!(told().await, ["product.damaged", "product.restored"].repeat(round));
    }
    pair.shutdown().await;
}

/// Runs our command as the consumer.
async fn fetch(pair: &TestPair, agreement: &str, out: &Path) -> (i32, Value) {
    let mut command = tokio::process::Command::new(PROGRAM);
    command.args(["--json", "--dir"]).arg(pair.consumer.dir()).args(["fetch", agreement, "--out"]).arg(out);
    let output = command.env_remove("FONDACO_DIR").env_remove("FONDACO_TOKEN").output().await.expect("the program starts");
    let text = String::from_utf8(output.stdout).expect("utf-8");
    let document = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}\n{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().expect("not killed"), document)
}

#[tokio::test]
async fn a_download_cut_twenty_times_arrives_whole() {
    const CUTS: usize = 20;
    let pair = TestPair::of(Options::from("provider").behind_proxy(), "consumer").await;
    let large: Vec<u8> = (0..1_000_000u32).flat_map(u32::to_le_bytes).collect();
    let dir = folder(&[("deep/down/large.bin", &large), ("a.csv", b"x\n1\n")]);
    publish(&pair, dir.path(), false, &[at_most(1)]).await;
    let agreement = pair.agree("photos").await;
    pair.provider.proxy().fail("GET", "/data/deep/down/large.bin", CUTS, Fault::Cut(150_000));
    let out = TempDir::new().expect("a folder");
    let (status, got) = fetch(&pair, &agreement, out.path()).await;
    assert_eq!(status, 0, "{got}");
    assert_eq!((&got["files"], &got["bytes"], &got["keptFiles"]), (&json!(2), &json!(4_000_004), &json!(0)), "{got}");
    assert_eq!(got["breaks"], json!(CUTS), "{got}");
    assert_eq!(std::fs::read(out.path().join("deep/down/large.bin")).expect("here"), large);
    assert_eq!(reads(&pair, &agreement).await, 1);
    pair.shutdown().await;
}

#[tokio::test]
async fn what_was_withdrawn_is_still_delivered_as_agreed() {
    let pair = TestPair::start().await;
    let dir = folder(THREE);
    publish(&pair, dir.path(), false, &[]).await;
    let agreement = pair.agree("photos").await;
    pair.provider.post("/products/photos/withdraw", &json!({})).await.must(200);
    let out = TempDir::new().expect("a folder");
    let (status, got) = fetch(&pair, &agreement, out.path()).await;
    assert_eq!((status, &got["files"]), (0, &json!(3)), "{got}");
    assert!(out.path().join("b/空 气.html").is_file());
    let (_, again) = fetch(&pair, &agreement, out.path()).await;
    assert_eq!(again["keptFiles"], json!(3), "{again}");
    pair.shutdown().await;
}
