//! A node that an earlier version left behind is started by this one, and nothing is lost: on SQLite as it lies there,
//! and on Postgres by way of a backup that was taken before the upgrade.

mod operator_support;

use fondaco_testkit::{Access, Database, Share, http};
use operator_support::{Fixture, Serving, done, json};
use reqwest::{Method, header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::Path;

#[tokio::test]
async fn a_node_of_schema_1_goes_on_after_the_upgrade() {
    let fixture = Fixture::unpack();
    everything_is_there(&fixture, &fixture.provider()).await;
}

#[tokio::test]
async fn a_backup_from_before_the_upgrade_goes_on_in_a_new_folder_and_another_database() {
    let fixture = Fixture::unpack();
    let out = fixture.folder.path().join("before.tar.zst");
    let made = done(&fixture.provider(), &["backup", "--out", out.to_str().expect("utf-8")]);
    assert_eq!(made["schema"], 1, "a backup does not migrate");
    let database = Database::fresh();
    let restored = fixture.folder.path().join("restored");
    // Without a server of the tests it is SQLite again, at another place.
    let url = database.url().unwrap_or_else(|| "sqlite:elsewhere.db".into());
    let done = done(&restored, &["restore", out.to_str().expect("utf-8"), "--database", &url]);
    assert_eq!(done["rows"], made["rows"]);
    everything_is_there(&fixture, &restored).await;
}

fn ids(list: &Value, key: &str) -> Vec<Value> {
    list[key].as_array().unwrap_or_else(|| panic!("{list:#}")).clone()
}

fn healthy(dir: &Path) {
    let (status, found) = json(dir, &["doctor", "--deep"]);
    let failed: Vec<Value> = ids(&found, "findings").into_iter().filter(|f| f["status"] == "fail").collect();
    assert_eq!((status, failed), (0, Vec::new()));
    assert!(ids(&found, "findings").iter().any(|f| f["check"] == "data files" && f["status"] == "ok"), "{found:#}");
}

/// Reads a table's one file by a profile that was given out before.
async fn bytes(profile: &str) -> bytes::Bytes {
    let (endpoint, token) = Fixture::profile(profile);
    let share = Share::new(&endpoint, &token);
    let shares = share.call(Method::GET, "/shares", None).await.must(200);
    let name = shares["items"][0]["name"].as_str().expect("a share").to_owned();
    let tables = share.call(Method::GET, &format!("/shares/{name}/all-tables"), None).await.must(200);
    let part = |key: &str| tables["items"][0][key].as_str().expect("text").to_owned();
    let table = [part("share"), part("schema"), part("name")].join(".");
    Access { transfer: String::new(), share, table }.bytes().await
}

async fn everything_is_there(fixture: &Fixture, provider: &Path) {
    let (consumer, facts) = (fixture.consumer(), &fixture.facts);
    let ask = |dir: &Path, args: &[&str]| {
        let slug = if dir == provider { "harbour" } else { "insurer" };
        done(dir, &[&["--as", slug], args].concat())
    };
    healthy(provider);
    let nodes = [Serving::start(provider), Serving::start(&consumer)];
    healthy(provider);

    let products = ask(provider, &["product", "list", "--all"]);
    let listed: Vec<Value> = ids(&products, "products").iter().map(|p| json!([p["id"], p["version"], p["state"]])).collect();
    assert_eq!(json!(listed), facts["products"]);
    let ships = ask(provider, &["product", "show", "ships"]);
    assert_eq!(ships["content"]["rows"], 3);
    let columns: Vec<&Value> = ships["content"]["schema"]["columns"].as_array().expect("columns").iter().map(|c| &c["name"]).collect();
    assert_eq!(json!(columns), json!(["imo", "name", "draught_m"]));
    let wind = ask(provider, &["product", "show", "wind", "--version", "1"]);
    assert_eq!((&wind["description"], &wind["keywords"]), (&json!("Hourly wind."), &json!(["wind", "weather"])));

    let public = facts["provider"]["public"].as_str().expect("address");
    let peer = format!("http://{public}/p/harbour");
    let catalog = ask(&consumer, &["catalog", &peer]);
    let mut offered: Vec<String> = ids(&catalog, "datasets").iter().map(|d| d["id"].as_str().expect("id").to_owned()).collect();
    offered.sort();
    assert_eq!(offered, ["asked", "ships", "wind:2"]);
    assert!(ids(&catalog, "datasets").iter().all(|d| d["offers"].as_array().is_some_and(|o| o.len() == 1)), "{catalog:#}");

    for deal in facts["agreements"].as_object().expect("deals").values() {
        let id = deal["agreement"].as_str().expect("id");
        for dir in [provider, &consumer] {
            let shown = ask(dir, &["agreement", "show", id]);
            assert_eq!((&shown["digest"], &shown["state"]), (&deal["digest"], &json!("active")));
        }
    }

    // The tokens that were given out still read what was published, byte for byte.
    let published = |bytes: &[u8]| hex::encode(Sha256::digest(bytes));
    let ships_read = bytes("ships").await;
    let wind_read = bytes("wind").await;
    let mut expected: Vec<String> = Vec::new();
    for folder in ["ships", "wind"] {
        for version in std::fs::read_dir(provider.join("data/harbour").join(folder)).expect("versions") {
            let file = version.expect("entry").path().join("part-00000.parquet");
            expected.push(published(&std::fs::read(file).expect("the file")));
        }
    }
    for read in [&ships_read, &wind_read] {
        assert!(read.starts_with(b"PAR1") && expected.contains(&published(read)));
    }
    assert_ne!(ships_read, wind_read);

    // A suspended transfer is still suspended, and goes on.
    let suspended = facts["agreements"]["wind:2"]["agreement"].as_str().expect("id");
    let transfers = ids(&ask(provider, &["transfer", "list"]), "transfers");
    let transfer = transfers.iter().find(|t| t["agreementId"] == suspended).expect("the transfer");
    assert_eq!(transfer["state"], "SUSPENDED");
    let (endpoint, token) = Fixture::profile("wind-2");
    let shares = || async { Share::new(&endpoint, &token).call(Method::GET, "/shares", None).await.status };
    assert_eq!(shares().await, 403);
    ask(provider, &["transfer", "resume", transfer["id"].as_str().expect("id")]);
    assert_eq!(shares().await, 200);

    // The request that waited for a person can be agreed to, and both sides finish it.
    let open = |side: &str| facts["open"][side].as_str().expect("id").to_owned();
    let waiting = ask(provider, &["negotiation", "show", &open("provider")]);
    assert_eq!(waiting["state"], "REQUESTED");
    ask(provider, &["negotiation", "agree", &open("provider")]);
    let finished = fondaco_testkit::eventually("the negotiation to be final", async || {
        let now = ask(&consumer, &["negotiation", "show", &open("consumer")]);
        (now["state"] == "FINALIZED").then_some(now)
    })
    .await;
    let agreement = finished["agreementId"].as_str().expect("an agreement").to_owned();
    let (ours, theirs) = (ask(&consumer, &["agreement", "show", &agreement]), ask(provider, &["agreement", "show", &agreement]));
    assert_eq!(ours["digest"], theirs["digest"]);

    // And a deal made now is like one made then.
    let deal = ask(&consumer, &["negotiate", &peer, "ships"]);
    assert_eq!(deal["state"], "FINALIZED");
    let out = fixture.folder.path().join("ships.parquet");
    ask(&consumer, &["fetch", deal["agreementId"].as_str().expect("id"), "--out", out.to_str().expect("utf-8")]);
    assert_eq!(std::fs::read(&out).expect("the file"), ships_read);

    tokens_and_people(facts).await;
    for node in nodes {
        node.stop();
    }
    healthy(provider);
}

/// A token for programs does what it could, and a person signs in as before.
async fn tokens_and_people(facts: &Value) {
    let admin = format!("http://{}", facts["provider"]["admin"].as_str().expect("address"));
    let client = http::client();
    let token = facts["readToken"].as_str().expect("token");
    let products = format!("{admin}/api/v1/participants/harbour/products");
    assert_eq!(http::send(http::request(&client, Method::GET, &products, Some(token), None)).await.status, 200);
    let publish = http::request(&client, Method::POST, &products, Some(token), Some(&json!({})));
    assert_eq!(http::send(publish.header("idempotency-key", "k1")).await.status, 403, "it may only read");

    let form = http::send(client.get(format!("{admin}/login"))).await;
    let cookie = form.header("set-cookie").split(';').next().expect("a cookie").to_owned();
    let page = form.text();
    let csrf = page.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a field").to_owned();
    let person = &facts["login"];
    let fields = [
        ("csrf", csrf.as_str()),
        ("name", person["name"].as_str().expect("name")),
        ("password", person["password"].as_str().expect("password")),
    ];
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let signed = client
        .post(format!("{admin}/login"))
        .header(header::COOKIE, cookie)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(body);
    let signed = http::send(signed).await;
    assert_eq!(signed.status, 303, "{}", signed.text());
}
