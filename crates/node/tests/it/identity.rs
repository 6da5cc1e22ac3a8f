//! Who may call: DID documents, tokens that are wrong in every way, replay, and addresses that are not called.

use fondaco_core::{
    participant::{Declarations, Did},
    time::{Micros, Timestamp},
};
use fondaco_node::identity::token;
use fondaco_testkit::{Answer, TestNode, TestPair, eventually, tables, wire};
use reqwest::Method;
use serde_json::{Value, json};

/// A token of `caller` for `audience`, made at some time.
async fn token_at(caller: &TestNode, issuer: &Did, audience: &Did, at: Timestamp) -> String {
    let key = caller.app.signing_key(&caller.slug).await.expect("a key");
    token::mint(&key, issuer, audience, &Declarations::default(), at, &caller.app.fresh_id()).expect("a token")
}

/// The token with other parts: header, claims or signature.
fn forged(token: &str, part: usize, text: &str) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    parts[part] = URL_SAFE_NO_PAD.encode(text);
    parts.join(".")
}

async fn catalog(of: &TestNode, authorization: Option<&str>) -> Answer {
    let body = wire::message("CatalogRequestMessage", json!({})).to_string();
    of.dsp(Method::POST, "/catalog/request", authorization, Some("application/json"), body).await
}

#[tokio::test]
async fn a_did_document_names_keys_and_services_and_no_secret() {
    let node = TestNode::start("alpha").await;
    // The log is named once it has begun.
    let document = eventually("a log", async || {
        let answer = node.public(Method::GET, "/p/alpha/did.json").await;
        assert_eq!(answer.header("content-type"), "application/did+json");
        let document = answer.must(200);
        (document["service"].as_array().map_or(0, Vec::len) > 2).then_some(document)
    });
    let document = document.await;
    let did = format!("did:web:{}:p:alpha", node.public_url.trim_start_matches("http://").replace(':', "%3A"));
    assert_eq!((document["id"].as_str(), node.did.as_str()), (Some(did.as_str()), did.as_str()));
    let method = &document["verificationMethod"][0];
    assert_eq!((&method["type"], &method["controller"]), (&json!("JsonWebKey2020"), &json!(did)));
    let jwk = method["publicKeyJwk"].as_object().expect("a key");
    assert_eq!((&jwk["kty"], &jwk["crv"]), (&json!("EC"), &json!("P-256")));
    assert!(!jwk.contains_key("d"), "the private half stays inside");
    assert_eq!(method["id"], format!("{did}#{}", jwk["kid"].as_str().expect("kid")));
    for purpose in ["authentication", "assertionMethod"] {
        assert_eq!(document[purpose], json!([method["id"]]));
    }
    let services: Vec<(&str, &str)> = document["service"]
        .as_array()
        .expect("services")
        .iter()
        .map(|s| (s["type"].as_str().expect("type"), s["serviceEndpoint"].as_str().expect("endpoint")))
        .collect();
    let base = format!("{}/p/alpha", node.public_url);
    let (catalog, data) = (format!("{base}/dsp/2025-1/catalog"), format!("{base}/.well-known/dspace-version"));
    let log = format!("{}/log", node.public_url);
    assert_eq!(services, [("CatalogService", catalog.as_str()), ("DataService", data.as_str()), ("TransparencyLog", log.as_str())]);
    let problem = node.public(Method::GET, "/p/nobody/did.json").await;
    assert_eq!(problem.refused(404), "FDC-1004");
}

#[tokio::test]
async fn versions_are_found_for_the_node_and_for_each_participant() {
    let node = TestNode::start("alpha").await;
    let beta = node.add_participant("beta").await;
    let of_node = node.public(Method::GET, "/.well-known/dspace-version").await.must(200);
    let of_one = node.public(Method::GET, "/p/beta/.well-known/dspace-version").await.must(200);
    let version = |path: &str, did: &Did| json!({"version": "2025-1", "path": path, "binding": "HTTPS", "serviceId": did, "identifierType": "did:web"});
    let listed = of_node["protocolVersions"].as_array().expect("versions");
    assert_eq!(listed.len(), 2);
    assert!(listed.contains(&version("/p/alpha/dsp/2025-1", &node.did)), "{of_node}");
    assert!(listed.contains(&version("/p/beta/dsp/2025-1", &beta.did)), "{of_node}");
    assert_eq!(of_one["protocolVersions"], json!([version("/dsp/2025-1", &beta.did)]));
    assert_eq!(node.public(Method::GET, "/p/nobody/.well-known/dspace-version").await.refused(404), "FDC-1004");
    assert_eq!(node.public(Method::GET, "/p/alpha/dsp/2025-1/nothing").await.refused(404), "FDC-1004");
}

#[tokio::test]
async fn tokens_that_prove_nothing_are_refused() {
    let pair = TestPair::start().await;
    let (own, peer) = (&pair.provider, &pair.consumer);
    let now = own.app.now();
    let good = token_at(peer, &peer.did, &own.did, now).await;
    let claims = |changes: Value| {
        let mut claims =
            json!({"iss": peer.did, "sub": peer.did, "aud": own.did, "iat": now.as_secs(), "exp": now.as_secs() + 60, "jti": "j"});
        claims.as_object_mut().expect("an object").extend(changes.as_object().expect("an object").clone());
        claims.to_string()
    };
    let kid = format!("{}#k", peer.did);
    let cases = [
        ("nothing", None),
        ("nothing in it", Some(String::new())),
        ("a scheme alone", Some("Bearer".to_owned())),
        ("another scheme", Some(format!("Basic {good}"))),
        ("garbage", Some("Bearer garbage".to_owned())),
        ("two dots", Some("Bearer ..".to_owned())),
        ("far too long", Some(format!("Bearer {}", "x".repeat(20_000)))),
        ("an API token", Some(format!("Bearer {}", own.token))),
        ("expired", Some(token_at(peer, &peer.did, &own.did, now.plus(Micros::from_secs(-600))).await)),
        ("from the future", Some(token_at(peer, &peer.did, &own.did, now.plus(Micros::from_secs(600))).await)),
        ("for somebody else", Some(token_at(peer, &peer.did, &peer.did, now).await)),
        ("in our own name", Some(token_at(peer, &own.did, &own.did, now).await)),
        ("other claims", Some(forged(&good, 1, &claims(json!({}))))),
        ("another subject", Some(forged(&good, 1, &claims(json!({"sub": own.did}))))),
        ("algorithm none", Some(forged(&good, 0, &json!({"alg": "none", "kid": kid}).to_string()))),
        ("algorithm HS256", Some(forged(&good, 0, &json!({"alg": "HS256", "kid": kid}).to_string()))),
        ("an unknown key", Some(forged(&good, 0, &json!({"alg": "ES256", "kid": kid}).to_string()))),
        ("a key of its own", Some(forged(&good, 0, &json!({"alg": "ES256", "kid": kid, "jwk": {"kty": "EC"}}).to_string()))),
        ("no signature", Some(forged(&good, 2, ""))),
        ("another signature", Some(forged(&good, 2, &"s".repeat(64)))),
    ];
    for (told, header) in cases {
        let header = header.map(|h| if h.starts_with("ey") { format!("Bearer {h}") } else { h });
        let answer = catalog(own, header.as_deref()).await;
        assert_eq!(answer.status, 401, "{told}: {}", answer.text());
        assert_eq!(answer.json()["@type"], "CatalogError", "{told}");
        // The error is the one of the protocol that was called.
        for (path, kind) in
            [("/negotiations/x", "ContractNegotiationError"), ("/transfers/x", "TransferError"), ("/catalog/datasets/x", "CatalogError")]
        {
            let answer = own.dsp(Method::GET, path, header.as_deref(), None, "").await;
            assert_eq!((answer.status, &answer.json()["@type"]), (401, &json!(kind)), "{told}");
        }
    }
    assert_eq!(catalog(own, Some(&format!("Bearer {good}"))).await.status, 200, "the right one is accepted");
}

#[tokio::test]
async fn an_issuer_that_cannot_be_asked_is_not_believed() {
    let pair = TestPair::start().await;
    let (own, peer) = (&pair.provider, &pair.consumer);
    let issued_by = async |did: &str| {
        let did = Did::parse(did).expect("a DID");
        format!("Bearer {}", token_at(peer, &did, &own.did, own.app.now()).await)
    };
    // Nobody listens there: the caller may try again.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let gone = catalog(own, Some(&issued_by(&format!("did:web:127.0.0.1%3A{closed}:p:x")).await)).await;
    assert_eq!((gone.status, &gone.json()["code"]), (503, &json!("FDC-2002")), "{}", gone.text());
    // A participant that does not exist at a node that does.
    let nobody = catalog(own, Some(&issued_by(peer.did.as_str().replace(":consumer", ":nobody").as_str()).await)).await;
    assert!(matches!(nobody.status, 401 | 503), "{}", nobody.text());
    // Addresses that are never called.
    for host in ["10.0.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "172.16.0.1%3A8080"] {
        let answer = catalog(own, Some(&issued_by(&format!("did:web:{host}:p:x")).await)).await;
        assert!(matches!(answer.status, 400 | 401), "{host}: {} {}", answer.status, answer.text());
        assert_eq!(answer.json()["@type"], "CatalogError");
    }
}

#[tokio::test]
async fn a_hundred_copies_of_a_token_are_one_call() {
    let pair = TestPair::start().await;
    let (own, peer) = (&pair.provider, &pair.consumer);
    let authorization = peer.authorization(&own.did).await;
    let answers = futures::future::join_all((0..100).map(|_| catalog(own, Some(&authorization)))).await;
    let accepted = answers.iter().filter(|a| a.status == 200).count();
    let refused = answers.iter().filter(|a| a.status == 401 && a.json()["code"] == "FDC-2004").count();
    assert_eq!((accepted, refused), (1, 99));
    // Used for another call it is refused as well, and changes nothing.
    own.publish("wind", tables::WIND, &[]).await;
    let offer = own.get("/products/wind").await.must(200)["offers"][0]["id"].as_str().expect("id").to_owned();
    let request = wire::first_request(&wire::urn(), &peer.dsp_url(), &wire::offer(&offer, "wind", &[]));
    let answer = own.dsp(Method::POST, "/negotiations/request", Some(&authorization), Some("application/json"), request.to_string()).await;
    assert_eq!(answer.refused(401), "FDC-2004");
    assert_eq!(own.get("/negotiations").await.must(200)["negotiations"], json!([]));
}

#[tokio::test]
async fn a_refused_message_uses_its_token_up() {
    let pair = TestPair::start().await;
    let (own, peer) = (&pair.provider, &pair.consumer);
    let authorization = peer.authorization(&own.did).await;
    let request = wire::first_request(&wire::urn(), &peer.dsp_url(), &wire::offer("urn:none", "none", &[])).to_string();
    let send =
        async || own.dsp(Method::POST, "/negotiations/request", Some(&authorization), Some("application/json"), request.clone()).await;
    assert_eq!(send().await.refused(400), "FDC-3002");
    assert_eq!(send().await.refused(401), "FDC-2004");
}

#[tokio::test]
async fn a_token_for_one_participant_is_worth_nothing_at_its_neighbour() {
    let pair = TestPair::start().await;
    let (own, peer) = (&pair.provider, &pair.consumer);
    let beta = own.add_participant("beta").await;
    let authorization = peer.authorization(&own.did).await;
    let url = format!("/p/{}/dsp/2025-1/catalog/datasets/x", beta.slug);
    let answer = fondaco_testkit::http::send(
        fondaco_testkit::http::client().get(format!("{}{url}", own.public_url)).header("authorization", &authorization),
    )
    .await;
    assert_eq!(answer.refused(401), "FDC-2003");
    // And at no participant at all it finds nothing.
    assert_eq!(peer.ask(own, "/catalog/datasets/x").await.refused(404), "FDC-1004");
}

#[tokio::test]
async fn callback_addresses_into_private_networks_are_refused() {
    let pair = TestPair::with_wind().await;
    let (own, peer) = (&pair.provider, &pair.consumer);
    let agreement = pair.agree("wind").await;
    let offer = own.get("/products/wind").await.must(200)["offers"][0]["id"].as_str().expect("id").to_owned();
    let before = own.get("/negotiations").await.must(200);
    for callback in [
        "http://10.0.0.1/callback",
        "https://192.168.0.10/callback",
        "http://169.254.169.254/latest/meta-data",
        "http://0x0a000001/",
        "http://167772161/",
        "http://[::ffff:10.0.0.1]/",
        "http://[fd00::1]/",
        "http://[fe80::1]/",
        "http://0.0.0.0:7400/",
        "http://100.64.1.1/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:70/",
        "http://user:secret@127.0.0.1/",
        "http://peer.example/plain-http",
        "not an address",
        "/relative",
    ] {
        let request = wire::first_request(&wire::urn(), callback, &wire::offer(&offer, "wind", &[]));
        let answer = peer.send(own, "/negotiations/request", &request).await;
        assert_eq!(answer.status, 400, "{callback}: {}", answer.text());
        assert_eq!(answer.json()["@type"], "ContractNegotiationError", "{callback}");
        let request = wire::message(
            "TransferRequestMessage",
            json!({"consumerPid": wire::urn(), "agreementId": agreement, "format": "DeltaSharing-PULL", "callbackAddress": callback}),
        );
        let answer = peer.send(own, "/transfers/request", &request).await;
        assert_eq!((answer.status, &answer.json()["@type"]), (400, &json!("TransferError")), "{callback}");
    }
    assert_eq!(own.get("/negotiations").await.must(200), before);
    assert_eq!(own.get("/transfers").await.must(200)["transfers"], json!([]));
}

#[tokio::test]
async fn peers_in_private_networks_are_not_called() {
    let node = TestNode::start("alpha").await;
    for peer in ["http://10.0.0.1/p/x", "did:web:10.0.0.1:p:x", "http://169.254.169.254/p/x", "https://[fd00::1]/p/x"] {
        assert_eq!(node.post("/catalog", &json!({"peer": peer})).await.refused(400), "FDC-2005", "{peer}");
    }
    for peer in ["did:key:z6Mk", "nonsense", ""] {
        let answer = node.post("/catalog", &json!({"peer": peer})).await;
        assert_eq!(answer.status, 400, "{peer}: {}", answer.text());
    }
}
