//! The publishing rooms without scripts: from a file to the catalogue, in both languages; terms; connections; and what
//! hostile or careless people send.

use super::console_support::{Browser, Node, field, path_in, state};
use futures::StreamExt as _;
use reqwest::StatusCode;
use std::time::Duration;

/// Longest wait for anything: a machine under load is slow, a defect waits forever.
const PATIENCE: Duration = Duration::from_secs(30);

const WIND: &str = "hour,station,wind_m_s\n0,pier,3.5\n1,pier,4.5\n";
/// Numbers with right check digits, of nobody.
const PEOPLE: &str =
    "name,身份证号\n甲,11010519491231002X\n乙,440524188001010014\n丙,110101199003070134\n丁,310101198506150219\n戊,320505199201011123\n";

/// The room of one participant, as a person goes through it.
struct Publisher<'a> {
    browser: &'a Browser,
    /// `/p/acme/publish/{id}`.
    path: String,
}

impl<'a> Publisher<'a> {
    async fn begin(browser: &'a Browser) -> Self {
        let list = browser.page("/p/acme/publish").await;
        let begun = browser.post("/p/acme/publish", &[("csrf", &field(&list, "csrf"))]).await;
        assert_eq!(begun.status(), StatusCode::SEE_OTHER);
        let path = begun.location().strip_suffix("/source").expect("the first step").to_owned();
        Self { browser, path }
    }

    async fn page(&self, step: &str) -> String {
        self.browser.page(&format!("{}/{step}", self.path)).await
    }

    /// Sends a step's form with its token.
    async fn send(&self, step: &str, fields: &[(&str, &str)]) -> super::console_support::Answer {
        let csrf = field(&self.page(step).await, "csrf");
        let mut all = vec![("csrf", csrf.as_str())];
        all.extend(fields);
        self.browser.post(&format!("{}/{step}", self.path), &all).await
    }

    /// Sends the first step's form with a file.
    async fn upload(&self, go: &str, name: &str, content: &str) -> super::console_support::Answer {
        let csrf = field(&self.page("source").await, "csrf");
        let fields = [("csrf", csrf.as_str()), ("kind", "table"), ("from", "upload"), ("go", go)];
        self.browser.post_files(&format!("{}/source", self.path), &fields, &[("files", name, content), ("folder", "", "")]).await
    }

    /// Follows the page as its script does until the source was read; the page of `step` then.
    async fn until_read(&self, step: &str, wanted: &str) -> String {
        let id = self.path.rsplit('/').next().expect("an id");
        let mut events = self.browser.stream(&format!("/p/acme/events?topic=publication:{id}")).await;
        let follow = async {
            loop {
                let html = self.page(step).await;
                if state(&html) == wanted {
                    return html;
                }
                events.next().await.expect("the stream ended before").expect("it broke");
            }
        };
        tokio::time::timeout(PATIENCE, follow).await.unwrap_or_else(|_| panic!("never {wanted}"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_goes_into_the_catalogue_in_four_steps() {
    let node = Node::start("acme").await;
    let browser = node.signed_in().await;
    let publisher = Publisher::begin(&browser).await;
    let sent = publisher.upload("on", "wind.csv", WIND).await;
    assert_eq!((sent.status(), sent.location()), (StatusCode::SEE_OTHER, format!("{}/describe", publisher.path)), "{}", sent.text());
    let page = publisher.until_read("describe", "prepared").await;
    assert!(page.contains("wind_m_s") && page.contains("3.5"), "what was found stands beside it");

    // A form with mistakes keeps what was typed and tells each beside its field.
    let wrong = publisher.send("describe", &[("go", "on"), ("contact", "call me"), ("description", "Kept.")]).await;
    assert_eq!(wrong.status(), StatusCode::BAD_REQUEST);
    for part in ["href=\"#title\"", "id=\"contact-problem\"", "aria-invalid=\"true\"", "Kept.", "value=\"call me\""] {
        assert!(wrong.text().contains(part), "{part}");
    }
    assert!(publisher.page("describe").await.contains("Kept."), "it is saved, right or wrong");
    let fields = [
        ("title", "Wind at the coast"),
        ("description", "Measured at the pier every hour, by our own station, since 2013."),
        ("keywords", "weather, wind"),
        ("license", "CC-BY-4.0"),
        ("contact", "data@example.org"),
        ("rhythm", "daily"),
        ("language", "en"),
        ("profile", "yes"),
    ];
    // By the way through the steps: saved on the way.
    let mut back = fields.to_vec();
    back.push(("go", "source"));
    assert_eq!(publisher.send("describe", &back).await.location(), format!("{}/source", publisher.path));
    let page = publisher.page("describe").await;
    assert!(page.contains("value=\"wind-at-the-coast\"") && !page.contains("publish-remark"), "an id is suggested");
    back.pop();
    back.push(("go", "on"));
    assert_eq!(publisher.send("describe", &back).await.location(), format!("{}/terms", publisher.path));

    // Terms by sentences.
    let page = publisher.send("terms", &[("offers", "0"), ("do", "preset-evaluation")]).await;
    assert_eq!(page.status(), StatusCode::OK);
    assert!(page.text().contains("Anybody else") && page.text().contains("3 reads."), "{}", page.text());
    let review = publisher.page("review").await;
    assert!(review.contains("It may be read at most 3 times.") && review.contains("CC-BY-4.0"));
    let done = publisher.send("review", &[]).await;
    assert_eq!((done.status(), done.location().as_str()), (StatusCode::SEE_OTHER, "/p/acme/products/wind-at-the-coast?version=1"));
    let product = browser.page(&done.location()).await;
    assert!(product.contains("It is in your catalogue.") && product.contains("It may be read at most 3 times."));
    assert!(!browser.page("/p/acme/publish").await.contains(&publisher.path), "it is not on its way any more");
    assert_eq!(browser.get(&publisher.path).await.location(), "/p/acme/products/wind-at-the-coast?version=1");

    // The same id again is the next version.
    let again = Publisher::begin(&browser).await;
    again.upload("on", "wind.csv", WIND).await;
    let said = [("title", "Wind at the coast"), ("derived-from", "agr_none"), ("go", "on")];
    let wrong = again.send("describe", &said).await;
    assert_eq!(wrong.status(), StatusCode::BAD_REQUEST);
    assert!(wrong.text().contains("id=\"derived-from-problem\"") && wrong.text().contains("agr_none"), "{}", wrong.text());
    let said = [("title", "Wind at the coast"), ("derived-from", "wind-at-the-coast"), ("go", "terms")];
    let page = again.send("describe", &said).await;
    assert_eq!(page.status(), StatusCode::SEE_OTHER, "it can be described while it is read");
    assert!(again.until_read("review", "prepared").await.contains("This becomes its version 2."));
    let done = again.send("review", &[]).await;
    assert_eq!(done.location(), "/p/acme/products/wind-at-the-coast?version=2", "{}", done.text());
    let origin = browser.page("/p/acme/lineage/wind-at-the-coast%3A2").await;
    assert!(origin.contains("/p/acme/products/wind-at-the-coast?version=1"), "{origin}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_in_chinese_with_personal_data() {
    let node = Node::start("acme").await;
    let browser = node.signed_in().await;
    browser.get("/language?to=zh&next=/p/acme/publish").await;
    let publisher = Publisher::begin(&browser).await;
    assert!(publisher.page("source").await.contains("要发布什么？"));
    let sent = publisher.upload("on", "人员.csv", PEOPLE).await;
    assert_eq!(sent.status(), StatusCode::SEE_OTHER, "{}", sent.text());
    let page = publisher.until_read("describe", "prepared").await;
    assert!(page.contains("发现个人信息") && page.contains("居民身份证号") && page.contains("name=\"personal\""), "{page}");
    let said = [("title", "人员名册"), ("personal-asked", "yes"), ("go", "on")];
    assert_eq!(publisher.send("describe", &said).await.status(), StatusCode::SEE_OTHER);
    assert!(publisher.page("review").await.contains("describe#personal"), "it waits for the confirmation");
    let refused = publisher.send("review", &[]).await;
    assert_eq!(refused.status(), StatusCode::CONFLICT);
    assert!(
        refused.text().contains("请确认可以共享") && browser.page("/p/acme/products").await.contains("还没有产品"),
        "{}",
        refused.text()
    );
    let said = [("title", "人员名册"), ("product", "people"), ("personal-asked", "yes"), ("personal", "yes"), ("go", "review")];
    publisher.send("describe", &said).await;
    let done = publisher.send("review", &[]).await;
    assert_eq!(done.location(), "/p/acme/products/people?version=1", "{}", done.text());
    assert!(browser.page(&done.location()).await.contains("已发布到您的目录"));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_can_be_sent_one_by_one_and_taken_back() {
    let node = Node::start("acme").await;
    let browser = node.signed_in().await;
    let publisher = Publisher::begin(&browser).await;
    let csrf = field(&publisher.page("source").await, "csrf");
    let upload = format!("{}/upload?name=", publisher.path);
    let put = async |name: &str, token: &str| browser.put(&format!("{upload}{name}"), token, WIND).await;
    assert_eq!(put("a%2Fwind.csv", "").await.status(), StatusCode::FORBIDDEN, "without its token");
    assert_eq!(put("a%2Fwind.csv", &csrf).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(put("b.csv", &csrf).await.status(), StatusCode::NO_CONTENT);
    for hostile in ["..%2Fwind.csv", "%2Fetc%2Fpasswd", "a%2F..%2F..%2Fx", "", "a%00b", "a%0Ab", "CON", "a%5Cb", &"x".repeat(300)] {
        let refused = put(hostile, &csrf).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{hostile}");
        assert_eq!(refused.header("content-type"), "application/problem+json", "{hostile}");
    }
    let page = publisher.page("source").await;
    assert!(page.contains("value=\"remove:a/wind.csv\"") && page.contains("value=\"upload\" checked"));
    let fields = [("csrf", csrf.as_str()), ("kind", "table"), ("from", "upload"), ("do", "remove:b.csv")];
    let source = format!("{}/source", publisher.path);
    let removed = browser.post_files(&source, &fields, &[]).await;
    assert_eq!(removed.location(), source);
    assert!(!publisher.page("source").await.contains("remove:b.csv"));
    // What was read is void when the files change.
    publisher.upload("on", "a/wind.csv", WIND).await;
    publisher.until_read("describe", "prepared").await;
    assert_eq!(put("c.csv", &csrf).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(state(&publisher.page("describe").await), "draft");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_source_is_told_and_nothing_is_lost() {
    let node = Node::start("acme").await;
    let browser = node.signed_in().await;
    let publisher = Publisher::begin(&browser).await;
    for (name, content) in [("../wind.csv", WIND), ("a\\b.csv", WIND)] {
        let refused = publisher.upload("on", name, content).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{name}");
        assert!(refused.text().contains("id=\"files-problem\""), "{name}: {}", refused.text());
    }
    let csrf = field(&publisher.page("source").await, "csrf");
    let source = format!("{}/source", publisher.path);
    for (fields, problem) in [
        (&[("from", "upload")][..], "files-problem"),
        (&[("from", "paths"), ("paths", "data/x")], "paths-problem"),
        (&[("from", "s3")], "from-problem"),
        (&[("from", "postgres")], "from-problem"),
        (&[("from", "paths"), ("paths", "/srv/x"), ("delta-version", "newest")], "delta-version-problem"),
        (&[("from", "paths"), ("paths", "/no/such/folder")], "from-problem"),
    ] {
        let mut all = vec![("csrf", csrf.as_str()), ("kind", "table"), ("go", "on")];
        all.extend(fields);
        let refused = browser.post_files(&source, &all, &[]).await;
        assert!(refused.status().is_client_error(), "{fields:?}: {}", refused.status());
        assert!(refused.text().contains(&format!("id=\"{problem}\"")), "{fields:?}: {}", refused.text());
    }
    assert!(publisher.page("source").await.contains("/no/such/folder"), "what was typed is kept");
    // A file that is no table: told beside the steps, and it can be mended.
    publisher.upload("on", "bad.csv", "a,b\n1,2\n3\n").await;
    let page = publisher.until_read("describe", "failed").await;
    assert!(page.contains("bad.csv") && page.contains("/prepare\""), "{page}");
    assert!(publisher.page("review").await.contains("source#from"));
    let csrf = field(&page, "csrf");
    let gone = browser.post(&format!("{}/discard", publisher.path), &[("csrf", &csrf)]).await;
    assert_eq!(gone.location(), "/p/acme/publish");
    assert_eq!(browser.get(&publisher.path).await.status(), StatusCode::NOT_FOUND);
    for id in ["pub_x", "..", "%2e%2e%2facme", "x%00"] {
        let answer = browser.get(&format!("/p/acme/publish/{id}/source")).await;
        assert!(answer.status().is_client_error(), "{id}: {}", answer.status());
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_operator_names_no_paths_and_sees_no_other_room() {
    let node = Node::start("acme").await;
    node.add_participant("other").await;
    node.add_user("ann", "correct horse battery", "other").await;
    let admin = node.signed_in().await;
    let publisher = Publisher::begin(&admin).await;
    let ann = node.sign_in("ann", "correct horse battery").await;
    assert_eq!(ann.get(&publisher.path).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(ann.get(&publisher.path.replace("/acme/", "/other/")).await.status(), StatusCode::NOT_FOUND);
    let csrf = field(&ann.page("/p/other/publish").await, "csrf");
    let begun = ann.post("/p/other/publish", &[("csrf", &csrf)]).await.location();
    let page = ann.page(&begun).await;
    assert!(!page.contains("name=\"paths\""));
    let fields = [("csrf", csrf.as_str()), ("kind", "files"), ("from", "paths"), ("paths", "/etc/hostname"), ("go", "on")];
    let refused = ann.post_files(&begun, &fields, &[]).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{}", refused.text());
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn terms_are_built_sentence_by_sentence() {
    let node = Node::start("acme").await;
    let browser = node.signed_in().await;
    let publisher = Publisher::begin(&browser).await;
    let one = [("offers", "1"), ("o0", "1"), ("o0-price", ""), ("o0p0", "1"), ("o0p0s0", "recipient"), ("o0p0s0-choice", "isAnyOf")];
    let with = |more: &[(&'static str, &'static str)]| one.iter().chain(more).copied().collect::<Vec<_>>();
    let added = publisher.send("terms", &[("offers", "0"), ("do", "preset-partner")]).await;
    assert!(added.status() == StatusCode::OK && added.text().contains("autofocus"), "{}", added.text());
    let incomplete = publisher.send("terms", &with(&[("go", "on")])).await;
    assert_eq!(incomplete.status(), StatusCode::BAD_REQUEST);
    assert!(incomplete.text().contains("href=\"#o0p0s0-value\"") && incomplete.text().contains("id=\"o0p0s0-value-problem\""));
    let named = ("o0p0s0-value", "did:web:partner.example:p:lab");
    let saved = publisher.send("terms", &with(&[named, ("go", "on")])).await;
    assert_eq!(saved.location(), format!("{}/review", publisher.path), "{}", saved.text());
    let page = publisher.page("terms").await;
    assert!(page.contains("did:web:partner.example:p:lab") && page.contains("The terms are for other participants."));
    // The text of the ODRL instead of the sentences.
    let text =
        r#"{"permission": [{"action": "use", "constraint": [{"leftOperand": "purpose", "operator": "eq", "rightOperand": "research"}]}]}"#;
    let edited = publisher.send("terms", &with(&[named, ("o0-was", "x"), ("o0-odrl", text), ("do", "check")])).await;
    assert!(edited.status() == StatusCode::OK && edited.text().contains("If they declare it:"), "{}", edited.text());
    for (bad, says) in [("{", "This is not JSON"), (r#"{"permission": [{"action": "fly"}]}"#, "fly")] {
        let refused = publisher.send("terms", &with(&[named, ("o0-was", "x"), ("o0-odrl", bad), ("do", "check")])).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
        assert!(refused.text().contains("id=\"o0-odrl-problem\"") && refused.text().contains(says), "{bad}");
    }
    assert!(publisher.page("review").await.contains("Only for this purpose: "), "the last that was right is kept");
    assert_eq!(publisher.send("terms", &with(&[("do", "explode")])).await.status(), StatusCode::BAD_REQUEST);
    let long = "x".repeat(2 * 1024 * 1024);
    assert_eq!(publisher.send("terms", &[("offers", "1"), ("o0-odrl", &long)]).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_keep_their_secrets() {
    let node = Node::start("acme").await;
    let browser = node.signed_in().await;
    let form = browser.page("/p/acme/connections/new?kind=postgres").await;
    let csrf = field(&form, "csrf");
    let base = [("csrf", csrf.as_str()), ("kind", "postgres"), ("name", "db"), ("host", "127.0.0.1"), ("port", "1")];
    let with = |more: &[(&'static str, &'static str)]| base.iter().chain(more).copied().collect::<Vec<_>>();
    let wrong = browser.post("/p/acme/connections", &with(&[("password", "sesame-17")])).await;
    assert_eq!(wrong.status(), StatusCode::BAD_REQUEST);
    assert!(wrong.text().contains("href=\"#database\"") && !wrong.text().contains("sesame-17"), "{}", wrong.text());
    let good = with(&[("database", "d"), ("database-user", "u"), ("password", "sesame-17"), ("plain", "yes")]);
    let saved = browser.post("/p/acme/connections", &good).await;
    assert_eq!(saved.status(), StatusCode::OK, "{}", saved.text());
    assert!(saved.text().contains("postgres://u@127.0.0.1:1/d") && saved.text().contains("role=\"alert\""), "nobody answers there");
    let again = browser.post("/p/acme/connections", &good).await;
    assert!(again.status() == StatusCode::BAD_REQUEST && again.text().contains("There is a connection of this name."));
    let page = browser.page("/p/acme/connections/db").await;
    assert!(page.contains("value=\"127.0.0.1\"") && !page.contains("sesame-17"), "the secret does not come out");
    let list = browser.page("/p/acme/connections").await;
    let checked = browser.post(path_in(&list, "/p/acme/connections/db/check"), &[("csrf", &csrf)]).await;
    assert!(checked.status() == StatusCode::OK && checked.text().contains("does not work"), "{}", checked.text());
    // S3 with half a key, and a changed address without the secret.
    let s3 = [("csrf", csrf.as_str()), ("kind", "s3"), ("name", "lake"), ("region", "r"), ("bucket", "b"), ("access-key-id", "id")];
    let refused = browser.post("/p/acme/connections", &s3).await;
    assert!(refused.status() == StatusCode::BAD_REQUEST && refused.text().contains("id=\"secret-access-key-problem\""));
    let source = Publisher::begin(&browser).await.page("source").await;
    assert!(source.contains("name=\"postgres-connection\"") && source.contains("value=\"db\""));
    let removed = browser.post("/p/acme/connections/db/remove", &[("csrf", &csrf)]).await;
    assert_eq!(removed.location(), "/p/acme/connections");
    assert_eq!(browser.get("/p/acme/connections/db").await.status(), StatusCode::NOT_FOUND);
    node.stop().await;
}
