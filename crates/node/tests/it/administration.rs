//! Administration in the log: a change is one leaf, which says what came of it and who made it, and what changes nothing has
//! none.

use fondaco_core::evidence::Kind;
use fondaco_testkit::{TestNode, tables};
use reqwest::Method;
use serde_json::{Value, json};

/// The leaves about administration that were not looked at yet.
struct Leaves<'a> {
    node: &'a TestNode,
    after: u64,
}

impl Leaves<'_> {
    /// The documents of those that were written since, the first written first.
    async fn since(&mut self) -> Vec<Value> {
        let after = self.after;
        let read = self.node.app.store.read("test.leaves", move |tx| -> fondaco_core::Result<_> { Ok(tx.evidence_after(after, 200)?) });
        let rows = read.await.expect("the evidence");
        self.after = rows.last().map_or(after, |row| row.seq);
        let told = rows.into_iter().filter(|row| matches!(row.kind, Kind::Administration | Kind::ProductWithdrawn));
        told.map(|row| serde_json::from_str(&row.document.expect("kept")).expect("JSON")).collect()
    }

    /// The one that a call wrote, by the node's own token.
    async fn one(&mut self, method: Method, path: &str, body: Value, status: u16) -> (Value, Value) {
        let body = (method != Method::DELETE).then_some(body);
        let answer = self.node.admin(method, path, Some(&self.node.token), body.as_ref()).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        let mut found = self.since().await;
        assert_eq!(found.len(), 1, "{path}: {found:?}");
        assert_eq!(found[0]["cause"], json!({"by": "person", "token": "made by init"}), "{path}");
        (found.remove(0), if status == 204 { Value::Null } else { answer.json() })
    }

    /// A call that changes nothing.
    async fn none(&mut self, method: Method, path: &str, body: Value) {
        let answer = self.node.admin(method, path, Some(&self.node.token), Some(&body)).await;
        assert!(matches!(answer.status, 200 | 204), "{path}: {}", answer.text());
        assert_eq!(self.since().await, Vec::<Value>::new(), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_says_who_made_it() {
    let node = TestNode::start("alpha").await;
    let mut leaves = Leaves { node: &node, after: 0 };
    assert!(!leaves.since().await.is_empty(), "what init made");
    let (post, put, patch, delete) = (Method::POST, Method::PUT, Method::PATCH, Method::DELETE);

    let hua = json!({"login": "hua", "name": "Hua", "participants": ["alpha"]});
    let (said, _) = leaves.one(post.clone(), "/api/v1/users", hua, 201).await;
    assert_eq!((&said["action"], &said["detail"]["login"]), (&json!("user-added"), &json!("hua")));
    let (said, _) = leaves.one(patch.clone(), "/api/v1/users/hua", json!({"audits": ["alpha"]}), 200).await;
    let became = json!({"login": "hua", "name": "Hua", "admin": false, "participants": [], "audits": ["alpha"]});
    assert_eq!((&said["action"], &said["detail"]), (&json!("user-changed"), &became), "what it came to, not what was asked for");
    leaves.none(patch.clone(), "/api/v1/users/hua", json!({"name": "Hua"})).await;
    let (said, _) = leaves.one(post.clone(), "/api/v1/users/hua/password", json!({}), 200).await;
    assert_eq!(said["action"], "password-set");
    let (said, _) = leaves.one(delete.clone(), "/api/v1/users/hua", Value::Null, 204).await;
    assert_eq!((&said["action"], &said["detail"]["login"]), (&json!("user-removed"), &json!("hua")));

    let (said, made) = leaves.one(post.clone(), &node.api_path("/tokens"), json!({"name": "ci", "scope": "read"}), 201).await;
    assert_eq!((&said["action"], &said["object"]), (&json!("token-made"), &made["id"]));
    let revoke = node.api_path(&format!("/tokens/{}/revoke", made["id"].as_str().expect("an id")));
    let (said, _) = leaves.one(post.clone(), &revoke, json!({}), 200).await;
    assert_eq!((&said["action"], &said["detail"]["name"]), (&json!("token-revoked"), &json!("ci")));
    leaves.none(post.clone(), &revoke, json!({})).await;

    let (said, _) = leaves.one(post.clone(), "/api/v1/participants", json!({"slug": "beta", "name": "Beta"}), 201).await;
    assert_eq!((&said["action"], &said["object"]), (&json!("participant-added"), &json!("beta")));
    let (said, _) = leaves.one(patch.clone(), &node.api_path(""), json!({"name": "Alpha 2", "country": "CN"}), 200).await;
    assert_eq!((&said["action"], &said["detail"]), (&json!("participant-changed"), &json!({"name": "Alpha 2", "country": "CN"})));
    leaves.none(patch, &node.api_path(""), json!({"country": "CN"})).await;

    let rules = json!({"default": {"offered": [{"do": "hold"}]}});
    let (said, _) = leaves.one(put.clone(), &node.api_path("/rules"), rules.clone(), 200).await;
    assert_eq!((&said["action"], &said["detail"]["rules"]), (&json!("rules-set"), &rules));
    leaves.none(put.clone(), &node.api_path("/rules"), rules).await;

    let target = json!({"kind": "s3", "region": "r", "bucket": "b", "pathStyle": true, "accessKeyId": "k"});
    let lake = json!({"target": target, "secret": {"secretAccessKey": "hush"}});
    let (said, _) = leaves.one(put.clone(), &node.api_path("/connections/lake"), lake, 200).await;
    assert_eq!((&said["action"], &said["object"], &said["detail"]["kind"]), (&json!("connection-set"), &json!("lake"), &json!("s3")));
    assert!(!said.to_string().contains("hush"), "{said}");
    let (said, _) = leaves.one(delete, &node.api_path("/connections/lake"), Value::Null, 204).await;
    assert_eq!((&said["action"], &said["object"]), (&json!("connection-removed"), &json!("lake")));

    let product = node.publish("wind", tables::WIND, &[json!({"@type": "Offer", "permission": [{"action": "use"}]})]).await;
    assert_eq!(leaves.since().await, Vec::<Value>::new());
    let offer = product["offers"][0]["id"].as_str().expect("an offer").to_owned();
    let of_offer = node.api_path(&format!("/offers/{offer}/rules"));
    let (said, _) = leaves.one(put.clone(), &of_offer, json!({"requested": [{"do": "hold"}]}), 204).await;
    assert_eq!((&said["action"], &said["object"]), (&json!("offer-rules-set"), &json!(offer)));
    leaves.none(put, &of_offer, json!({"requested": [{"do": "hold"}]})).await;
    let (said, _) = leaves.one(post, &node.api_path("/products/wind/withdraw"), json!({}), 200).await;
    assert_eq!(said["product"], "wind");
    node.shutdown().await;
}
