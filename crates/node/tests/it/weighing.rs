//! What is delivered is weighed, once and to the byte, and no more is delivered than was agreed.

use fondaco_testkit::{Access, TestPair, eventually, file_urls, http, tables};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpSocket,
};

/// An offer of so many bytes.
fn volume(bytes: usize) -> Value {
    json!({"@type": "Offer", "permission": [{"action": "use", "constraint": [{"leftOperand": "volume", "operator": "lteq", "rightOperand": bytes}]}]})
}

async fn usage(pair: &TestPair, agreement: &str) -> Value {
    pair.provider.get(&format!("/agreements/{agreement}")).await.must(200)["usage"].clone()
}

async fn records(pair: &TestPair, agreement: &str) -> Vec<Value> {
    let page = pair.provider.get(&format!("/agreements/{agreement}/usage")).await.must(200);
    page["usage"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn a_file_counts_its_rows_once_for_each_query_and_its_bytes_as_they_go() {
    let pair = TestPair::with_wind().await;
    let agreement = pair.agree("wind").await;
    let access = pair.access(&agreement).await;
    assert_eq!(usage(&pair, &agreement).await, json!({"requests": 0, "rows": 0, "bytes": 0}));
    let url = access.files().await.remove(0);
    let get = async |url: &str, range: &str| access.share.open(Method::GET, url, &[("range", range)]).await;
    let size = access.share.open(Method::HEAD, &url, &[]).await.header("content-length").parse::<usize>().expect("a length");
    assert_eq!(usage(&pair, &agreement).await["requests"], 0, "who looks takes nothing");
    assert_eq!(get(&url, "bytes=0-9").await.status, 206);
    assert_eq!(get(&url, "bytes=0-3,-4").await.status, 206);
    assert_eq!(get(&url, &format!("bytes={size}-")).await.status, 416);
    assert_eq!(access.share.open(Method::GET, &url, &[("if-none-match", "*")]).await.status, 304);
    assert_eq!(access.share.open(Method::GET, &url, &[]).await.status, 200);
    let again = access.files().await.remove(0);
    assert_eq!(access.share.open(Method::GET, &again, &[]).await.status, 200);
    assert_eq!(usage(&pair, &agreement).await, json!({"requests": 4, "rows": 6, "bytes": 18 + 2 * size}));
    let seen: Vec<_> =
        records(&pair, &agreement).await.iter().map(|r| (r["requests"].clone(), r["rows"].clone(), r["bytes"].clone())).collect();
    assert_eq!(seen, [(json!(1), json!(3), json!(size)), (json!(3), json!(3), json!(18 + size))], "newest first");
    let first = pair.provider.get(&format!("/agreements/{agreement}/usage?limit=1")).await.must(200);
    let rest = pair
        .provider
        .get(&format!("/agreements/{agreement}/usage?limit=1&after={}", first["next"].as_str().expect("more")))
        .await
        .must(200);
    assert_eq!((&rest["usage"][0]["requests"], rest.get("next")), (&json!(3), None));
    assert_eq!(pair.provider.get("/agreements/agr_unknown/usage").await.status, 404);
    assert_eq!(pair.consumer.get(&format!("/agreements/{agreement}/usage")).await.must(200)["usage"], json!([]), "its provider weighs");
}

#[tokio::test]
async fn renewed_addresses_belong_to_their_query() {
    let pair = TestPair::with_wind().await;
    let agreement = pair.agree("wind").await;
    let access = pair.access(&agreement).await;
    let mut asked = json!({"includeRefreshToken": true});
    for n in 1..=3 {
        let answer = access.query(&asked).await;
        let url = file_urls(&answer).remove(0);
        assert_eq!(access.share.open(Method::GET, &url, &[]).await.status, 200);
        let end: Value = serde_json::from_str(answer.text().lines().last().expect("an end")).expect("json");
        let token = end["endStreamAction"]["refreshToken"].as_str().expect("a token").to_owned();
        asked = json!({"includeRefreshToken": true, "refreshToken": token});
        assert_eq!(usage(&pair, &agreement).await["requests"], n);
        assert_eq!((usage(&pair, &agreement).await["rows"].clone(), records(&pair, &agreement).await.len()), (json!(3), 1));
    }
    let other = file_urls(&access.query(&json!({})).await).remove(0);
    assert_eq!(access.share.open(Method::GET, &other, &[]).await.status, 200);
    assert_eq!((usage(&pair, &agreement).await["rows"].clone(), records(&pair, &agreement).await.len()), (json!(6), 2));
}

/// The refusal of bytes beyond the limit.
#[track_caller]
fn assert_used_up(answer: &fondaco_testkit::Answer) {
    assert_eq!(answer.status, 403, "{}", answer.text());
    assert!(answer.text().contains("volume"), "{}", answer.text());
}

#[tokio::test]
async fn no_more_bytes_go_out_than_agreed_however_many_ask_at_once() {
    let pair = TestPair::with_wind().await;
    let open = pair.agree("wind").await;
    let size = pair.access(&open).await.bytes().await.len();
    pair.provider.publish("gusts", tables::WIND, &[volume(3 * size)]).await;
    let agreement = pair.agree("gusts").await;
    let access = pair.access(&agreement).await;
    let url = access.files().await.remove(0);
    let answers = futures::future::join_all((0..12).map(|_| access.share.open(Method::GET, &url, &[]))).await;
    let (granted, denied): (Vec<_>, Vec<_>) = answers.iter().partition(|a| a.status == 200);
    assert_eq!(granted.len(), 3);
    denied.into_iter().for_each(assert_used_up);
    assert_eq!(usage(&pair, &agreement).await, json!({"requests": 3, "rows": 3, "bytes": 3 * size, "bytesMax": 3 * size}));
    assert_used_up(&access.query(&json!({})).await);
    assert_used_up(&access.share.open(Method::GET, &url, &[("range", "bytes=0-0")]).await);
}

#[tokio::test]
async fn what_fits_is_given_although_more_was_asked_for() {
    let pair = TestPair::with_wind().await;
    let open = pair.agree("wind").await;
    let size = pair.access(&open).await.bytes().await.len();
    pair.provider.publish("gusts", tables::WIND, &[volume(size - 1)]).await;
    let agreement = pair.agree("gusts").await;
    let access = pair.access(&agreement).await;
    let url = access.files().await.remove(0);
    assert_used_up(&access.share.open(Method::GET, &url, &[]).await);
    assert_eq!(usage(&pair, &agreement).await["bytes"], 0);
    assert_eq!(access.share.open(Method::GET, &url, &[("range", "bytes=1-")]).await.status, 206);
    assert_used_up(&access.share.open(Method::GET, &url, &[("range", "bytes=0-0")]).await);
}

/// Larger than what sockets hold on their way.
const LARGE: usize = 16 * 1024 * 1024;

/// Reads the beginning of an answer, and hangs up.
async fn hang_up(url: &str) {
    let url = url::Url::parse(url).expect("an address");
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(16 * 1024).expect("a small window");
    let address = format!("{}:{}", url.host_str().expect("host"), url.port().expect("port")).parse().expect("an address");
    let mut stream = socket.connect(address).await.expect("connects");
    let request = format!("GET {}?{} HTTP/1.1\r\nhost: x\r\n\r\n", url.path(), url.query().expect("a query"));
    stream.write_all(request.as_bytes()).await.expect("sent");
    stream.read_exact(&mut vec![0; 32 * 1024]).await.expect("a beginning");
}

#[tokio::test]
async fn who_hangs_up_is_charged_for_what_was_sent() {
    let pair = TestPair::start().await;
    let file = tables::write_large(pair.provider.dir(), "large.csv", LARGE);
    let product = pair.provider.publish_file("large", &file, &[volume(3 * LARGE)]).await;
    let size = product["content"]["sizeBytes"].as_u64().expect("a size");
    let agreement = pair.agree("large").await;
    let access: Access = pair.access(&agreement).await;
    let url = file_urls(&access.query(&json!({})).await).remove(0);
    // More often than the volume has room for, were the whole weighed.
    for n in 1..=4 {
        hang_up(&url).await;
        eventually("the rest is given back", async || {
            let used = usage(&pair, &agreement).await;
            let bytes = used["bytes"].as_u64().expect("bytes");
            (used["requests"] == n && bytes > 0 && bytes < n * size / 2).then_some(())
        })
        .await;
    }
    assert_eq!(records(&pair, &agreement).await.len(), 1);
    assert_eq!(usage(&pair, &agreement).await["rows"], product["content"]["rows"], "once");
    assert_eq!(access.share.open(Method::GET, &url, &[]).await.body.len() as u64, size);
}

#[tokio::test]
async fn files_are_weighed_too() {
    let pair = TestPair::start().await;
    let dir = tempfile::tempdir().expect("a folder");
    let path = tables::write(dir.path(), "notes.txt", "0123456789");
    let body = json!({"id": "notes", "title": "Notes", "kind": "files", "paths": [path], "offers": [volume(25)]});
    pair.provider.post("/products", &body).await.must(201);
    let agreement = pair.agree("notes").await;
    let answer = pair.consumer.post(&format!("/agreements/{agreement}/access"), &json!({"waitSeconds": 30})).await.must(200);
    let (endpoint, token) =
        (answer["files"]["endpoint"].as_str().expect("endpoint"), answer["files"]["bearerToken"].as_str().expect("token"));
    let client = http::client();
    let list = http::send(http::request(&client, Method::GET, endpoint, Some(token), None)).await.must(200);
    let url = list["files"][0]["url"].as_str().expect("an address").to_owned();
    let get = async || http::send(http::request(&client, Method::GET, &url, None, None)).await;
    assert_eq!((get().await.status, get().await.status), (200, 200));
    assert_used_up(&get().await);
    assert_eq!(usage(&pair, &agreement).await, json!({"requests": 2, "rows": 0, "bytes": 20, "bytesMax": 25}));
    // With the token alone, for which no listing was counted.
    let address = format!("{endpoint}/data/notes.txt");
    let part = http::request(&client, Method::GET, &address, Some(token), None).header("range", "bytes=0-3");
    assert_eq!(http::send(part).await.status, 206);
    assert_eq!(records(&pair, &agreement).await.len(), 2);
}
