//! Tables of which agreements show a part: nothing that is hidden is in anything that is served.

use fondaco_core::product::ProductRef;
use fondaco_tables::delta_sharing::{FileUrl, sign_file_url};
use fondaco_testkit::{Access, Answer, TestPair, lines, tables};
use reqwest::Method;
use serde_json::{Value, json};

/// Two sites, a column whose name is a secret, and values that are.
const STAFF: &str = "id,site,wage_hidden,temperature,badge\n\
    1,Suzhou,PLANTED-11,20.5,holder-ann\n\
    2,Hefei,PLANTED-22,21.5,holder-bob\n\
    3,Suzhou,PLANTED-33,19.5,holder-cem\n\
    4,Hefei,PLANTED-44,18.5,holder-dee\n\
    5,Suzhou,PLANTED-55,,holder-ann\n";

fn c(left: &str, op: &str, right: impl Into<Value>) -> Value {
    json!({"leftOperand": left, "operator": op, "rightOperand": right.into()})
}

fn offer(constraints: &[Value]) -> Value {
    json!({"@type": "Offer", "permission": [{"action": "use", "constraint": constraints}]})
}

/// No planted secret in it.
#[track_caller]
fn assert_clean(what: &str, bytes: &[u8]) {
    for secret in ["wage_hidden", "PLANTED"] {
        let found = bytes.windows(secret.len()).any(|w| w.eq_ignore_ascii_case(secret.as_bytes()));
        assert!(!found, "{secret} in {what}: {}", String::from_utf8_lossy(bytes));
    }
}

/// What a consumer makes of the bytes of a file: it publishes them on its own node, which reads all of them.
async fn read(pair: &TestPair, id: &str, bytes: &[u8]) -> Value {
    let path = pair.consumer.dir().join(format!("{id}.parquet"));
    std::fs::write(&path, bytes).expect("written");
    pair.consumer.publish_file(id, &path, &[]).await["content"].clone()
}

fn columns(content: &Value) -> Vec<&str> {
    content["schema"]["columns"].as_array().expect("columns").iter().map(|c| c["name"].as_str().expect("name")).collect()
}

/// The file of the answer to a query, and its address.
fn the_file(answer: &Answer) -> (Value, String) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_clean("a query's answer", &answer.body);
    let files: Vec<Value> = lines(answer).into_iter().filter(|l| l.get("file").is_some()).collect();
    let [file] = &files[..] else { panic!("one file: {}", answer.text()) };
    let file = file["file"].clone();
    let url = file["url"].as_str().or_else(|| file["deltaSingleAction"]["add"]["path"].as_str()).expect("an address").to_owned();
    (file, url)
}

async fn deal(pair: &TestPair, id: &str, constraints: &[Value]) -> (String, Access) {
    pair.provider.publish(id, STAFF, &[offer(constraints)]).await;
    let agreement = pair.agree(id).await;
    let access = pair.access(&agreement).await;
    (agreement, access)
}

#[tokio::test]
async fn columns_that_are_hidden_are_nowhere() {
    let pair = TestPair::start().await;
    let shown = c("fields", "isAnyOf", json!(["id", "site", "temperature"]));
    let (agreement, access) = deal(&pair, "staff", &[shown]).await;
    let catalogue = pair.consumer.post("/catalog", &json!({"peer": pair.provider.did})).await;
    assert_clean("the catalogue", &catalogue.body);
    assert!(catalogue.text().contains("temperature"), "{}", catalogue.text());
    for (method, path) in [(Method::GET, "metadata"), (Method::GET, "version"), (Method::POST, "query")] {
        for format in ["parquet", "delta"] {
            let headers = [("delta-sharing-capabilities", format!("responseformat={format};includeendstreamaction=true"))];
            let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
            let body =
                (method == Method::POST).then(|| json!({"includeRefreshToken": true, "predicateHints": ["wage_hidden = 'PLANTED-11'"]}));
            let answer = access.share.call_with(method.clone(), &format!("{}/{path}", access.table_path()), &headers, body.as_ref()).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_clean(path, &answer.body);
            assert!(!answer.text().contains("numFiles"), "{}", answer.text());
            if path == "query" {
                the_file(&answer);
            }
        }
    }
    let croissant = access.share.call(Method::GET, "/croissant.json", None).await;
    assert_eq!(croissant.status, 200, "{}", croissant.text());
    assert_clean("croissant.json", &croissant.body);
    assert!(croissant.text().contains("temperature"), "{}", croissant.text());

    let (file, url) = the_file(&access.query(&json!({})).await);
    let get = async |headers: &[(&str, &str)]| access.share.open(Method::GET, &url, headers).await;
    let whole = get(&[]).await;
    assert_eq!(whole.status, 200, "{}", whole.text());
    assert_clean("the file", &whole.body);
    let size = whole.body.len();
    assert_eq!((file["size"].as_u64(), whole.header("content-length")), (Some(size as u64), size.to_string().as_str()));
    for (range, from, to) in [("bytes=0-3", 0, 4), ("bytes=-4", size - 4, size), ("bytes=1-90", 1, 91.min(size)), ("bytes=5-", 5, size)] {
        let part = get(&[("range", range)]).await;
        assert_eq!((part.status, &part.body), (206, &whole.body.slice(from..to)), "{range}");
    }
    let head = access.share.open(Method::HEAD, &url, &[]).await;
    assert_eq!((head.status, head.header("content-length"), head.header("accept-ranges")), (200, size.to_string().as_str(), "bytes"));
    let etag = whole.header("etag");
    assert_eq!(etag, format!("\"{}\"", file["id"].as_str().expect("an id")));
    assert_eq!(get(&[("if-none-match", etag)]).await.status, 304);
    assert_eq!(get(&[("range", &format!("bytes={size}-"))]).await.status, 416);
    let several = get(&[("range", "bytes=0-3,-4")]).await;
    assert_eq!((several.status, several.text().matches("PAR1").count()), (206, 2));

    let content = read(&pair, "copy", &whole.body).await;
    assert_eq!((columns(&content), &content["rows"]), (vec!["id", "site", "temperature"], &json!(5)));
    assert_eq!(content["profile"][2]["max"], json!(21.5), "{content}");
    let usage = pair.provider.get(&format!("/agreements/{agreement}")).await.must(200)["usage"].clone();
    assert_eq!(usage["rows"], 5, "{usage}");
}

/// Some columns, some rows, and names only as hashes.
fn staff_terms() -> [Value; 3] {
    [
        c("fields", "isAnyOf", json!(["id", "site", "badge"])),
        c("rowFilter", "eq", "site = 'Suzhou' AND wage_hidden <> 'x'"),
        c("mask", "eq", "hash(badge)"),
    ]
}

#[tokio::test]
async fn rows_and_values_that_are_hidden_are_nowhere() {
    let pair = TestPair::start().await;
    let terms = staff_terms();
    // The terms name the column; here they are ours to read, so that it is no secret. Its values are.
    let (agreement, access) = deal(&pair, "staff", &terms).await;
    let answer = access.query(&json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let file = lines(&answer).into_iter().find(|l| l.get("file").is_some()).expect("a file")["file"].clone();
    assert!(file["stats"].as_str().expect("stats").contains("\"numRecords\":3"), "{file}");
    let get = async || access.share.open(Method::GET, file["url"].as_str().expect("an address"), &[]).await;
    let bytes = get().await.body;
    for secret in ["wage_hidden", "PLANTED", "Hefei", "holder-"] {
        assert!(!bytes.windows(secret.len()).any(|w| w == secret.as_bytes()), "{secret}");
        assert!(!answer.text().contains(secret), "{secret}: {}", answer.text());
    }
    let content = read(&pair, "copy", &bytes).await;
    assert_eq!((columns(&content), &content["rows"]), (vec!["id", "site", "badge"], &json!(3)));
    let badges = &content["profile"][2];
    assert!(badges["min"].as_str().is_some_and(|h| h.len() == 32 && h.bytes().all(|b| b.is_ascii_hexdigit())), "{badges}");
    assert_eq!((&badges["distinctEstimate"], &content["profile"][1]["max"]), (&json!(2), &json!("Suzhou")), "equal values stay equal");
    // Made again when the cache is gone.
    std::fs::remove_dir_all(pair.provider.dir().join("cache/governed")).expect("there is a cache");
    std::fs::create_dir_all(pair.provider.dir().join("cache/governed")).expect("made");
    assert_eq!(get().await.body, bytes);
    let whole = pair.provider.get(&format!("/agreements/{agreement}")).await.must(200)["usage"]["rows"].clone();
    assert_eq!(whole, 3, "those that are shown");
    // Another agreement has other hashes, other ids and other addresses.
    let other = pair.access(&pair.agree("staff").await).await;
    let (theirs, url) = {
        let answer = other.query(&json!({})).await;
        let file = lines(&answer).into_iter().find(|l| l.get("file").is_some()).expect("a file")["file"].clone();
        let url = file["url"].as_str().expect("an address").to_owned();
        (file, url)
    };
    assert_ne!(theirs["id"], file["id"]);
    let content = read(&pair, "other", &other.share.open(Method::GET, &url, &[]).await.body).await;
    assert_ne!(content["profile"][2]["min"], badges["min"]);
}

#[tokio::test]
async fn an_address_is_good_for_its_plan_alone() {
    let pair = TestPair::start().await;
    let (_, access) = deal(&pair, "staff", &[c("fields", "isAnyOf", json!(["id", "site"]))]).await;
    let (_, url) = the_file(&access.query(&json!({})).await);
    let url = url::Url::parse(&url).expect("an address");
    let base = url.as_str().split('?').next().expect("a path");
    let (folder, name) = base.rsplit_once('/').expect("a name");
    let transfer = pair.provider_transfer(&access.transfer).await;
    let key = pair.provider.app.sealer.derive("file-urls");
    let expires_at_ms = pair.provider.app.now().as_millis() + 60_000;
    let signed = |name: &str| {
        let grant = FileUrl { transfer: format!("{transfer}/1"), file: name.into(), query_id: "q".into(), expires_at_ms };
        sign_file_url(&format!("{folder}/{name}"), &grant, key.as_ref())
    };
    let open = async |name: &str| access.share.open(Method::GET, &signed(name), &[]).await.status;
    assert_eq!(open(name).await, 200);
    let (slug, reference) = (pair.provider.participant().await.slug, ProductRef::parse_dataset_id("staff:1").expect("a reference"));
    let source = pair.provider.app.product_files(&slug, &reference, 0).await.expect("files").remove(0);
    // Even under our own signature: what is not shown has no address.
    for other in
        [source.file_id().to_owned(), name.replacen(&name[..1], if name.starts_with('0') { "1" } else { "0" }, 1), name[..32].to_owned()]
    {
        assert_eq!(open(&other).await, 404, "{other}");
    }
}

#[tokio::test]
async fn where_only_aggregates_are_shown_no_file_is_given() {
    let pair = TestPair::start().await;
    let (agreement, access) = deal(&pair, "staff", &[c("minGroupSize", "gteq", 3)]).await;
    let refused = access.query(&json!({})).await;
    assert_eq!(refused.status, 403, "{}", refused.text());
    assert!(refused.text().contains("SQL"), "{}", refused.text());
    assert_eq!(pair.provider.get(&format!("/agreements/{agreement}")).await.must(200)["reads"], 0, "nothing was read");
    let (_, nobody) = deal(&pair, "nobody", &[c("rowFilter", "eq", "site = 'Nowhere'")]).await;
    let answer = nobody.query(&json!({})).await;
    assert_eq!((answer.status, lines(&answer).len()), (200, 2), "no file is named: {}", answer.text());
}

#[tokio::test]
async fn terms_that_cannot_be_kept_are_refused_at_publication() {
    let pair = TestPair::start().await;
    let dir = tempfile::tempdir().expect("a folder");
    let path = tables::write(dir.path(), "staff.csv", STAFF);
    for (constraint, says) in [
        (c("fields", "isAnyOf", json!(["id", "Site"])), "Did you mean site?"),
        (c("rowFilter", "eq", "id = 'one'"), "does not fit column id"),
        (c("rowFilter", "eq", "id > 5 AND id < 5"), "No row can satisfy"),
        (c("mask", "eq", "truncate(id, 2)"), "not text"),
        (c("mask", "eq", "null(nothing)"), "no column nothing"),
    ] {
        let body = json!({"id": "staff", "title": "Staff", "kind": "table", "paths": [path], "offers": [offer(&[constraint])]});
        let refused = pair.provider.post("/products", &body).await;
        assert_eq!(refused.refused(400), "FDC-1001", "{}", refused.text());
        assert!(refused.text().contains(says), "{says}: {}", refused.text());
    }
    let body = json!({"id": "staff", "title": "Staff", "kind": "files", "paths": [path], "offers": [offer(&[c("fields", "eq", "id")])]});
    let refused = pair.provider.post("/products", &body).await;
    assert!(refused.text().contains("about tables"), "{}", refused.text());
    assert_eq!(pair.provider.get("/products").await.must(200)["products"], json!([]), "nothing was published");
}

#[tokio::test]
async fn a_preview_is_what_the_other_side_sees() {
    let pair = TestPair::start().await;
    let terms = staff_terms();
    let (agreement, access) = deal(&pair, "staff", &terms).await;
    let path = format!("/agreements/{agreement}/preview");
    let seen = pair.provider.get(&path).await.must(200);
    assert_eq!((&seen["dataset"], &seen["columns"]), (&json!("staff"), &json!(["id", "site", "badge"])));
    let rows = seen["rows"].as_array().expect("rows");
    assert_eq!(rows.iter().map(|r| r["id"].clone()).collect::<Vec<_>>(), [1, 3, 5], "{seen}");
    assert_eq!((&seen["sampleHashes"], &seen["lookedAtBeginning"]), (&json!(false), &json!(false)), "all of it was looked at");
    // The hashes are those of the files that are delivered.
    let answer = access.query(&json!({})).await;
    let file = lines(&answer).into_iter().find(|l| l.get("file").is_some()).expect("a file")["file"].clone();
    let bytes = access.share.open(Method::GET, file["url"].as_str().expect("an address"), &[]).await.body;
    let content = read(&pair, "copy", &bytes).await;
    let mut badges: Vec<_> = rows.iter().map(|r| r["badge"].as_str().expect("a hash").to_owned()).collect();
    assert_eq!(badges[0], badges[2], "one holder");
    badges.sort();
    assert_eq!((content["profile"][2]["min"].as_str(), content["profile"][2]["max"].as_str()), (Some(&*badges[0]), Some(&*badges[2])));
    assert_eq!(pair.provider.get(&format!("/agreements/{agreement}")).await.must(200)["reads"], 1, "a preview counts as nothing");
    assert_eq!(pair.provider.get(&format!("{path}?rows=2")).await.must(200)["rows"].as_array().map(Vec::len), Some(2));
    for wrong in ["0", "101"] {
        assert_eq!(pair.provider.get(&format!("{path}?rows={wrong}")).await.status, 400);
    }
    // Under the offer the same rows, with hashes of no agreement.
    let offer = pair.provider.get("/products/staff").await.must(200)["offers"][0]["id"].as_str().expect("an id").to_owned();
    let offered = pair.provider.get(&format!("/offers/{offer}/preview")).await.must(200)["alternatives"][0].clone();
    assert_eq!((&offered["sampleHashes"], &offered["rows"][0]["id"]), (&json!(true), &json!(1)), "{offered}");
    assert_ne!(offered["rows"][0]["badge"], rows[0]["badge"]);
    assert_eq!(offered["rows"][0]["badge"], offered["rows"][2]["badge"]);
    // The consumer's node has no data, and who sees nothing is shown nothing.
    assert_eq!(pair.consumer.get(&path).await.status, 403);
    pair.provider.post(&format!("/agreements/{agreement}/stop"), &json!({"reason": "leak"})).await.must(200);
    let stopped = pair.provider.get(&path).await;
    assert!(stopped.status == 403 && stopped.text().contains("leak"), "{}", stopped.text());
    let (agreement, _) = deal(&pair, "grouped", &[c("minGroupSize", "gteq", 3)]).await;
    let seen = pair.provider.get(&format!("/agreements/{agreement}/preview")).await.must(200);
    assert_eq!((&seen["rows"], &seen["minGroupSize"]), (&json!([]), &json!(3)));
}

#[tokio::test]
async fn where_rows_are_hidden_there_is_the_newest_version_alone() {
    let pair = TestPair::start().await;
    let later = c("version", "gteq", 1);
    let (_, rows) = deal(&pair, "rows", &[later.clone(), c("rowFilter", "eq", "site = 'Suzhou'")]).await;
    let (_, columns) = deal(&pair, "columns", &[later, c("fields", "isAnyOf", json!(["id", "site"]))]).await;
    let hidden_changed = STAFF.replace("2,Hefei,PLANTED-22,21.5", "2,Hefei,PLANTED-99,30.5");
    for (id, access, history) in [("rows", &rows, false), ("columns", &columns, true)] {
        let first = access.query(&json!({"includeRefreshToken": true})).await;
        assert_eq!(first.status, 200, "{}", first.text());
        let token = lines(&first).last().expect("an end")["endStreamAction"]["refreshToken"].clone();
        pair.provider.publish(id, &hidden_changed, &[]).await;
        let newest = access.query(&json!({"version": 2})).await;
        assert_eq!((newest.status, newest.header("delta-table-version")), (200, "2"), "{}", newest.text());
        let meta = async |query: &str| access.share.call(Method::GET, &format!("{}/metadata?{query}", access.table_path()), None).await;
        let earlier = [
            access.query(&json!({"version": 1})).await,
            meta("version=1").await,
            access.query(&json!({"timestamp": "2020-01-01T00:00:00Z"})).await,
            meta("timestamp=2020-01-01T00:00:00Z").await,
        ];
        for answer in &earlier[..2] {
            assert_eq!(answer.status, if history { 200 } else { 400 }, "{id}: {}", answer.text());
        }
        for answer in &earlier[2..] {
            assert_eq!((answer.status, answer.text().contains("no history")), (400, !history), "{id}: {}", answer.text());
        }
        let future = meta("timestamp=2999-01-01T00:00:00Z").await;
        assert_eq!((future.status, future.header("delta-table-version")), (200, "2"));
        // What was begun goes on with the version that it began with.
        let renewed = access.query(&json!({"refreshToken": token})).await;
        assert_eq!((renewed.status, renewed.header("delta-table-version")), (200, "1"), "{id}: {}", renewed.text());
        if history {
            assert_clean("a renewed query", &renewed.body);
        }
    }
}

#[tokio::test]
async fn where_one_permission_has_no_read_left_the_next_one_holds() {
    let pair = TestPair::start().await;
    let once = json!({"action": "use", "constraint": [c("fields", "isAnyOf", json!(["id", "site"])), c("count", "lteq", 1)]});
    let always = json!({"action": "use", "constraint": [c("fields", "isAnyOf", json!(["id"]))]});
    pair.provider.publish("staff", STAFF, &[json!({"@type": "Offer", "permission": [once, always]})]).await;
    let agreement = pair.agree("staff").await;
    let access = pair.access(&agreement).await;
    let mut first = None;
    for (n, shown) in [&["id", "site"][..], &["id"], &["id"]].into_iter().enumerate() {
        let (_, url) = the_file(&access.query(&json!({})).await);
        for _ in 0..2 {
            let answer = access.share.open(Method::GET, &url, &[]).await;
            assert_eq!(answer.status, 200, "read {n}: {}", answer.text());
            assert_eq!(columns(&read(&pair, &format!("read-{n}"), &answer.body).await), shown, "read {n}");
        }
        first = first.or(Some(url));
    }
    assert_eq!(access.share.open(Method::GET, &first.expect("an address"), &[]).await.status, 404, "its permission is used up");
}
