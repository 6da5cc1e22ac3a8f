//! The admin API: who may do what, once per idempotency key, and how it says no.

use fondaco_testkit::{Answer, TestNode, TestPair, http, tables};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::HashSet;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// A problem document, whole.
#[track_caller]
fn assert_problem(answer: &Answer, status: u16, told: &str) -> Value {
    assert_eq!(answer.status, status, "{told}: {}", answer.text());
    assert_eq!(answer.header("content-type"), "application/problem+json", "{told}");
    let problem = answer.json();
    let code = problem["code"].as_str().unwrap_or_else(|| panic!("{told}: {problem}"));
    assert_eq!(problem["type"], format!("/errors/{code}"), "{told}");
    assert_eq!(problem["status"], status, "{told}");
    for member in ["title", "detail"] {
        assert!(problem[member].as_str().is_some_and(|t| !t.is_empty()), "{told}: {problem}");
    }
    assert_eq!(problem["request_id"], answer.header("x-request-id"), "{told}");
    if status == 401 {
        assert!(answer.header("www-authenticate").starts_with("Bearer"), "{told}");
    }
    problem
}

/// A token of the participant.
async fn token(node: &TestNode, scope: &str) -> String {
    let made = node.post("/tokens", &json!({"name": format!("a {scope} token"), "scope": scope})).await.must(201);
    made["token"].as_str().expect("shown once").to_owned()
}

fn method(text: &str) -> Method {
    text.to_uppercase().parse().expect("a method")
}

/// Every operation of the document: method, path with its variables filled in, all ids and names with the same.
async fn operations(node: &TestNode, slug: &str, fill: &str) -> Vec<(Method, String)> {
    let document = http::send(http::client().get(format!("{}/openapi.json", node.admin_url))).await.must(200);
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for verb in ["get", "post", "put", "patch", "delete"] {
            if item.get(verb).is_some() {
                let filled = path.split('/').map(|part| match part {
                    "{slug}" => slug,
                    "{step}" => "terminate",
                    name if name.starts_with('{') => fill,
                    fixed => fixed,
                });
                all.push((method(verb), filled.collect::<Vec<_>>().join("/")));
            }
        }
    }
    assert!(all.len() >= 20, "{all:?}");
    all
}

#[tokio::test]
async fn nothing_is_open_without_a_token_and_nothing_is_changed_with_a_reading_one() {
    let node = TestNode::start("alpha").await;
    let reading = token(&node, "read").await;
    let mut all = operations(&node, "alpha", "some-id").await;
    // What callers name may be named like an operation that a reading token may call.
    all.extend(operations(&node, "alpha", "catalog").await.into_iter().filter(|(_, path)| path.contains("/catalog")));
    for (method, path) in all {
        let told = format!("{method} {path}");
        for wrong in [None, Some(""), Some("fdc_wrong"), Some(reading[..reading.len() - 1].to_owned() + "!").as_deref()] {
            assert_problem(&node.admin(method.clone(), &path, wrong, None).await, 401, &told);
        }
        let body = (method != Method::GET).then(|| json!({}));
        let answer = node.admin(method.clone(), &path, Some(&reading), body.as_ref()).await;
        if method == Method::GET {
            assert!(matches!(answer.status, 200 | 403 | 404), "{told}: {}", answer.text());
        } else if (method, path.as_str()) == (Method::POST, "/api/v1/participants/alpha/catalog") {
            assert_problem(&answer, 400, &told);
        } else {
            assert_eq!(assert_problem(&answer, 403, &told)["detail"], "This token may only read.", "{told}");
        }
    }
}

#[tokio::test]
async fn a_reading_token_sees_no_rows_of_data() {
    let pair = TestPair::with_wind().await;
    let agreement = pair.agree("wind").await;
    let product = pair.provider.get("/products/wind").await.must(200);
    let offer = product["offers"][0]["id"].as_str().expect("an offer").to_owned();
    let (reading, writing) = (token(&pair.provider, "read").await, token(&pair.provider, "write").await);
    for path in [format!("/agreements/{agreement}/preview"), format!("/offers/{offer}/preview")] {
        let path = pair.provider.api_path(&path);
        assert_problem(&pair.provider.admin(Method::GET, &path, Some(&reading), None).await, 403, &path);
        pair.provider.admin(Method::GET, &path, Some(&writing), None).await.must(200);
    }
    pair.shutdown().await;
}

#[tokio::test]
async fn an_administrator_audits_nobody() {
    let node = TestNode::start("alpha").await;
    let call = async |method: Method, path: &str, body: Value| node.admin(method, path, Some(&node.token), Some(&body)).await;
    let both = json!({"login": "both", "admin": true, "audits": ["alpha"]});
    assert_problem(&call(Method::POST, "/api/v1/users", both).await, 400, "added as both");
    call(Method::POST, "/api/v1/users", json!({"login": "hua", "audits": ["alpha"]})).await.must(201);
    let hua = "/api/v1/users/hua";
    assert_problem(&call(Method::PATCH, hua, json!({"admin": true})).await, 400, "an auditor made an administrator");
    let changed = call(Method::PATCH, hua, json!({"admin": true, "audits": []})).await.must(200);
    assert_eq!((&changed["admin"], &changed["audits"]), (&json!(true), &json!([])));
    assert_problem(&call(Method::PATCH, hua, json!({"audits": ["alpha"]})).await, 400, "an administrator made an auditor");
    let all = node.admin(Method::GET, "/api/v1/users", Some(&node.token), None).await.must(200);
    let found = all["users"].as_array().expect("a list").iter().find(|u| u["login"] == "hua").expect("there").clone();
    assert_eq!((&found["admin"], &found["audits"]), (&json!(true), &json!([])), "refused changes change nothing: {all}");
}

#[tokio::test]
async fn every_documented_operation_exists() {
    let node = TestNode::start("alpha").await;
    for (method, path) in operations(&node, "alpha", "some-id").await {
        let body = (method != Method::GET).then(|| json!({}));
        let answer = node.admin(method.clone(), &path, Some(&node.token), body.as_ref()).await;
        let told = format!("{method} {path}: {}", answer.text());
        assert!(!matches!(answer.status, 401 | 403 | 405 | 500..=599), "{} {told}", answer.status);
        if answer.status == 404 {
            assert!(!answer.text().contains("no such endpoint"), "{told}");
        }
    }
}

#[tokio::test]
async fn a_participants_token_reaches_its_participant_only() {
    let node = TestNode::start("alpha").await;
    node.add_participant("beta").await;
    let own = token(&node, "write").await;
    for (method, path) in operations(&node, "beta", "some-id").await {
        let told = format!("{method} {path}");
        let body = (method != Method::GET).then(|| json!({"slug": "gamma", "name": "G", "login": "eve", "kind": "table"}));
        let answer = node.admin(method.clone(), &path, Some(&own), body.as_ref()).await;
        match path.as_str() {
            "/api/v1/node" => assert_eq!(answer.status, 200),
            "/api/v1/participants" if method == Method::GET => {
                let seen = answer.must(200);
                assert_eq!(seen["participants"].as_array().map(Vec::len), Some(1), "{seen}");
                assert_eq!(seen["participants"][0]["slug"], "alpha");
            }
            path if path.starts_with("/api/v1/participants/beta") => drop(assert_problem(&answer, 404, &told)),
            _ => drop(assert_problem(&answer, if answer.status == 400 { 400 } else { 403 }, &told)),
        }
    }
    let all = node.admin(Method::GET, "/api/v1/participants", Some(&node.token), None).await.must(200);
    assert_eq!(all["participants"].as_array().map(Vec::len), Some(2));
    let made = node.admin(Method::POST, "/api/v1/participants", Some(&own), Some(&json!({"slug": "gamma", "name": "G"}))).await;
    assert_problem(&made, 403, "a participant");
    // It does what it may.
    assert_eq!(node.admin(Method::GET, "/api/v1/participants/alpha/products", Some(&own), None).await.status, 200);
}

#[tokio::test]
async fn a_revoked_token_is_worth_nothing_at_once() {
    let node = TestNode::start("alpha").await;
    let made = node.post("/tokens", &json!({"name": "short-lived", "scope": "read"})).await.must(201);
    let token = made["token"].as_str().expect("shown");
    assert_eq!(node.admin(Method::GET, &node.api_path("/products"), Some(token), None).await.status, 200);
    let list = node.get("/tokens").await.must(200);
    assert!(!list.to_string().contains(token), "shown once");
    let revoked = node.post(&format!("/tokens/{}/revoke", made["id"].as_str().expect("id")), &json!({})).await.must(200);
    assert!(revoked["revokedAt"].is_string());
    assert_problem(&node.admin(Method::GET, &node.api_path("/products"), Some(token), None).await, 401, "revoked");
    assert_problem(&node.post("/tokens/tok_unknown/revoke", &json!({})).await, 404, "unknown");
}

#[tokio::test]
async fn the_same_key_makes_the_same_thing_once() {
    let pair = TestPair::with_wind().await;
    let (provider, consumer) = (&pair.provider, &pair.consumer);
    let ask = json!({"peer": provider.did, "product": "wind"});
    // Twenty at once.
    let copies = futures::future::join_all((0..20).map(|_| consumer.post_once("/negotiations", "deal-1", &ask))).await;
    let ids: HashSet<String> = copies.iter().map(|a| a.must(201)["negotiationId"].as_str().expect("id").to_owned()).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let id = ids.into_iter().next().expect("one");
    let done = consumer.settled(&id).await;
    // And later.
    assert_eq!(consumer.post_once("/negotiations", "deal-1", &ask).await.must(201)["negotiationId"], id);
    assert_eq!(consumer.get("/negotiations").await.must(200)["negotiations"].as_array().map(Vec::len), Some(1));
    assert_eq!(provider.get("/negotiations").await.must(200)["negotiations"].as_array().map(Vec::len), Some(1));
    // Another request under the key, and another key.
    let other = json!({"peer": provider.did, "product": "wind", "purpose": ["research"]});
    assert_eq!(assert_problem(&consumer.post_once("/negotiations", "deal-1", &other).await, 422, "another body")["code"], "FDC-1008");
    assert_ne!(consumer.post_once("/negotiations", "deal-2", &ask).await.must(201)["negotiationId"], id);

    let agreement = done["agreementId"].as_str().expect("an agreement");
    let path = format!("/agreements/{agreement}/transfers");
    let plain = json!({});
    let copies = futures::future::join_all((0..10).map(|_| consumer.post_once(&path, "transfer-1", &plain))).await;
    let ids: HashSet<String> = copies.iter().map(|a| a.must(201)["id"].as_str().expect("id").to_owned()).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    consumer.reaches("transfers", ids.iter().next().expect("one"), "STARTED").await;
    assert_eq!(provider.get("/transfers").await.must(200)["transfers"].as_array().map(Vec::len), Some(1));

    let file = tables::write(provider.dir(), "rain.csv", tables::WIND);
    let product = json!({"id": "rain", "title": "Rain", "kind": "table", "paths": [file]});
    for _ in 0..2 {
        assert_eq!(provider.post_once("/products", "rain-1", &product).await.must(201)["version"], 1);
    }
    assert_eq!(provider.post_once("/products", "rain-2", &product).await.must(201)["version"], 2);

    let new = json!({"name": "once", "scope": "read"});
    let first = consumer.post_once("/tokens", "token-1", &new).await.must(201);
    let again = consumer.post_once("/tokens", "token-1", &new).await.must(201);
    assert!(first["token"].is_string() && again.get("token").is_none(), "the secret is stored nowhere: {again}");
    assert_eq!(first["id"], again["id"]);
    // A key belongs to its endpoint.
    assert_problem(&consumer.post_once("/negotiations", "token-1", &ask).await, 422, "another endpoint");
    for wrong in ["two words", &"x".repeat(201)] {
        assert_problem(&consumer.post_once("/negotiations", wrong, &ask).await, 400, wrong);
    }
}

#[tokio::test]
async fn a_failed_request_does_not_use_its_key_up() {
    let pair = TestPair::start().await;
    let ask = json!({"peer": pair.provider.did, "product": "wind"});
    assert_problem(&pair.consumer.post_once("/negotiations", "k", &ask).await, 404, "not published yet");
    pair.provider.publish("wind", tables::WIND, &[]).await;
    pair.consumer.post_once("/negotiations", "k", &ask).await.must(201);
    let file = pair.provider.dir().join("late.csv");
    let product = json!({"id": "late", "title": "Late", "kind": "table", "paths": [file]});
    assert_problem(&pair.provider.post_once("/products", "k", &product).await, 400, "no file yet");
    std::fs::write(&file, tables::WIND).expect("the file");
    pair.provider.post_once("/products", "k", &product).await.must(201);
}

#[tokio::test]
async fn whatever_is_wrong_is_told_as_a_problem() {
    let node = TestNode::start("alpha").await;
    let url = |path: &str| format!("{}{path}", node.admin_url);
    let client = http::client();
    let with = |request: reqwest::RequestBuilder| request.bearer_auth(&node.token);
    let products = node.api_path("/products");
    let json_type = ("content-type", "application/json");
    let post = |body: &'static str| with(client.post(url(&products))).header(json_type.0, json_type.1).body(body);
    let large = " ".repeat(4 * 1024 * 1024 + 1);
    let cases = [
        ("an unknown path", with(client.get(url("/api/v1/nothing"))), 404),
        ("an unknown path of another version", with(client.get(url("/api/v9/nothing"))), 404),
        ("posting to an unknown path", with(client.post(url("/api/v1/nothing"))), 404),
        ("deleting at an unknown path", with(client.delete(url("/api/v1/nothing"))), 404),
        ("an unknown participant", with(client.get(url("/api/v1/participants/nobody/products"))), 404),
        ("an impossible participant", with(client.get(url("/api/v1/participants/No%20Body/products"))), 404),
        ("an unknown negotiation", with(client.get(url(&node.api_path("/negotiations/neg_x")))), 404),
        ("an unknown product", with(client.get(url(&node.api_path("/products/none")))), 404),
        ("an unknown agreement", with(client.get(url(&node.api_path("/agreements/none")))), 404),
        ("an unknown transfer", with(client.get(url(&node.api_path("/transfers/none")))), 404),
        ("an unknown step", with(client.post(url(&node.api_path("/negotiations/x/dance"))).json(&json!({}))), 404),
        ("a method it does not have", with(client.delete(url(&products))), 405),
        ("no JSON", post("{"), 400),
        ("an empty body", post(""), 400),
        ("members missing", post("{}"), 400),
        ("a member too many", post(r#"{"id":"a","title":"A","kind":"table","paths":["/x"],"colour":"red"}"#), 400),
        ("a wrong type", post(r#"{"id":1,"title":"A","kind":"table","paths":["/x"]}"#), 400),
        ("another kind", post(r#"{"id":"a","title":"A","kind":"model","paths":["/x"]}"#), 400),
        ("a relative path", post(r#"{"id":"a","title":"A","kind":"table","paths":["x"]}"#), 400),
        ("no file", post(r#"{"id":"a","title":"A","kind":"table","paths":["/no/such/file.csv"]}"#), 400),
        (
            "terms nobody can enforce",
            post(r#"{"id":"a","title":"A","kind":"table","paths":["/x"],"offers":[{"permission":[{"action":"play"}]}]}"#),
            400,
        ),
        ("another media type", with(client.post(url(&products))).header("content-type", "text/plain").body("{}"), 415),
        ("no media type", with(client.post(url(&products))).body("{}"), 415),
        ("too large", with(client.post(url(&products))).header(json_type.0, json_type.1).body(large), 413),
        ("a parameter of a wrong type", with(client.get(url(&node.api_path("/negotiations?limit=many")))), 400),
        ("a wait of a wrong type", with(client.get(url(&node.api_path("/negotiations/x?wait=long")))), 400),
        ("a version of a wrong type", with(client.get(url(&node.api_path("/products/x?version=two")))), 400),
    ];
    for (told, request, status) in cases {
        assert_problem(&http::send(request).await, status, told);
    }
    assert_eq!(node.get("/products").await.must(200)["products"], json!([]));
}

#[tokio::test]
async fn a_request_keeps_the_id_it_came_with() {
    let node = TestNode::start("alpha").await;
    let ask = async |id: &str| {
        let request = http::client().get(format!("{}/api/v1/nothing", node.admin_url)).bearer_auth(&node.token).header("x-request-id", id);
        let answer = http::send(request).await;
        assert_problem(&answer, 404, id)["request_id"].as_str().expect("an id").to_owned()
    };
    assert_eq!(ask("order-66.a_b").await, "order-66.a_b");
    for wrong in ["two words", "semi;colon", &"x".repeat(65)] {
        assert_ne!(ask(wrong).await, wrong, "an id fit for a log line");
    }
    assert_ne!(ask("").await, ask("").await);
}

#[tokio::test]
async fn the_probes_and_the_metrics() {
    let pair = TestPair::with_wind().await;
    pair.agree("wind").await;
    let node = &pair.provider;
    let get = async |path: &str, token: Option<&str>| node.admin(Method::GET, path, token, None).await;
    assert_eq!((get("/healthz", None).await.status, get("/readyz", None).await.status), (200, 200));
    assert_problem(&get("/metrics", None).await, 401, "metrics");
    let metrics = get("/metrics", Some(&node.token)).await;
    assert_eq!(metrics.status, 200);
    assert!(metrics.header("content-type").starts_with("text/plain; version=0.0.4"));
    let text = metrics.text();
    for name in ["fondaco_http_request_seconds", "fondaco_jobs_total", "fondaco_store_tx_seconds"] {
        assert!(text.contains(name), "{name} is missing in\n{text}");
    }
    assert!(!text.contains("neg_") && !text.contains("agr_"), "labels are bounded: no ids");
    let about = get("/api/v1/node", Some(&node.token)).await.must(200);
    assert_eq!(about["publicUrl"].as_str().map(|u| u.trim_end_matches('/')), Some(node.public_url.as_str()));
    assert_eq!(about["participants"], 1);
}

#[tokio::test]
async fn a_refused_table_is_told_with_its_place_and_leaves_nothing() {
    let node = TestNode::start("alpha").await;
    let ragged = tables::write(node.dir(), "ragged.csv", "a,b\n1,2\n3\n");
    let cut = tables::write(node.dir(), "cut.parquet", "PAR1 and then nothing");
    for (path, words) in [(ragged, "3"), (cut, "cut.parquet")] {
        let answer = node.post("/products", &json!({"id": "t", "title": "T", "kind": "table", "paths": [path]})).await;
        let problem = assert_problem(&answer, 400, words);
        assert!(problem["detail"].as_str().is_some_and(|d| d.contains("Nothing was published") && d.contains(words)), "{problem}");
    }
    assert_eq!(node.get("/products").await.must(200)["products"], json!([]));
    let left = walk(&node.dir().join("data"));
    assert!(left.is_empty(), "{left:?}");
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries
        .flat_map(|entry| {
            let path = entry.expect("an entry").path();
            if path.is_dir() { walk(&path) } else { vec![path] }
        })
        .collect()
}

#[tokio::test]
async fn lists_go_on_where_they_stopped() {
    let pair = TestPair::with_wind().await;
    for _ in 0..5 {
        pair.agree("wind").await;
    }
    for (kind, node) in [("negotiations", &pair.consumer), ("agreements", &pair.provider)] {
        let mut seen = Vec::new();
        let mut after = String::new();
        loop {
            let page = node.get(&format!("/{kind}?limit=2{after}")).await.must(200);
            let rows = page[kind].as_array().expect("rows");
            assert!(rows.len() <= 2);
            seen.extend(rows.iter().map(|r| r["id"].as_str().expect("id").to_owned()));
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        let all = node.get(&format!("/{kind}")).await.must(200);
        let all: Vec<String> = all[kind].as_array().expect("rows").iter().map(|r| r["id"].as_str().expect("id").to_owned()).collect();
        assert_eq!(seen, all, "{kind}");
        assert_eq!(all.len(), 5);
    }
    let finalized = pair.consumer.get("/negotiations?state=FINALIZED").await.must(200);
    assert_eq!(finalized["negotiations"].as_array().map(Vec::len), Some(5));
    assert_eq!(pair.consumer.get("/negotiations?state=REQUESTED").await.must(200)["negotiations"], json!([]));
}

#[tokio::test]
async fn a_node_that_stops_answers_those_who_wait() {
    let pair = TestPair::with_wind().await;
    let rules = json!({"requested": [{"do": "hold"}]});
    let offer = pair.provider.add_offer_with_rules("wind", json!({"permission": [{"action": "use"}]}), rules).await;
    let id = pair.begin_with(json!({"product": "wind", "offer": offer})).await;
    let TestPair { provider, consumer } = pair;
    let mut waiting = TcpStream::connect(consumer.admin_url.trim_start_matches("http://")).await.expect("connects");
    let path = consumer.api_path(&format!("/negotiations/{id}?wait=60"));
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\nconnection: close\r\n\r\n", consumer.token);
    waiting.write_all(request.as_bytes()).await.expect("sent");
    // Connections are taken in their order: once a later request is answered, this one is under way.
    consumer.get("/negotiations").await.must(200);
    let stopped = tokio::time::timeout(fondaco_testkit::PATIENCE, consumer.shutdown()).await;
    assert!(stopped.is_ok(), "it does not wait for the whole minute");
    let mut answer = String::new();
    waiting.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"state\":\"REQUESTED\""), "{answer}");
    provider.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_participants_country_can_be_declared_later_and_peers_believe_it() {
    let pair = TestPair::start().await;
    let offer = json!({"permission": [{"action": "use", "constraint": [
        {"leftOperand": "spatial", "operator": "eq", "rightOperand": "CN"}]}]});
    pair.provider.publish("inland", "id\n1\n", &[offer]).await;
    let refused = pair.negotiate("inland").await;
    assert_eq!(refused["state"], "TERMINATED", "nothing was declared: {refused}");

    let me = format!("/api/v1/participants/{}", pair.consumer.slug);
    let change = |body: Value| {
        let (me, node) = (me.clone(), &pair.consumer);
        async move { node.admin(Method::PATCH, &me, Some(&node.token), Some(&body)).await }
    };
    for wrong in [json!({"country": "China"}), json!({"name": " "}), json!({"slug": "x"})] {
        let told = wrong.to_string();
        assert_problem(&change(wrong).await, 400, &told);
    }
    let changed = change(json!({"country": "CN"})).await.must(200);
    assert_eq!(changed["country"], "CN");
    assert!(changed["name"].as_str().is_some_and(|n| !n.is_empty()), "the name stays: {changed}");
    assert_eq!(pair.negotiate("inland").await["state"], "FINALIZED");
    pair.shutdown().await;
}
