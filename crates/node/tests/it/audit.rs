//! The audit room over the listeners: evidence of the other side for its party alone, both sides beside each other, and
//! whether anything is missing.

use fondaco_core::{
    evidence::{Event, Kind},
    participant::Did,
    time::Timestamp,
};
use fondaco_store::EvidenceFilter;
use fondaco_testkit::{TestNode, TestPair, eventually, http};
use fondaco_tlog::{
    bundle::Bundle,
    note::{KeyName, SigningKey},
};
use reqwest::Method;
use serde_json::{Value, json};

/// Asks a node for its evidence of an agreement, with a token of its own.
async fn asked(of: &TestNode, authorization: Option<&str>, agreement: &str, query: &str) -> http::Answer {
    let url = format!("{}/p/{}/evidence/{agreement}{query}", of.public_url, of.slug);
    let mut call = http::client().get(url);
    if let Some(value) = authorization {
        call = call.header("authorization", value);
    }
    http::send(call).await
}

/// What a side's log holds of an agreement, once a kind is in the tree.
async fn logged(node: &TestNode, agreement: &str, kind: &str) {
    eventually(&format!("{kind} of {agreement} in the log of {}", node.slug), async || {
        let found = node.get(&format!("/evidence?agreement={agreement}")).await.must(200);
        let rows = found["evidence"].as_array().expect("a list").clone();
        rows.iter().any(|row| row["kind"] == kind && row["leafIndex"].is_u64()).then_some(())
    })
    .await;
}

/// Until the node keeps the key of a peer's log, which it does of its own accord when a deal is made.
async fn keeps_key(node: &TestNode, peer: &Did) {
    eventually(&format!("{} keeps the key of the log of {peer}", node.slug), async || {
        let (slug, peer) = (node.slug.clone(), peer.clone());
        let kept = node.app.store.read("test.peer_log", move |tx| -> fondaco_core::Result<_> { Ok(tx.peer_log(&slug, &peer)?) });
        kept.await.expect("read").map(drop)
    })
    .await;
}

async fn timeline(node: &TestNode, agreement: &str) -> Value {
    node.get(&format!("/agreements/{agreement}/timeline")).await.must(200)
}

fn names(found: &Value) -> Vec<&str> {
    found["findings"].as_array().expect("a list").iter().map(|f| f["name"].as_str().expect("a name")).collect()
}

fn leaves<'a>(found: &'a Value, side: &str, kind: &str) -> Vec<&'a Value> {
    found["leaves"].as_array().expect("a list").iter().filter(|leaf| leaf["side"] == side && leaf["kind"] == kind).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evidence_is_given_to_the_other_party_alone() {
    let pair = TestPair::with_wind().await;
    let agreement = pair.agree("wind").await;
    let (provider, consumer) = (&pair.provider, &pair.consumer);
    logged(provider, &agreement, "agreement").await;
    let token = consumer.authorization(&provider.did).await;
    let given = asked(provider, Some(&token), &agreement, "").await.must(200);
    assert_eq!(given["agreementId"], agreement.as_str());
    let bundles = given["bundles"].as_array().expect("a list");
    assert!(!bundles.is_empty() && given["next"].is_null(), "{given}");
    let key = provider.admin(Method::GET, "/api/v1/log", Some(&provider.token), None).await.must(200)["key"].clone();
    for text in bundles {
        let bundle = Bundle::parse(text.as_str().expect("a text").as_bytes()).expect("a bundle");
        bundle.verify(None).expect("it holds");
        assert_eq!(bundle.log, key.as_str().expect("a key"));
    }
    let document = provider.public(Method::GET, &format!("/p/{}/did.json", provider.slug)).await.must(200);
    let services = document["service"].as_array().expect("services");
    let log = services.iter().find(|s| s["type"] == "TransparencyLog").expect("the log is announced");
    assert_eq!((&log["vkey"], &log["serviceEndpoint"]), (&key, &json!(format!("{}/log", provider.public_url))));

    assert_eq!(asked(provider, Some(&token), &agreement, "").await.status, 401, "a token is good once");
    assert_eq!(asked(provider, None, &agreement, "").await.status, 401);
    let fresh = async || consumer.authorization(&provider.did).await;
    assert_eq!(asked(provider, Some(&fresh().await), "agr_unknown", "").await.status, 404);
    assert_eq!(asked(provider, Some(&fresh().await), &agreement, "?after=x").await.status, 400);
    assert_eq!(asked(provider, Some(&fresh().await), &agreement, "?after=0").await.must(200)["bundles"], given["bundles"]);
    let end = format!("?after={}", i64::MAX);
    assert_eq!(asked(provider, Some(&fresh().await), &agreement, &end).await.must(200)["bundles"], json!([]));
    let stranger = TestNode::start("stranger").await;
    let token = stranger.authorization(&provider.did).await;
    assert_eq!(asked(provider, Some(&token), &agreement, "").await.status, 404, "for others it does not exist");
    stranger.shutdown().await;
    pair.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_sides_stand_beside_each_other() {
    let pair = TestPair::with_wind().await;
    let agreement = pair.agree("wind").await;
    let access = pair.access(&agreement).await;
    for node in [&pair.provider, &pair.consumer] {
        logged(node, &agreement, "transfer-started").await;
    }
    keeps_key(&pair.provider, &pair.consumer.did).await;
    keeps_key(&pair.consumer, &pair.provider.did).await;
    for node in [&pair.provider, &pair.consumer] {
        let found = timeline(node, &agreement).await;
        assert_eq!((names(&found), &found["sameAgreement"], &found["faulty"]), (vec![], &json!(true), &json!(false)), "{found}");
        for side in ["ours", "theirs"] {
            let agreements = leaves(&found, side, "agreement");
            assert_eq!(agreements.len(), 1, "{side}: {found}");
            assert_eq!((&agreements[0]["outcome"], &agreements[0]["object"]), (&json!("verified"), &json!(agreement)), "{side}");
            assert_eq!(leaves(&found, side, "transfer-started").len(), 1, "{side}: {found}");
        }
        assert!(found["peerKey"].is_string() && found["peerKeySince"].is_string(), "{found}");
        assert_eq!(found["peerWitnesses"], json!([]), "nobody has cosigned anything: {found}");
    }
    // Who decided at the provider is not told the consumer; that something happened then is.
    let transfer = pair.provider_transfer(&access.transfer).await;
    pair.provider.post(&format!("/transfers/{transfer}/suspend"), &json!({"reason": "Maintenance."})).await.must(200);
    logged(&pair.provider, &agreement, "transfer-suspended").await;
    let found = timeline(&pair.consumer, &agreement).await;
    let suspended = leaves(&found, "theirs", "transfer-suspended");
    assert_eq!(suspended.len(), 1, "{found}");
    assert_eq!((&suspended[0]["outcome"], suspended[0].get("object")), (&json!("closed"), None), "{found}");
    assert_eq!(names(&found), Vec::<&str>::new());
    let theirs = asked(&pair.provider, Some(&pair.consumer.authorization(&pair.provider.did).await), &agreement, "").await;
    let texts = theirs.must(200)["bundles"].as_array().expect("a list").clone();
    let bundles: Vec<_> = texts.iter().map(|text| Bundle::parse(text.as_str().expect("a text").as_bytes()).expect("a bundle")).collect();
    let closed: Vec<_> = bundles.iter().filter(|bundle| bundle.opening.is_none()).collect();
    assert!(closed.len() == 1 && closed[0].leaf.contains("transfer-suspended"), "{closed:?}");

    assert_eq!(pair.consumer.get("/agreements/agr_unknown/timeline").await.status, 404);
    let TestPair { provider, consumer } = pair;
    let did = provider.did.clone();
    provider.shutdown().await;
    let found = timeline(&consumer, &agreement).await;
    assert_eq!((names(&found), &found["faulty"]), (vec!["no-answer"], &json!(true)), "{found}");
    assert!(found.get("sameAgreement").is_none(), "what was not seen is not the same: {found}");
    assert_eq!(leaves(&found, "ours", "agreement").len(), 1, "our own side is shown: {found}");
    assert_eq!(found["peer"], did.as_str());
    consumer.shutdown().await;
}

/// Writes leaves about usage of an agreement past the program, as a busy year would, or a peer that wants to bury another.
async fn plant(node: &TestNode, peer: &Did, agreement: &str, leaves: u32) {
    let (slug, own, peer, agreement) = (node.slug.clone(), node.did.clone(), peer.clone(), agreement.to_owned());
    let at = Timestamp::from_micros(1_795_000_000_000_000);
    let planted = node.app.store.tx("test.plant", move |tx| -> fondaco_core::Result<_> {
        for n in 0..leaves {
            let document = json!({"agreement": agreement, "reads": n});
            let (own, peer, object) = (own.to_string(), Some(peer.to_string()), agreement.clone());
            tx.log_append(Some(&slug), Some(&agreement), Event { kind: Kind::Usage, at, own, peer, object, document })?;
        }
        Ok(())
    });
    planted.await.expect("planted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_leaves_do_not_bury_the_agreement() {
    let pair = TestPair::with_wind().await;
    let agreement = pair.agree("wind").await;
    logged(&pair.provider, &agreement, "agreement").await;
    logged(&pair.consumer, &agreement, "agreement").await;
    keeps_key(&pair.consumer, &pair.provider.did).await;
    plant(&pair.provider, &pair.consumer.did, &agreement, 600).await;
    let found = timeline(&pair.consumer, &agreement).await;
    assert_eq!((names(&found), &found["sameAgreement"], &found["faulty"]), (vec!["too-many"], &json!(true), &json!(false)), "{found}");
    assert_eq!(leaves(&found, "theirs", "agreement").len(), 1, "{found}");
    pair.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looking_changes_nothing() {
    let pair = TestPair::with_wind().await;
    let agreement = pair.agree("wind").await;
    logged(&pair.provider, &agreement, "agreement").await;
    logged(&pair.consumer, &agreement, "agreement").await;
    keeps_key(&pair.provider, &pair.consumer.did).await;
    // An agreement of before there was a log, with a peer that was never met since: no key of its log is kept.
    let stranger = TestNode::start("stranger").await;
    let (slug, id, peer) = (pair.provider.slug.clone(), agreement.clone(), stranger.did.clone());
    let planted = pair.provider.app.store.tx("test.plant", move |tx| -> fondaco_core::Result<_> {
        let mut row = tx.agreement_get(&slug, &id)?.expect("it is there");
        row.agreement.id = "agr_planted".into();
        row.agreement.assignee = peer;
        Ok(tx.agreement_insert(&row)?)
    });
    assert!(planted.await.expect("written"));
    let known = async || {
        let (slug, peer, stranger) = (pair.provider.slug.clone(), pair.consumer.did.clone(), stranger.did.clone());
        let read = pair.provider.app.store.read("test.known", move |tx| -> fondaco_core::Result<_> {
            let of = |tx: &mut fondaco_store::Tx, did: &Did| -> fondaco_core::Result<_> {
                Ok((tx.peer_log(&slug, did)?, tx.peer_get(&slug, did)?))
            };
            Ok((of(tx, &peer)?, of(tx, &stranger)?))
        });
        read.await.expect("read")
    };
    let before = known().await;
    assert!(before.0.0.is_some() && before.1 == (None, None), "{before:?}");
    let made = pair.provider.post("/tokens", &json!({"name": "reads", "scope": "read"})).await.must(201);
    let read_only = made["token"].as_str().expect("a token").to_owned();
    let look = async |agreement: &str| {
        let path = pair.provider.api_path(&format!("/agreements/{agreement}/timeline"));
        pair.provider.admin(Method::GET, &path, Some(&read_only), None).await.must(200)
    };
    let found = look(&agreement).await;
    assert_eq!((names(&found), &found["sameAgreement"]), (vec![], &json!(true)), "{found}");
    let found = look("agr_planted").await;
    assert!(names(&found).starts_with(&["key-unknown"]) && names(&found).contains(&"no-answer"), "{found}");
    assert!(found.get("peerKeySince").is_none(), "{found}");
    assert_eq!(known().await, before, "nothing is kept of it");
    stranger.shutdown().await;
    pair.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_log_is_not_signed_for_a_look() {
    let pair = TestPair::with_wind().await;
    let agreement = pair.agree("wind").await;
    logged(&pair.provider, &agreement, "agreement").await;
    let held = pair.provider.app.store.tx("test.hold", |tx| -> fondaco_core::Result<_> { Ok(tx.log_hold(Some("a test"))?) });
    held.await.expect("held");
    plant(&pair.provider, &pair.consumer.did, &agreement, 20).await;
    let tree = async || {
        let read = pair.provider.app.store.read("test.tree", |tx| -> fondaco_core::Result<_> { Ok(tx.log_tree()?) });
        read.await.expect("read").map(|tree| tree.size)
    };
    let before = tree().await;
    let found = timeline(&pair.provider, &agreement).await;
    let waiting = found["leaves"].as_array().expect("a list").iter().filter(|leaf| leaf["outcome"] == "waiting").count();
    assert_eq!((waiting, tree().await), (20, before), "{found}");
    let theirs = timeline(&pair.consumer, &agreement).await;
    assert_eq!(leaves(&theirs, "theirs", "agreement").len(), 1, "what is in the log is given: {theirs}");
    pair.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_another_than_the_first_is_told() {
    let pair = TestPair::with_wind().await;
    let agreement = pair.agree("wind").await;
    logged(&pair.provider, &agreement, "agreement").await;
    logged(&pair.consumer, &agreement, "agreement").await;
    let trust = async |peer: &Did, key: &str| pair.consumer.put("/evidence/peer-log", &json!({"peer": peer, "key": key})).await;
    let other = SigningKey::from_seed(KeyName::parse("provider.example/log").expect("a name"), &[1; 32]).expect("a key");
    let other = other.verifier().to_string();
    assert_eq!(trust(&pair.provider.did, "no key").await.status, 400);
    assert_eq!(trust(&pair.provider.did, &other).await.must(200)["key"], other.as_str());
    let found = timeline(&pair.consumer, &agreement).await;
    assert!(names(&found).starts_with(&["key-changed", "does-not-hold"]) && names(&found).contains(&"theirs-missing"), "{found}");
    assert_eq!((&found["peerKey"], &found["faulty"]), (&json!(other), &json!(true)), "{found}");
    assert!(leaves(&found, "theirs", "agreement").is_empty(), "what does not hold is not shown as evidence: {found}");
    let log = pair.provider.admin(Method::GET, "/api/v1/log", Some(&pair.provider.token), None).await.must(200);
    trust(&pair.provider.did, log["key"].as_str().expect("a key")).await.must(200);
    let found = timeline(&pair.consumer, &agreement).await;
    assert_eq!((names(&found), &found["sameAgreement"]), (vec![], &json!(true)), "{found}");
    let made = pair.consumer.post("/tokens", &json!({"name": "reads", "scope": "read"})).await.must(201);
    let read_only = made["token"].as_str().expect("a token").to_owned();
    let path = pair.consumer.api_path("/evidence/peer-log");
    let body = json!({"peer": pair.provider.did, "key": other});
    assert_eq!(pair.consumer.admin(Method::PUT, &path, Some(&read_only), Some(&body)).await.status, 403);
    pair.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_is_found() {
    let pair = TestPair::with_wind().await;
    let agreement = pair.agree("wind").await;
    let access = pair.access(&agreement).await;
    access.share.call(Method::POST, "/shares/provider/schemas/default/tables/wind/query", Some(&json!({}))).await;
    for node in [&pair.provider, &pair.consumer] {
        logged(node, &agreement, "transfer-started").await;
        let found = node.get("/evidence/check").await.must(200);
        assert_eq!((&found["findings"], &found["agreements"], &found["older"]), (&json!([]), &json!(1), &json!(0)), "{found}");
        assert!(found["leaves"].as_u64() >= Some(2) && found["since"].is_string(), "{found}");
    }
    // An agreement that somebody put into the database past the program.
    let (slug, id) = (pair.provider.slug.clone(), agreement.clone());
    let planted = pair.provider.app.store.tx("test.plant", move |tx| -> fondaco_core::Result<_> {
        let mut row = tx.agreement_get(&slug, &id)?.expect("it is there");
        row.agreement.id = "agr_planted".into();
        Ok(tx.agreement_insert(&row)?)
    });
    assert!(planted.await.expect("written"));
    let found = pair.provider.get("/evidence/check").await.must(200);
    assert_eq!((names(&found), &found["agreements"], &found["more"]), (vec!["no-leaf"], &json!(2), &json!(false)), "{found}");
    assert_eq!(found["findings"][0]["agreementId"], "agr_planted");
    assert!(found["findings"][0]["advice"].as_str().is_some_and(|advice| advice.contains("backup")), "{found}");
    // What is erased while the agreement is in force: this program never does that.
    let (slug, id) = (pair.consumer.slug.clone(), agreement.clone());
    let erased = pair.consumer.app.store.tx("test.erase", move |tx| -> fondaco_core::Result<_> {
        let rows = tx.evidence_list(Some(&slug), fondaco_store::EvidenceFilter::Agreement(&id), None, 10)?;
        let first = rows.last().expect("the agreement").id.clone();
        Ok(tx.evidence_erase(Some(&slug), &first)?)
    });
    assert!(erased.await.expect("written"));
    let found = pair.consumer.get("/evidence/check").await.must(200);
    assert_eq!((names(&found), &found["erased"]), (vec!["erased"], &json!(1)), "{found}");
    pair.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_used_is_said_where_it_changed_and_never_falls() {
    let pair = TestPair::with_wind().await;
    let agreement = pair.agree("wind").await;
    let node = &pair.provider;
    let store = &node.app.store;
    let noted = async || {
        let noted = store.read("test.day", |tx| -> fondaco_core::Result<_> { Ok(tx.setting_get("evidence.usage_day")?) });
        noted.await.expect("a setting").map(drop)
    };
    eventually("the first day to be noted", noted).await;
    let next_day = async || {
        let reset = store.tx("test.day", |tx| -> fondaco_core::Result<_> { Ok(tx.setting_put("evidence.usage_day", &json!(0))?) });
        reset.await.expect("reset");
        node.app.usage_settle().await.expect("said");
    };
    let said = async || {
        let (slug, id) = (node.slug.clone(), agreement.clone());
        let rows = store.read("test.said", move |tx| -> fondaco_core::Result<_> {
            Ok(tx.evidence_list(Some(&slug), EvidenceFilter::Agreement(&id), None, 100)?)
        });
        let rows = rows.await.expect("the evidence").into_iter().rev().filter(|row| row.kind == Kind::Usage);
        rows.map(|row| serde_json::from_str(&row.document.expect("kept")).expect("JSON")).collect::<Vec<Value>>()
    };
    let checked = async || node.get("/evidence/check").await.must(200);
    let admit = async || {
        let (slug, id) = (node.slug.clone(), agreement.clone());
        let admitted = store.tx("test.admit", move |tx| -> fondaco_core::Result<_> { Ok(tx.reads_admit(&slug, &id, None)?) });
        assert_eq!(admitted.await.expect("admitted"), Some(1));
    };
    next_day().await;
    assert_eq!(said().await, Vec::<Value>::new(), "nothing was used");
    admit().await;
    next_day().await;
    next_day().await;
    let first = said().await;
    assert_eq!((first.len(), &first[0]["reads"], first[0].get("givenBack")), (1, &json!(1), None), "{first:?}");
    let (slug, id) = (node.slug.clone(), agreement.clone());
    let back = store.tx("test.back", move |tx| -> fondaco_core::Result<_> { Ok(tx.reads_give_back(&slug, &id)?) });
    back.await.expect("given back");
    let found = checked().await;
    assert_eq!(names(&found), Vec::<&str>::new(), "what failed is taken back, and that is no fault: {found}");
    next_day().await;
    let second = said().await;
    assert_eq!((second.len(), &second[1]["reads"], &second[1]["givenBack"]), (2, &json!(0), &json!({"reads": 1, "bytes": 0})));
    let found = checked().await;
    assert_eq!(names(&found), Vec::<&str>::new(), "{found}");

    // A leaf that said more than the counters do: as if they had been lowered since.
    let (slug, id) = (node.slug.clone(), agreement.clone());
    let document = json!({"agreement": id, "reads": 7, "requests": 0, "rows": 0, "bytes": 0});
    let (own, peer, at) = (node.did.to_string(), Some(pair.consumer.did.to_string()), node.app.now());
    let event = Event { kind: Kind::Usage, at, own, peer, object: id.clone(), document };
    let planted = store.tx("test.plant", move |tx| -> fondaco_core::Result<_> { Ok(tx.log_append(Some(&slug), Some(&id), event)?) });
    planted.await.expect("written");
    let found = checked().await;
    assert_eq!(names(&found), ["used-less"], "{found}");
    admit().await;
    next_day().await;
    assert_eq!(said().await.len(), 4);
    let found = checked().await;
    assert_eq!(names(&found), ["used-less"], "the next day's leaf does not heal it: {found}");
    pair.shutdown().await;
}
