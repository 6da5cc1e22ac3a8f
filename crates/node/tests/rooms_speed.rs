//! How fast the rooms are on a node with much in it: `cargo xtask bench rooms`.
//!
//! Not a test of every day: it fills a database with 10,000 products of ours, 10,000 datasets of peers and 2,000 each of
//! negotiations, agreements and transfers, asks for every page again and again, as somebody signed in does, in both
//! languages, and prints the times. Taken at the client on loopback, so they hold all that the server does.

#[expect(dead_code, reason = "shared with the console's tests, which use the rest")]
mod console_support;

use console_support::{Browser, Node};
use fondaco_core::{
    ids::NegotiationId,
    negotiation::Negotiation,
    participant::{Did, Slug},
    product::{Offer, Product, ProductRef},
    transfer::Transfer,
};
use fondaco_node::app::publish::SourceAccess;
use fondaco_store::{AgreementRow, NewEvent, PeerDataset, PeerRow, Store, StoreError, Tx};
use reqwest::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::time::Instant;

const PRODUCTS: usize = 10_000;
const DATASETS: usize = 10_000;
const PROCESSES: usize = 2_000;
const PEERS: usize = 20;
const UPLOADS: usize = 200;
const CONNECTIONS: usize = 20;
/// Rows written in one transaction.
const BATCH: usize = 500;
/// Requests per page and language.
const REQUESTS: usize = 100;
/// What the 95th percentile of every page must stay below, in milliseconds, in an optimised build.
const BELOW_MS: f64 = 30.0;

const SLUG: &str = "acme";

fn slug() -> Slug {
    Slug::parse(SLUG).expect("slug")
}

fn peer(i: usize) -> Did {
    Did::parse(&format!("did:web:zone-{:02}.example:p:zone", i % PEERS)).expect("did")
}

fn of<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("a stored document")
}

/// Writes `count` things in batches.
async fn fill(store: &Store, count: usize, put: impl Fn(&mut Tx, usize) -> Result<(), StoreError> + Send + Sync + Clone + 'static) {
    for begin in (0..count).step_by(BATCH) {
        let put = put.clone();
        let batch = move |tx: &mut Tx| (begin..count.min(begin + BATCH)).try_for_each(|i| put(tx, i));
        store.tx("seed", batch).await.expect("a batch");
    }
}

const WORDS: [&str; 8] = ["torque", "bearing", "weather", "光伏", "轴承", "logistics", "焊缝", "traffic"];
const LICENCES: [&str; 4] = ["CC-BY-4.0", "MIT", "ODbL-1.0", "https://zone.example/terms"];
const AT: &str = "2026-11-21T14:13:20Z";

fn odrl() -> Value {
    json!({"permission": [{"action": "use", "constraint": [{"leftOperand": "count", "operator": "lteq", "rightOperand": 100}]}]})
}

fn columns() -> Value {
    let column = |i| json!({"name": format!("column_{i}"), "type": "double", "nullable": true, "description": "", "sourceType": ""});
    json!({"columns": (0..24).map(column).collect::<Vec<_>>()})
}

fn title(i: usize) -> String {
    format!("{} of line {i}", WORDS[i % WORDS.len()])
}

fn product(i: usize) -> Product {
    of(json!({
        "participant": SLUG, "id": format!("p-{i:05}"), "version": 1, "kind": if i.is_multiple_of(5) { "files" } else { "table" },
        "state": if i.is_multiple_of(50) { "withdrawn" } else { "published" }, "title": title(i),
        "description": format!("Measured every minute on line {i}, with the dates of every replacement. {}", "More words. ".repeat(20)),
        "keywords": [WORDS[i % WORDS.len()], "manufacturing"], "license": LICENCES[i % LICENCES.len()], "publish_profile": true,
        "content": {"rows": 336_776, "sizeBytes": 7_340_032, "fileCount": 1, "schema": columns()}, "created_at": AT
    }))
}

async fn seed(store: &Store) {
    fill(store, PEERS, |tx, i| {
        let name = Some(format!("Zone {i}"));
        // Never reached: looking at the catalogue begins no readings, which would be measured along.
        let peer = PeerRow {
            participant: slug(),
            did: peer(i),
            name,
            address: None,
            last_ok_at: None,
            last_error: None,
            catalog_read_at: None,
            catalog_error: None,
        };
        tx.peer_touch(&peer)?;
        let now = tx.now();
        tx.peer_catalog_read(&slug(), &peer.did, now, None)
    })
    .await;
    fill(store, PRODUCTS, |tx, i| {
        let product = product(i);
        tx.product_insert(&product)?;
        tx.offer_insert(&Offer {
            id: fondaco_core::ids::OfferId::from_stored(format!("off_{i}")),
            participant: slug(),
            product: product.reference,
            policy: fondaco_core::policy::Policy::from_odrl(&odrl()).expect("terms"),
            odrl: odrl(),
            rules: fondaco_core::decision::Rules::default(),
            created_at: product.created_at,
        })
    })
    .await;
    fill(store, DATASETS, |tx, i| {
        let (kind, license, language) = (["table", "files"][i % 2], LICENCES[i % LICENCES.len()], ["en", "zh-cn", "en,zh-cn"][i % 3]);
        let description = format!("What zone {} has of it. {}", i % PEERS, "More words. ".repeat(20));
        let body = json!({"id": format!("d-{i:05}"), "title": title(i), "description": description, "keywords": [WORDS[i % WORDS.len()]],
            "version": "1", "issued": AT, "license": license, "extension": {"kind": kind, "rows": i, "schema": columns()},
            "formats": ["DeltaSharing-PULL"], "offers": [{"id": "o", "odrl": odrl(), "terms": ["It may be read at most 100 times."]}]});
        let search = format!("{}\n{description}", title(i));
        let dataset = PeerDataset {
            peer: peer(i),
            dataset: format!("d-{i:05}"),
            kind: kind.into(),
            license: license.into(),
            language: language.into(),
            title: title(i),
            search,
            read_at: tx.now(),
            body,
        };
        tx.peer_dataset_put(&slug(), &dataset)
    })
    .await;
    fill(store, PROCESSES, |tx, i| {
        let ours = i.is_multiple_of(2);
        let (role, dataset) = if ours { ("provider", format!("p-{i:05}")) } else { ("consumer", format!("d-{i:05}")) };
        let (own, other) = ("did:web:acme.example", peer(i));
        let terms = json!({"offer_id": "o", "odrl": odrl()});
        let party = json!({"did": other, "pid": format!("urn:uuid:{i}"), "address": "https://zone.example/dsp"});
        let negotiation: Negotiation = of(json!({"id": format!("neg_{i:05}"), "participant": SLUG, "own_did": own, "role": role, "peer": party,
            "dataset": dataset, "state": "OFFERED", "terms": terms, "asked": terms, "reference_terms": terms, "rounds": 2, "revision": 1,
            "created_at": AT, "updated_at": AT}));
        tx.negotiation_insert(&negotiation)?;
        let (assigner, assignee) = if ours { (own.to_owned(), other.to_string()) } else { (other.to_string(), own.to_owned()) };
        let id = format!("agr_{i:05}");
        let mut document = odrl();
        document["@id"] = json!(id);
        let agreement: AgreementRow = of(json!({"participant": SLUG, "role": role, "negotiation_id": NegotiationId::from_stored(format!("neg_{i:05}")),
            "agreement": {"id": id, "target": dataset, "assigner": assigner, "assignee": assignee, "timestamp": AT, "document": document, "digest": "60696e0df4dd9736c01b9f9878144e73df14e40111c98b187ac08d1b2a1abd88"},
            "dataset": dataset, "created_at": AT}));
        tx.agreement_insert(&agreement)?;
        let transfer: Transfer = of(json!({"id": format!("trf_{i:05}"), "participant": SLUG, "own_did": own, "role": role, "peer": party,
            "agreement_id": id, "dataset": dataset, "format": "DeltaSharing-PULL", "state": "STARTED", "since": AT, "sealed_address": {"sealed": "AAAA"},
            "revision": 1, "created_at": AT, "updated_at": AT}));
        tx.transfer_insert(&transfer)?;
        for kind in ["negotiation.requested", "negotiation.offered"] {
            let event = NewEvent { participant: slug(), topic: format!("negotiation:neg_{i:05}"), kind: kind.into(), actor: other.to_string(), text: "x".into(), detail: json!({}) };
            tx.event_append(&event)?;
        }
        Ok(())
    })
    .await;
}

/// A publication in the middle of its steps with its uploads, connections and people. Returns the publication's id.
async fn seed_work(node: &Node) -> String {
    let app = &node.running.app;
    let participant = app.participant(SLUG).await.expect("the participant");
    let draft = of(json!({"kind": "files", "product": "next", "title": "Next", "source": {"type": "upload"}, "offers": [odrl()]}));
    let publication = app.publication_new(&participant, draft).await.expect("begun");
    for i in 0..UPLOADS {
        let content = futures::stream::iter([Ok(bytes::Bytes::from_static(b"1,2\n"))]);
        app.publication_upload(&participant, &publication.id, &format!("part-{i:03}.csv"), content).await.expect("uploaded");
    }
    for i in 0..CONNECTIONS {
        let place =
            of(json!({"kind": "s3", "bucket": "lake", "region": "eu-central-1", "endpoint": "https://lake.example/", "pathStyle": true}));
        let access = SourceAccess::OPERATOR;
        app.connection_put(&participant, &format!("lake-{i:02}"), place, of(json!({})), access).await.expect("a connection");
    }
    publication.id.to_string()
}

/// Every page of a room, those that list with and without being narrowed.
fn pages(publication: &str) -> Vec<String> {
    let reference = ProductRef::parse_dataset_id("p-09998").expect("id");
    let peer = peer(7).to_string().replace(':', "%3A");
    let pages = [
        "",
        "/products",
        "/products?after=p-05000",
        "/products?kind=files&state=published",
        "/products?q=torque",
        "/products?q=nothing-like-it",
        "/catalog",
        "/catalog?page=417",
        "/catalog?kind=table&language=zh-cn&license=MIT",
        "/catalog?q=torque",
        "/catalog?q=nothing-like-it",
        "/catalog?q=轴承&kind=table&page=3",
        "/peers",
        "/negotiations",
        "/negotiations?after=neg_01000",
        "/negotiations/neg_01001",
        "/agreements",
        "/agreements?after=agr_01000",
        "/agreements/agr_01000",
        "/transfers",
        "/transfers?after=trf_01000",
        "/transfers/trf_01000",
        "/tokens",
        "/node",
        "/people",
        "/publish",
        "/connections",
        "/connections/new",
        "/connections/lake-07",
    ];
    let mut pages: Vec<String> = pages.iter().map(|p| (*p).to_owned()).collect();
    pages.push(format!("/products/{}", reference.id));
    pages.push(format!("/peers/{peer}"));
    pages.push(format!("/catalog?peer={peer}&q=torque"));
    pages.push(format!("/catalog/product?peer={peer}&id=d-00007"));
    pages.extend(["source", "describe", "terms", "review"].map(|step| format!("/publish/{publication}/{step}")));
    pages
}

/// The value below which a share of the sorted values lies, by nearest rank.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a rank within the list")]
fn quantile(sorted: &[f64], share: f64) -> f64 {
    sorted[((share * sorted.len() as f64).ceil() as usize).clamp(1, sorted.len()) - 1]
}

async fn measure(browser: &Browser, page: &str) -> (f64, f64) {
    let mut times = Vec::with_capacity(REQUESTS);
    for _ in 0..REQUESTS {
        let begun = Instant::now();
        let answer = browser.get(page).await;
        times.push(begun.elapsed().as_secs_f64() * 1_000.0);
        assert_eq!(answer.status(), StatusCode::OK, "{page}: {}", answer.text());
    }
    times.sort_by(f64::total_cmp);
    (quantile(&times, 0.5), quantile(&times, 0.95))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: cargo xtask bench rooms"]
async fn every_page_is_fast_with_ten_thousand_products() {
    let node = Node::start(SLUG).await;
    let begun = Instant::now();
    seed(&node.running.app.store).await;
    let publication = seed_work(&node).await;
    println!("seeded in {:.1} s", begun.elapsed().as_secs_f64());
    let browser = node.signed_in().await;
    println!("{:<64} {:>3} {:>9} {:>9}", "page", "", "p50 ms", "p95 ms");
    let mut missed = Vec::new();
    let mut worst: (f64, String) = (0.0, String::new());
    for locale in ["en", "zh"] {
        browser.get(&format!("/language?to={locale}&next=%2F")).await;
        for page in pages(&publication) {
            let (p50, p95) = measure(&browser, &format!("/p/{SLUG}{page}")).await;
            println!("{:<64} {locale:>3} {p50:>9.1} {p95:>9.1}{}", page, if p95 < BELOW_MS { "" } else { "  MISSED" });
            if p95 >= BELOW_MS {
                missed.push(format!("{page} in {locale}: {p95:.1} ms"));
            }
            if p95 > worst.0 {
                worst = (p95, format!("{page} in {locale}"));
            }
        }
    }
    println!("worst: {:.1} ms, {}", worst.0, worst.1);
    node.stop().await;
    // Without optimisation the numbers say where time goes, but not how long it takes.
    assert!(cfg!(debug_assertions) || missed.is_empty(), "p95 not below {BELOW_MS} ms: {missed:?}");
}
