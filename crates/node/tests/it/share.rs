//! Reading what was agreed, and no longer than agreed.

use fondaco_core::time::Micros;
use fondaco_tables::delta_sharing::{FileUrl, sign_file_url};
use fondaco_testkit::{Access, Answer, Options, Share, TestPair, eventually, file_urls, http, lines, tables};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

fn offer(constraint: &Value) -> Value {
    json!({"@type": "Offer", "permission": [{"action": "use", "constraint": [constraint]}]})
}

/// The error code of an answer in the protocol's shape.
#[track_caller]
fn refused(answer: &fondaco_testkit::Answer, status: u16) -> String {
    let body = answer.must(status);
    assert!(body["message"].as_str().is_some_and(|m| !m.is_empty()), "{body}");
    body["errorCode"].as_str().expect("errorCode").to_owned()
}

async fn wind() -> (TestPair, Access) {
    let pair = TestPair::with_wind().await;
    let agreement = pair.agree("wind").await;
    let access = pair.access(&agreement).await;
    (pair, access)
}

#[tokio::test]
async fn a_token_opens_its_own_table_and_nothing_else() {
    let (pair, access) = wind().await;
    pair.provider.publish("storm", tables::WIND_2, &[]).await;
    let storm_agreement = pair.agree("storm").await;
    let storm = pair.access(&storm_agreement).await;
    let names = |answer: &Value| {
        answer["items"].as_array().expect("items").iter().map(|i| i["name"].as_str().expect("name").to_owned()).collect::<Vec<_>>()
    };
    let all = access.share.call(Method::GET, "/shares/provider/all-tables", None).await.must(200);
    assert_eq!(names(&all), ["wind"]);
    let all = storm.share.call(Method::GET, "/shares/provider/schemas/default/tables", None).await.must(200);
    assert_eq!(names(&all), ["storm"]);
    for path in [storm.table_path(), format!("{}/version", storm.table_path()), format!("{}/metadata", storm.table_path())] {
        assert_eq!(refused(&access.share.call(Method::GET, &path, None).await, 404), "RESOURCE_DOES_NOT_EXIST", "{path}");
    }
    let query = format!("{}/query", storm.table_path());
    assert_eq!(refused(&access.share.call(Method::POST, &query, Some(&json!({}))).await, 404), "RESOURCE_DOES_NOT_EXIST");
    for path in ["/shares/consumer", "/shares/provider/schemas/other/tables", "/shares/other/schemas"] {
        assert_eq!(refused(&access.share.call(Method::GET, path, None).await, 404), "RESOURCE_DOES_NOT_EXIST", "{path}");
    }
    assert_eq!(pair.provider.get(&format!("/agreements/{storm_agreement}")).await.must(200)["reads"], 0, "what is refused is not counted");

    // At another participant's share the token is none.
    pair.provider.add_participant("neighbour").await;
    let neighbour = Share::new(&format!("{}/p/neighbour/share", pair.provider.public_url), &access.share.token);
    assert_eq!(refused(&neighbour.call(Method::GET, "/shares", None).await, 401), "UNAUTHENTICATED");
    let (head, mac) = access.share.token.split_once('.').expect("two parts");
    let (_, other_mac) = storm.share.token.split_once('.').expect("two parts");
    for token in ["", "garbage", head, &format!("{head}.{other_mac}"), &format!("{head}.{}", mac.to_lowercase()), &pair.provider.token] {
        let share = Share::new(&access.share.endpoint, token);
        assert_eq!(refused(&share.call(Method::GET, "/shares", None).await, 401), "UNAUTHENTICATED", "{token}");
    }
    let open = access.share.open(Method::GET, &format!("{}/shares", access.share.endpoint), &[]).await;
    assert_eq!(refused(&open, 401), "UNAUTHENTICATED");
}

#[tokio::test]
async fn metadata_and_files_are_told_in_both_formats() {
    let (_pair, access) = wind().await;
    let version = access.share.call(Method::GET, &format!("{}/version", access.table_path()), None).await;
    assert_eq!((version.status, version.header("delta-table-version")), (200, "1"));
    for (format, file, schema) in [
        ("parquet", "/file/numRecords", "/metaData/schemaString"),
        ("delta", "/file/deltaSingleAction", "/metaData/deltaMetadata/schemaString"),
    ] {
        let capabilities = format!("responseformat={format}");
        let headers = [("delta-sharing-capabilities", capabilities.as_str())];
        for (method, path, body) in [(Method::GET, "metadata", None), (Method::POST, "query", Some(json!({})))] {
            let answer = access.share.call_with(method, &format!("{}/{path}", access.table_path()), &headers, body.as_ref()).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert!(answer.header("content-type").starts_with("application/x-ndjson"), "{}", answer.header("content-type"));
            assert!(answer.header("delta-sharing-capabilities").contains(&format!("responseformat={format}")), "{format}");
            assert_eq!(answer.header("delta-table-version"), "1");
            let lines: Vec<Value> = answer.text().lines().map(|l| serde_json::from_str(l).expect("NDJSON")).collect();
            assert!(lines[0].get("protocol").is_some());
            let schema: Value = serde_json::from_str(lines[1].pointer(schema).and_then(Value::as_str).expect("a schema")).expect("JSON");
            let columns: Vec<&str> =
                schema["fields"].as_array().expect("fields").iter().map(|f| f["name"].as_str().expect("name")).collect();
            assert_eq!(columns, ["hour", "station", "wind_m_s"]);
            assert_eq!(lines.len(), if path == "query" { 3 } else { 2 });
            if path == "query" {
                assert!(lines[2].pointer(file).is_some() || format == "parquet", "{}", lines[2]);
                assert!(lines[2]["file"].is_object(), "{}", lines[2]);
            }
        }
    }
}

#[tokio::test]
async fn lists_are_paged() {
    let (_pair, access) = wind().await;
    for path in ["/shares", "/shares/provider/schemas", "/shares/provider/schemas/default/tables", "/shares/provider/all-tables"] {
        let one = access.share.call(Method::GET, &format!("{path}?maxResults=1"), None).await.must(200);
        assert_eq!(one["items"].as_array().map(Vec::len), Some(1), "{path}: {one}");
        assert!(one.get("nextPageToken").is_none_or(|t| t == ""), "{path}: {one}");
        for wrong in ["maxResults=-1", "maxResults=many", "pageToken=garbage"] {
            assert_eq!(
                refused(&access.share.call(Method::GET, &format!("{path}?{wrong}"), None).await, 400),
                "INVALID_PARAMETER_VALUE",
                "{path}?{wrong}"
            );
        }
    }
}

#[tokio::test]
async fn files_of_an_answer_are_paged() {
    let pair = TestPair::start().await;
    let folder = pair.provider.dir().join("parts");
    std::fs::create_dir(&folder).expect("a folder");
    for part in 0..3 {
        tables::write(&folder, &format!("part-{part}.csv"), tables::WIND);
    }
    let product = pair.provider.publish_file("wind", &folder, &[]).await;
    let files = product["content"]["files"].as_array().expect("files").len();
    let agreement = pair.agree("wind").await;
    let access = pair.access(&agreement).await;
    assert_eq!(access.files().await.len(), files);
    if files > 1 {
        let page = access.query(&json!({"maxFiles": 1})).await;
        assert_eq!(page.text().matches("\"url\"").count(), 1, "{}", page.text());
    }
    assert_eq!(refused(&access.query(&json!({"maxFiles": 0})).await, 400), "INVALID_PARAMETER_VALUE");
    assert_eq!(refused(&access.query(&json!({"version": 9})).await, 400), "UNSUPPORTED_OPERATION");
    assert_eq!(refused(&access.query(&json!({"limitHint": "ten"})).await, 400), "INVALID_PARAMETER_VALUE");
    assert_eq!(refused(&access.query(&json!({"timestamp": "2020-01-01T00:00:00Z"})).await, 400), "UNSUPPORTED_OPERATION");
}

#[tokio::test]
async fn every_kind_of_range_is_answered_exactly() {
    let (_pair, access) = wind().await;
    let url = access.files().await.remove(0);
    let get = async |headers: &[(&str, &str)]| access.share.open(Method::GET, &url, headers).await;
    let whole = get(&[]).await;
    let (size, bytes) = (whole.body.len(), whole.body.clone());
    assert_eq!((whole.status, whole.header("accept-ranges")), (200, "bytes"));
    assert_eq!(whole.header("content-length"), size.to_string());
    let etag = whole.header("etag").to_owned();
    assert!(etag.starts_with('"') && etag.len() == 66, "{etag}");

    let head = access.share.open(Method::HEAD, &url, &[]).await;
    assert_eq!(
        (head.status, head.header("etag"), head.header("content-length"), head.body.len()),
        (200, etag.as_str(), size.to_string().as_str(), 0)
    );

    let last = size - 1;
    for (range, start, end) in [
        ("bytes=0-3".to_owned(), 0, 3),
        ("bytes=4-4".to_owned(), 4, 4),
        (format!("bytes={}-", size - 8), size - 8, last),
        ("bytes=-8".to_owned(), size - 8, last),
        (format!("bytes=-{}", size * 2), 0, last),
        (format!("bytes=5-{}", size * 2), 5, last),
        ("bytes=0-".to_owned(), 0, last),
    ] {
        let part = get(&[("range", &range)]).await;
        assert_eq!(part.status, 206, "{range}");
        assert_eq!(part.header("content-range"), format!("bytes {start}-{end}/{size}"), "{range}");
        assert_eq!(part.header("content-length"), (end - start + 1).to_string(), "{range}");
        assert_eq!(part.body, bytes.slice(start..=end), "{range}");
    }
    for range in [format!("bytes={size}-"), "bytes=-0".to_owned()] {
        let none = get(&[("range", &range)]).await;
        assert_eq!((none.status, none.header("content-range")), (416, format!("bytes */{size}").as_str()), "{range}");
    }
    for range in ["bytes=x-y", "lines=0-3", "bytes=9-3", "bytes"] {
        assert_eq!(get(&[("range", range)]).await.status, 200, "{range}");
    }
    let several = get(&[("range", "bytes=0-3,-4")]).await;
    assert_eq!(several.status, 206);
    assert!(several.header("content-type").starts_with("multipart/byteranges; boundary="), "{}", several.header("content-type"));
    assert_eq!(several.header("content-length"), several.body.len().to_string());
    let text = several.text();
    assert_eq!(text.matches("PAR1").count(), 2, "{text}");
    assert!(text.contains(&format!("bytes 0-3/{size}")) && text.contains(&format!("bytes {}-{last}/{size}", size - 4)), "{text}");

    let unchanged = get(&[("if-none-match", &etag)]).await;
    assert_eq!((unchanged.status, unchanged.body.len()), (304, 0));
    assert_eq!(get(&[("if-none-match", "\"other\"")]).await.status, 200);
    assert_eq!(get(&[("if-match", &etag)]).await.status, 200);
    assert_eq!(get(&[("if-match", "\"other\"")]).await.status, 412);
    assert_eq!(get(&[("range", "bytes=0-3"), ("if-range", &etag)]).await.status, 206);
    assert_eq!(get(&[("range", "bytes=0-3"), ("if-range", "\"other\"")]).await.status, 200);
}

#[tokio::test]
async fn an_address_that_was_changed_or_is_over_is_refused() {
    let (pair, access) = wind().await;
    pair.provider.publish("storm", tables::WIND_2, &[]).await;
    let storm = pair.access(&pair.agree("storm").await).await;
    let url = url::Url::parse(&access.files().await.remove(0)).expect("an address");
    let other = url::Url::parse(&storm.files().await.remove(0)).expect("an address");
    let open = async |url: &str| access.share.open(Method::GET, url, &[]).await;
    assert_eq!(open(url.as_str()).await.status, 200);
    let base = url.as_str().split('?').next().expect("a path");
    let mut forged = vec![
        base.to_owned(),
        format!("{base}?{}", other.query().expect("a query")),
        format!("{}?{}", other.path(), url.query().expect("a query")),
    ];
    forged[2] = format!("{}{}", pair.provider.public_url, forged[2]);
    for (key, value) in url.query_pairs() {
        let mut changed = url.clone();
        changed.query_pairs_mut().clear();
        let bump = if value.bytes().all(|b| b.is_ascii_digit()) { format!("9{value}") } else { format!("{value}x") };
        for (k, v) in url.query_pairs() {
            changed.query_pairs_mut().append_pair(&k, if k == key { &bump } else { &v });
        }
        forged.push(changed.to_string());
    }
    for url in forged {
        let answer = open(&url).await;
        assert_eq!(refused(&answer, 403), "PERMISSION_DENIED", "{url}");
        assert!(answer.text().contains("FDC-1003"), "{url}: {}", answer.text());
    }
    // An address as the node makes it, a millisecond too old.
    let transfer = pair.provider_transfer(&access.transfer).await;
    let file = url.path_segments().expect("a path").next_back().expect("a file").to_owned();
    let now = pair.provider.app.now().as_millis();
    let key = pair.provider.app.sealer.derive("file-urls");
    for (expires_at_ms, status) in [(now - 1, 403), (now + 60_000, 200)] {
        let grant = FileUrl { transfer: format!("{transfer}/1"), file: file.clone(), query_id: "q".into(), expires_at_ms };
        assert_eq!(open(&sign_file_url(base, &grant, key.as_ref())).await.status, status);
    }
}

/// Whatever closes access closes it for the token and for addresses given out before.
async fn assert_closed(access: &Access, url: &str) {
    for (method, path) in [
        (Method::GET, "/shares".to_owned()),
        (Method::GET, format!("{}/metadata", access.table_path())),
        (Method::POST, format!("{}/query", access.table_path())),
    ] {
        let body = (method == Method::POST).then(|| json!({}));
        assert_eq!(refused(&access.share.call(method, &path, body.as_ref()).await, 403), "PERMISSION_DENIED", "{path}");
    }
    for method in [Method::GET, Method::HEAD] {
        assert_eq!(access.share.open(method, url, &[("range", "bytes=0-3")]).await.status, 403);
    }
}

#[tokio::test]
async fn suspension_closes_access_and_resumption_opens_it() {
    let (pair, access) = wind().await;
    let url = access.files().await.remove(0);
    let transfer = pair.provider_transfer(&access.transfer).await;
    for (node, own, other, peer) in
        [(&pair.provider, &transfer, &pair.consumer, &access.transfer), (&pair.consumer, &access.transfer, &pair.provider, &transfer)]
    {
        node.post(&format!("/transfers/{own}/suspend"), &json!({"reason": "Counting."})).await.must(200);
        let suspended = other.reaches("transfers", peer, "SUSPENDED").await;
        assert_eq!(suspended["ending"]["reasons"], json!(["Counting."]));
        assert_closed(&access, &url).await;
        // The other side cannot undo it.
        assert_eq!(other.post(&format!("/transfers/{peer}/resume"), &json!({})).await.refused(400), "FDC-3001");
        node.post(&format!("/transfers/{own}/resume"), &json!({})).await.must(200);
        other.reaches("transfers", peer, "STARTED").await;
        assert_eq!(access.share.open(Method::GET, &url, &[]).await.status, 200);
    }
    pair.consumer.post(&format!("/transfers/{}/complete", access.transfer), &json!({})).await.must(200);
    pair.provider.reaches("transfers", &transfer, "COMPLETED").await;
    assert_closed(&access, &url).await;
    for step in ["resume", "suspend", "complete", "terminate"] {
        assert_eq!(pair.provider.post(&format!("/transfers/{transfer}/{step}"), &json!({})).await.refused(400), "FDC-3001", "{step}");
    }
}

#[tokio::test]
async fn either_side_may_terminate_and_the_agreement_may_be_used_again() {
    let (pair, _) = wind().await;
    let agreement = pair.agree("wind").await;
    for by_provider in [true, false] {
        let access = pair.access(&agreement).await;
        let url = access.files().await.remove(0);
        let transfer = pair.provider_transfer(&access.transfer).await;
        let (node, own) = if by_provider { (&pair.provider, &transfer) } else { (&pair.consumer, &access.transfer) };
        node.post(&format!("/transfers/{own}/terminate"), &json!({"reason": "Enough."})).await.must(200);
        pair.provider.reaches("transfers", &transfer, "TERMINATED").await;
        pair.consumer.reaches("transfers", &access.transfer, "TERMINATED").await;
        assert_closed(&access, &url).await;
    }
    assert!(!pair.access(&agreement).await.files().await.is_empty(), "a new transfer opens access again");
}

#[tokio::test]
async fn an_ended_agreement_closes_all_its_transfers_for_good() {
    let pair = TestPair::start().await;
    let at_once = offer(&json!({"leftOperand": "noticePeriod", "operator": "eq", "rightOperand": "P0D"}));
    pair.provider.publish("wind", tables::WIND, &[at_once]).await;
    let agreement = pair.agree("wind").await;
    let access = pair.access(&agreement).await;
    let url = access.files().await.remove(0);
    let ended = pair.provider.post(&format!("/agreements/{agreement}/end"), &json!({"reason": "Sold."})).await.must(200);
    assert_eq!((&ended["state"], &ended["endReason"]), (&json!("ended"), &json!("Sold.")));
    assert_closed(&access, &url).await;
    let told = pair.consumer.reaches("transfers", &access.transfer, "TERMINATED").await;
    assert_eq!(told["ending"]["reasons"][1], "Sold.", "{told}");
    assert_eq!(pair.provider.post(&format!("/agreements/{agreement}/end"), &json!({})).await.refused(409), "FDC-1005");
    // A new transfer is refused by the provider, and the consumer learns why.
    let again = pair.consumer.post(&format!("/agreements/{agreement}/access"), &json!({"waitSeconds": 30})).await;
    assert_eq!(again.refused(403), "FDC-3005");
    assert!(again.text().contains("ended"), "{}", again.text());
}

#[tokio::test]
async fn ten_reads_are_ten_reads_however_many_ask_at_once() {
    let pair = TestPair::start().await;
    let limit = offer(&json!({"leftOperand": "count", "operator": "lteq", "rightOperand": 10}));
    pair.provider.publish("wind", tables::WIND, &[limit]).await;
    let agreement = pair.agree("wind").await;
    let access = pair.access(&agreement).await;
    // A query that cannot be answered is not a read.
    assert_eq!(access.query(&json!({"limitHint": -1})).await.status, 400);
    assert_eq!(access.query(&json!({"version": 9})).await.status, 400);
    let nothing = json!({});
    let answers = futures::future::join_all((0..50).map(|_| access.query(&nothing))).await;
    let (granted, denied): (Vec<_>, Vec<_>) = answers.iter().partition(|a| a.status == 200);
    assert_eq!((granted.len(), denied.len()), (10, 40));
    for answer in denied {
        assert_eq!(refused(answer, 403), "PERMISSION_DENIED");
        assert!(answer.text().contains("All 10 agreed reads are used."), "{}", answer.text());
    }
    // What was counted may still be fetched, to its end and again.
    let url = file_urls(granted[9]).remove(0);
    for _ in 0..3 {
        assert_eq!(access.share.open(Method::GET, &url, &[]).await.status, 200);
    }
    let seen = pair.provider.get(&format!("/agreements/{agreement}")).await.must(200);
    assert_eq!((&seen["reads"], &seen["readsMax"]), (&json!(10), &json!(10)));
}

/// A slow reader: a small window, and it reads when it is told to.
struct Slow {
    stream: TcpStream,
    announced: usize,
    read: usize,
}

impl Slow {
    async fn open(url: &str) -> Self {
        let url = url::Url::parse(url).expect("an address");
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(16 * 1024).expect("a small window");
        let addr = format!("{}:{}", url.host_str().expect("host"), url.port().expect("port")).parse().expect("an address");
        let mut stream = socket.connect(addr).await.expect("connects");
        let request = format!("GET {}?{} HTTP/1.1\r\nhost: x\r\n\r\n", url.path(), url.query().expect("a query"));
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a head"));
        }
        let head = String::from_utf8(head).expect("text").to_lowercase();
        assert!(head.starts_with("http/1.1 200"), "{head}");
        let announced = head.lines().find_map(|l| l.strip_prefix("content-length: ")).expect("a length").trim().parse().expect("a number");
        Self { stream, announced, read: 0 }
    }

    /// Reads some; false at the end.
    async fn some(&mut self, bytes: usize) -> bool {
        let mut buffer = vec![0; bytes];
        match self.stream.read(&mut buffer).await {
            Ok(0) | Err(_) => false,
            Ok(n) => {
                self.read += n;
                true
            }
        }
    }

    /// Reads to the end of the connection.
    async fn rest(&mut self) {
        let to_the_end = async { while self.some(64 * 1024).await {} };
        tokio::time::timeout(fondaco_testkit::PATIENCE, to_the_end).await.expect("the connection ends");
    }
}

/// Larger than what sockets hold on their way.
const LARGE: usize = 16 * 1024 * 1024;

#[tokio::test]
async fn what_flows_stops_short_when_access_ends() {
    let pair = TestPair::start().await;
    let file = tables::write_large(pair.provider.dir(), "large.csv", LARGE);
    pair.provider.publish_file("large", &file, &[]).await;
    for (step, kind) in [("suspend", "transfers"), ("terminate", "transfers"), ("stop", "agreements")] {
        let agreement = pair.agree("large").await;
        let access = pair.access(&agreement).await;
        let url = access.files().await.remove(0);
        let mut slow = Slow::open(&url).await;
        assert!(slow.announced >= LARGE, "{} bytes", slow.announced);
        assert!(slow.some(32 * 1024).await);
        let id = if kind == "transfers" { pair.provider_transfer(&access.transfer).await } else { agreement };
        pair.provider.post(&format!("/{kind}/{id}/{step}"), &json!({"reason": "A drill."})).await.must(200);
        slow.rest().await;
        assert!(slow.read < slow.announced, "{step}: all {} bytes came", slow.read);
    }
    // Undisturbed, all of it comes.
    let access = pair.access(&pair.agree("large").await).await;
    let mut slow = Slow::open(&access.files().await.remove(0)).await;
    while slow.read < slow.announced {
        assert!(slow.some(1024 * 1024).await, "{} of {}", slow.read, slow.announced);
    }
}

#[tokio::test]
async fn access_ends_by_itself_at_the_agreed_time() {
    let pair = TestPair::start().await;
    let file = tables::write_large(pair.provider.dir(), "large.csv", LARGE);
    let first = pair.provider.publish_file("large", &file, &[]).await;
    assert_eq!(first["version"], 1);
    // Long enough to make the deal under load, short enough to wait for.
    let until = pair.provider.app.now().plus(Micros::from_secs(4));
    let ends = offer(&json!({"leftOperand": "dateTime", "operator": "lt", "rightOperand": until}));
    let product = pair.provider.add_offer_with_rules("large", ends, json!({})).await;
    let id = pair.begin_with(json!({"product": "large", "offer": product})).await;
    let done = pair.consumer.settled(&id).await;
    assert_eq!(done["state"], "FINALIZED", "{done}");
    let agreement = done["agreementId"].as_str().expect("an agreement");
    let access = pair.access(agreement).await;
    let url = access.files().await.remove(0);
    assert!(pair.provider.app.now() < until, "the machine is too slow for this test");
    let mut slow = Slow::open(&url).await;
    assert!(slow.some(32 * 1024).await);
    // The provider's node ends the transfer without being asked, and says why.
    let ended = pair.consumer.reaches("transfers", &access.transfer, "TERMINATED").await;
    assert!(pair.provider.app.now() >= until);
    assert_eq!((&ended["ending"]["by"], &ended["ending"]["code"]), (&json!("provider"), &json!("FDC-3004")), "{ended}");
    assert!(ended["ending"]["reasons"][0].as_str().is_some_and(|r| r.contains("(dateTime)")), "{ended}");
    slow.rest().await;
    assert!(slow.read < slow.announced, "all {} bytes came", slow.read);
    assert_closed(&access, &url).await;
    let again = pair.consumer.post(&format!("/agreements/{agreement}/access"), &json!({"waitSeconds": 30})).await;
    assert_eq!(again.refused(403), "FDC-3005");
}

#[tokio::test]
async fn elapsed_time_counts_from_the_agreement() {
    let pair = TestPair::start().await;
    let offer = offer(&json!({"leftOperand": "elapsedTime", "operator": "lteq", "rightOperand": "PT3S"}));
    pair.provider.publish("wind", tables::WIND, &[offer]).await;
    let agreement = pair.agree("wind").await;
    let access = pair.access(&agreement).await;
    assert_eq!(access.query(&json!({})).await.status, 200);
    let ended = pair.consumer.reaches("transfers", &access.transfer, "TERMINATED").await;
    assert!(ended["ending"]["reasons"][0].as_str().is_some_and(|r| r.contains("(elapsedTime)")), "{ended}");
    assert_eq!(refused(&access.query(&json!({})).await, 403), "PERMISSION_DENIED");
}

#[tokio::test]
async fn a_damaged_file_is_not_served() {
    let (pair, access) = wind().await;
    let url = access.files().await.remove(0);
    let data = pair.provider.dir().join("data");
    let mut found = Vec::new();
    let mut folders = vec![data];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    assert_eq!(found.len(), 1, "{found:?}");
    let whole = std::fs::read(&found[0]).expect("read");
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for damaged in [b"PAR1".to_vec(), flipped] {
        std::fs::write(&found[0], damaged).expect("damaged");
        for _ in 0..2 {
            let answer = access.share.open(Method::GET, &url, &[("range", "bytes=0-3")]).await;
            assert_eq!(refused(&answer, 500), "INTERNAL_ERROR");
            assert!(!answer.text().contains("data/"), "no path of ours: {}", answer.text());
        }
    }
    let slug = pair.provider.slug.clone();
    let told = pair.provider.app.store.read("test.events", move |tx| tx.events_of(&slug, "product:wind", 0, 100)).await.expect("events");
    let told: Vec<_> = told.into_iter().filter(|e| e.kind == "product.damaged").collect();
    assert_eq!(told.len(), 2, "once per change: {told:?}");
    // Put back, it is hashed again and served.
    std::fs::write(&found[0], whole).expect("restored");
    assert_eq!(access.share.open(Method::GET, &url, &[]).await.status, 200);
}

#[tokio::test]
async fn other_methods_and_paths_are_not_endpoints() {
    let (_pair, access) = wind().await;
    assert_eq!(refused(&access.share.call(Method::GET, "/nothing", None).await, 404), "RESOURCE_DOES_NOT_EXIST");
    let changes = access.share.call(Method::GET, &format!("{}/changes?startingVersion=0", access.table_path()), None).await;
    assert_eq!(changes.status, 400, "{}", changes.text());
    let large = vec![b' '; 1024 * 1024 + 2];
    let url = format!("{}{}/query", access.share.endpoint, access.table_path());
    let answer = http::send(http::client().post(url).bearer_auth(&access.share.token).body(large)).await;
    assert!(
        refused(&answer, answer.status).starts_with("INVALID_PARAMETER_VALUE") && matches!(answer.status, 400 | 413),
        "{}",
        answer.text()
    );
    assert_eq!(access.query(&json!({})).await.status, 200);
}

/// Polls a query until it is answered.
async fn polled(access: &Access, id: &str, body: &Value) -> Answer {
    let path = format!("{}/queries/{id}", access.table_path());
    eventually("an answer", || async {
        let answer = access.share.call(Method::POST, &path, Some(body)).await;
        (answer.status != 200 || !answer.text().contains("\"pending\"")).then_some(answer)
    })
    .await
}

#[tokio::test]
async fn a_query_that_takes_long_is_answered_later() {
    let pair = TestPair::of(Options::from("provider").async_bytes(1), "consumer").await;
    let terms = json!({"@type": "Offer", "permission": [{"action": "use", "constraint": [
        {"leftOperand": "mask", "operator": "eq", "rightOperand": "hash(station)"}, {"leftOperand": "count", "operator": "lteq", "rightOperand": 2}]}]});
    pair.provider.publish("wind", tables::WIND, std::slice::from_ref(&terms)).await;
    let agreement = pair.agree("wind").await;
    let access = pair.access(&agreement).await;
    let reads = async || pair.provider.get(&format!("/agreements/{agreement}")).await.must(200)["reads"].clone();
    let submit = async |access: &Access, body: &Value| {
        let headers = [("delta-sharing-capabilities", "asyncquery=true;responseformat=parquet"), ("fileidhash", "parquet")];
        access.share.call_with(Method::POST, &format!("{}/query", access.table_path()), &headers, Some(body)).await
    };
    let body = json!({"idempotencyKey": "k1"});
    let submitted = submit(&access, &body).await;
    assert_eq!(submitted.status, 200, "{}", submitted.text());
    // Deviation: the version is told although there is no answer yet.
    let told = |a: &Answer| ["delta-sharing-capabilities", "fileidhash", "delta-table-version"].map(|name| a.header(name).to_owned());
    assert_eq!(told(&submitted), ["asyncquery=true", "parquet", "1"].map(str::to_owned));
    let [line] = &lines(&submitted)[..] else { panic!("one line: {}", submitted.text()) };
    assert_eq!(line["queryStatus"]["status"], "pending");
    let id = line["queryStatus"]["queryId"].as_str().expect("an id").to_owned();
    // The same submission is the same query, and counts once, also when it is ready.
    let again = |answer: &Answer| lines(answer)[0]["queryStatus"]["queryId"].as_str().map(str::to_owned);
    assert_eq!(again(&submit(&access, &body).await), Some(id.clone()));
    let answer = polled(&access, &id, &json!({})).await;
    assert_eq!((answer.status, lines(&answer).len(), answer.header("delta-table-version")), (200, 3, "1"), "{}", answer.text());
    assert_eq!(again(&submit(&access, &body).await), Some(id.clone()));
    let url = lines(&answer)[2]["file"]["url"].as_str().expect("an address").to_owned();
    assert!(url.contains(&id), "what is delivered counts once for the query: {url}");
    assert_eq!(access.share.open(Method::GET, &url, &[]).await.status, 200);
    assert_eq!(reads().await, 1);
    // Nothing has to be written any more, so that the next is answered at once.
    let now = submit(&access, &json!({})).await;
    assert_eq!((lines(&now).len(), now.header("delta-sharing-capabilities")), (3, "responseformat=parquet"), "{}", now.text());
    assert_eq!(lines(&now)[2]["file"]["id"], lines(&answer)[2]["file"]["id"]);
    // Nobody else's token knows it, nor another table's, nor does anything else know it by another id.
    let other = pair.access(&pair.agree("wind").await).await;
    for (access, id) in [(&other, id.as_str()), (&access, "no-such-query"), (&access, &id[1..])] {
        let refused = polled(access, id, &json!({})).await;
        assert_eq!((refused.status, refused.text().contains("Submit it again")), (404, true), "{}", refused.text());
    }
    // Both reads are used: a further one is not begun, here or there.
    let used_up = submit(&access, &json!({"idempotencyKey": "k2"})).await;
    assert_eq!((used_up.status, reads().await), (403, json!(2)), "{}", used_up.text());
    // A token that has ended polls nothing.
    let transfer = pair.provider_transfer(&access.transfer).await;
    pair.provider.post(&format!("/transfers/{transfer}/suspend"), &json!({"reason": "stop"})).await;
    assert_eq!(polled(&access, &id, &json!({})).await.status, 403);
    // Bad bodies, and hints that cannot be, are refused before anything is begun.
    let wrong = submit(&other, &json!({"maxFiles": 0})).await;
    assert_eq!(wrong.status, 400, "{}", wrong.text());
    let wrong = submit(&other, &json!({"version": 7})).await;
    assert_eq!(wrong.status, 400, "{}", wrong.text());
}

#[tokio::test]
async fn files_are_a_volume_of_open_sharing() {
    let pair = TestPair::with_wind().await;
    let folder = tempfile::tempdir().expect("a folder");
    tables::write(folder.path(), "plan.txt", "north");
    let body = json!({"id": "plans", "title": "Plans", "kind": "files", "paths": [folder.path()]});
    pair.provider.post("/products", &body).await.must(201);
    let agreement = pair.agree("plans").await;
    let access = pair.consumer.post(&format!("/agreements/{agreement}/access"), &json!({"waitSeconds": 30})).await.must(200);
    let (list, token) =
        (access["files"]["endpoint"].as_str().expect("an address"), access["files"]["bearerToken"].as_str().expect("a token"));
    let share = Share::new(&format!("{}/p/provider/share", pair.provider.public_url), token);
    let get = async |share: &Share, path: &str| share.call(Method::GET, path, None).await;
    let volume = get(&share, "/shares/provider/schemas/default/volumes/Plans").await;
    let body = volume.must(200);
    assert_eq!(volume.header("content-type"), "application/json; charset=utf-8");
    // Deviation: our own mode of access, and the list of files as the storage location.
    assert_eq!((&body["name"], &body["accessModes"], &body["storageLocation"]), (&json!("plans"), &json!(["url"]), &json!(list)));
    for path in ["/shares/provider/all-volumes", "/shares/provider/schemas/default/volumes"] {
        assert_eq!(get(&share, path).await.must(200), json!({"items": [body]}));
    }
    assert_eq!(get(&share, "/shares").await.must(200)["items"][0]["id"], body["shareId"]);
    assert_eq!(get(&share, "/shares/provider/all-tables").await.must(200), json!({"items": []}));
    assert_eq!(get(&share, "/shares/provider/all-volumes?maxResults=-1").await.status, 400);
    let credentials = "/shares/provider/schemas/default/volumes/plans/temporary-volume-credentials";
    let refusal = share.call(Method::POST, credentials, None).await;
    assert_eq!(refused(&refusal, 400), "INVALID_PARAMETER_VALUE");
    assert!(refusal.text().contains(list), "it says what to do: {}", refusal.text());
    let listed = share.open(Method::GET, list, &[("authorization", &format!("Bearer {token}")), ("accept", "application/json")]).await;
    assert!(listed.status == 200 && listed.text().contains("plan.txt"), "{}", listed.text());
    for missing in [
        "/shares/provider/schemas/default/volumes/other",
        "/shares/provider/schemas/x/volumes/plans",
        "/shares/provider/schemas/default/tables/plans/metadata",
    ] {
        assert_eq!(get(&share, missing).await.status, 404, "{missing}");
    }
    // Under a table's token there is no volume.
    let table = pair.access(&pair.agree("wind").await).await.share;
    assert_eq!(get(&table, "/shares/provider/all-volumes").await.must(200), json!({"items": []}));
    assert_eq!(get(&table, "/shares/provider/schemas/default/volumes/wind").await.status, 404);
    assert_eq!(table.call(Method::POST, &credentials.replace("plans", "wind"), None).await.status, 404);
    assert_eq!(get(&table, "/shares/provider/all-tables").await.must(200)["items"][0]["name"], "wind");
}
