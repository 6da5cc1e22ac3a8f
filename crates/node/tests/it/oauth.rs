//! OAuth with client credentials at a share: a lasting token becomes one that ends.

use fondaco_testkit::{Share, TestPair, http};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn client_credentials_become_a_token_that_ends() {
    let pair = TestPair::with_wind().await;
    let access = pair.access(&pair.agree("wind").await).await;
    let (id, secret) = (pair.provider_transfer(&access.transfer).await, access.share.token.clone());
    let endpoint = format!("{}/oauth/token", access.share.endpoint);
    let ask = async |id: &str, secret: &str, body: &str| {
        let call = http::client().post(&endpoint).basic_auth(id, Some(secret));
        http::send(call.header("content-type", "application/x-www-form-urlencoded").body(body.to_owned())).await
    };
    let given = ask(&id, &secret, "grant_type=client_credentials").await;
    assert_eq!((given.status, given.header("cache-control")), (200, "no-store"), "{}", given.text());
    let given = given.json();
    assert_eq!((&given["token_type"], &given["expires_in"]), (&json!("Bearer"), &json!(3_600)));
    let token = given["access_token"].as_str().expect("a token").to_owned();
    let share = Share::new(&access.share.endpoint, &token);
    let table = share.call(Method::GET, &format!("{}/metadata", access.table_path()), None).await;
    assert_eq!(table.status, 200, "{}", table.text());
    let (start, mac) = token.rsplit_once('.').expect("parts");
    let (start, end) = start.rsplit_once('.').expect("parts");
    for forged in [format!("{start}.9{end}.{mac}"), format!("{start}.{mac}"), format!("{start}.{end}.{}", mac.to_lowercase())] {
        assert_eq!(Share::new(&access.share.endpoint, &forged).call(Method::GET, "/shares", None).await.status, 401, "{forged}");
    }
    for (id, secret) in [(id.as_str(), "x"), ("trf_other", secret.as_str()), ("", ""), (id.as_str(), token.as_str())] {
        let refused = ask(id, secret, "grant_type=client_credentials").await;
        assert_eq!((refused.status, &refused.json()["error"]), (401, &json!("invalid_client")), "{id}");
    }
    assert_eq!(ask(&id, &secret, "grant_type=password").await.json()["error"], "unsupported_grant_type");
    pair.provider.post(&format!("/transfers/{id}/terminate"), &json!({"reason": "Over."})).await.must(200);
    assert_eq!(share.call(Method::GET, "/shares", None).await.status, 403, "it ends with the transfer");
    assert_eq!(ask(&id, &secret, "grant_type=client_credentials").await.json()["error"], "unauthorized_client");
}
