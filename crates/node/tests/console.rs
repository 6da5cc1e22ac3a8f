//! The console over HTTP, as a browser sees it: real routers, real SQLite, real sockets.

mod console_publishing;
mod console_support;

use console_support::{Browser, Deal, Node, field, id_of, path_in, state};
use fondaco_core::{policy::Policy, price::Price, time::Micros};
use fondaco_node::console_web::{open_routes, room_routes};
use futures::StreamExt as _;
use reqwest::StatusCode;
use std::collections::HashSet;

/// The path of a route with its parameters filled in.
fn filled(path: &str, slug: &str, id: &str) -> String {
    path.replace("{slug}", slug).replace("{id}", id)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_of_a_room_wants_a_session() {
    let node = Node::start("acme").await;
    let stranger = Browser::new(&node);
    for route in room_routes() {
        let path = filled(route.path, "acme", "x");
        let answer = stranger.send(route.method.clone(), &path, &[]).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{} {path}", route.method);
        let location = answer.location();
        assert!(location == "/login" || location.starts_with("/login?next=%2Fp%2Facme"), "{} {path}: {location}", route.method);
    }
    for route in open_routes() {
        assert!(!route.path.starts_with("/p/"), "{} is open", route.path);
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_opens_once_signed_in() {
    let deal = Deal::make().await;
    let browser = deal.consumer.signed_in().await;
    let peer = [("peer", deal.provider.did())];
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&peer).finish();
    let mut seen = HashSet::new();
    for route in room_routes().into_iter().filter(|r| r.method == reqwest::Method::GET) {
        let (path, expected) = match route.path {
            "/" => (route.path.to_owned(), StatusCode::SEE_OTHER),
            "/p/{slug}/catalog" => (format!("/p/consumer/catalog?{query}"), StatusCode::OK),
            "/p/{slug}/catalog/product" => (format!("/p/consumer/catalog/product?{query}&id=wind"), StatusCode::OK),
            "/p/{slug}/events" => (format!("/p/consumer/events?topic=negotiation:{}", deal.negotiation), StatusCode::OK),
            "/p/{slug}/peers/{id}" => (format!("/p/consumer/peers/{}", deal.provider.did().replace('%', "%25")), StatusCode::OK),
            "/p/{slug}/negotiations/{id}" => (filled(route.path, "consumer", &deal.negotiation), StatusCode::OK),
            "/p/{slug}/agreements/{id}"
            | "/p/{slug}/agreements/{id}/profile"
            | "/p/{slug}/agreements/{id}/document"
            | "/p/{slug}/agreements/{id}/timeline"
            | "/p/{slug}/lineage/{id}" => (filled(route.path, "consumer", &deal.agreement), StatusCode::OK),
            // A piece of evidence is looked at in the test of its own.
            "/p/{slug}/evidence/{id}" | "/p/{slug}/evidence/{id}/bundle" => {
                (filled(route.path, "consumer", "evi_x"), StatusCode::NOT_FOUND)
            }
            // The deal is about a table.
            "/p/{slug}/agreements/{id}/files" => (filled(route.path, "consumer", &deal.agreement), StatusCode::CONFLICT),
            "/p/{slug}/transfers/{id}" => (filled(route.path, "consumer", &deal.transfer), StatusCode::OK),
            // Looked at with a publication of their own in `console_publishing`.
            other if other.starts_with("/p/{slug}/publish/{id}") || other == "/p/{slug}/connections/{id}" => {
                (filled(other, "consumer", "pub_x"), StatusCode::NOT_FOUND)
            }
            // Its provider alone has rows to look at.
            "/p/{slug}/agreements/{id}/preview" => (filled(route.path, "consumer", &deal.agreement), StatusCode::FORBIDDEN),
            // The consumer has no products; the provider's own page is looked at below.
            "/p/{slug}/offers/{id}/rules" | "/p/{slug}/offers/{id}/preview" => {
                (filled(route.path, "consumer", "off_x"), StatusCode::NOT_FOUND)
            }
            "/p/{slug}/products/{id}" => (filled(route.path, "consumer", "wind"), StatusCode::NOT_FOUND),
            other => {
                assert!(!other.contains("{id}"), "{other}: say here which id it takes");
                (filled(other, "consumer", ""), StatusCode::OK)
            }
        };
        let answer = browser.get(&path).await;
        assert_eq!(answer.status(), expected, "{path}");
        seen.insert(route.path);
        if expected == StatusCode::SEE_OTHER || path.contains("/events") {
            continue;
        }
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("content-security-policy"), fondaco_console::CONTENT_SECURITY_POLICY, "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
    }
    assert!(seen.len() > 15, "the table shrank: {seen:?}");
    let provider = deal.provider.signed_in().await;
    let product = provider.page("/p/provider/products/wind").await;
    let preview = provider.page(&format!("/p/provider/agreements/{}/preview", deal.agreement)).await;
    assert!(preview.contains("<th scope=\"col\"><bdi>wind_m_s</bdi></th>") && preview.contains("<td><bdi>3.5</bdi></td>"), "{preview}");
    let origin = provider.page("/p/provider/lineage/wind").await;
    assert!(origin.contains("<svg class=\"lineage\"") && origin.contains("Wind at the coast"), "{origin}");
    let file = provider.get("/p/provider/lineage/wind?format=prov").await;
    assert_eq!(file.header("content-disposition"), "attachment; filename=\"wind.prov.json\"");
    let offered = path_in(&product, "/p/provider/offers/").to_owned();
    assert!(offered.ends_with("/preview"), "{offered}");
    assert!(provider.page(&offered).await.contains("<bdi>wind_m_s</bdi>"));
    assert!(product.contains("wind_m_s") && product.contains("/p/provider/products/wind/withdraw"));
    assert!(provider.page("/p/provider").await.contains("Wind at the coast"));
    let withdrawn = provider.post("/p/provider/products/wind/withdraw", &[("csrf", &field(&product, "csrf"))]).await;
    let page = provider.page(&withdrawn.location()).await;
    assert!(page.contains("The product is withdrawn") && !page.contains("products/wind/withdraw"));
    assert_eq!(
        provider.post("/p/provider/products/wind/withdraw", &[("csrf", &field(&page, "csrf"))]).await.status(),
        StatusCode::CONFLICT
    );
    deal.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_the_pages_may_be_kept_forever() {
    let node = Node::start("acme").await;
    let browser = Browser::new(&node);
    let login = browser.page("/login").await;
    let start = login.find("/assets/").expect("a style sheet");
    let url = &login[start..start + login[start..].find('"').expect("the end of the attribute")];
    let answer = browser.get(url).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.header("cache-control").contains("immutable"));
    assert_eq!(browser.get("/assets/0000000000000000/app.css").await.status(), StatusCode::NOT_FOUND);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_a_page_and_below_the_api_a_problem() {
    let node = Node::start("acme").await;
    let browser = Browser::new(&node);
    let answer = browser.get("/no/such/page").await;
    assert_eq!((answer.status(), answer.header("content-type")), (StatusCode::NOT_FOUND, "text/html; charset=utf-8".into()));
    let answer = browser.get("/api/no/such/endpoint").await;
    assert!(answer.status().is_client_error(), "{}", answer.status());
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let signed_in = node.signed_in().await;
    let wrong_method = signed_in.get("/p/acme/products/x/withdraw").await;
    assert_eq!(wrong_method.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert!(wrong_method.text().contains("FDC-1011"));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_leads_on_and_out_again() {
    let node = Node::start("acme").await;
    let browser = Browser::new(&node);
    let asked = browser.get("/p/acme/tokens").await;
    let form = browser.page(&asked.location()).await;
    assert_eq!(field(&form, "next"), "/p/acme/tokens");
    let csrf = field(&form, "csrf");
    let wrong = browser.post("/login", &[("csrf", &csrf), ("name", "admin"), ("password", "wrong")]).await;
    assert_eq!(wrong.status(), StatusCode::FORBIDDEN);
    assert!(wrong.text().contains("role=\"alert\"") && wrong.text().contains("value=\"admin\""));
    let right =
        browser.post("/login", &[("csrf", &csrf), ("name", "admin"), ("password", &node.password), ("next", "/p/acme/tokens")]).await;
    assert_eq!((right.status(), right.location().as_str()), (StatusCode::SEE_OTHER, "/p/acme/tokens"));
    assert!(right.header("set-cookie").contains("HttpOnly"));
    assert_eq!(browser.get("/login").await.location(), "/", "whoever is signed in goes on");
    assert_eq!(browser.get("/").await.location(), "/p/acme");

    let session = browser.cookies();
    let page = browser.page("/p/acme").await;
    let out = browser.post("/logout", &[("csrf", &field(&page, "csrf"))]).await;
    assert_eq!(out.location(), "/login");
    assert!(browser.page("/login").await.contains("You have signed out"), "the notice");
    assert!(!browser.page("/login").await.contains("You have signed out"), "once");
    let thief = Browser::with_cookies(&node, session);
    assert_eq!(thief.get("/p/acme").await.status(), StatusCode::SEE_OTHER, "the session itself is over");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_does_not_lead_elsewhere() {
    let node = Node::start("acme").await;
    for next in ["https://evil.example/", "//evil.example", "/\\evil.example", "/logout"] {
        let browser = Browser::new(&node);
        let form = browser.page("/login").await;
        let password = node.password.clone();
        let fields = [("csrf", field(&form, "csrf")), ("name", "admin".into()), ("password", password), ("next", next.into())];
        let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
        assert_eq!(browser.post("/login", &fields).await.location(), "/", "{next}");
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_is_throttled() {
    let node = Node::start("acme").await;
    let browser = Browser::new(&node);
    let csrf = field(&browser.page("/login").await, "csrf");
    let guess = async |password: &str| browser.post("/login", &[("csrf", &csrf), ("name", "admin"), ("password", password)]).await.status();
    let mut refused = 0;
    while guess("guess").await == StatusCode::FORBIDDEN {
        refused += 1;
        assert!(refused <= 20, "nobody stops the guessing");
    }
    assert!(refused >= 5, "a person may mistype");
    assert_eq!(guess(&node.password.clone()).await, StatusCode::TOO_MANY_REQUESTS, "the right password is not looked at either");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_without_its_token_does_nothing() {
    let node = Node::start("acme").await;
    let browser = node.signed_in().await;
    let csrf = field(&browser.page("/p/acme/tokens").await, "csrf");
    let other = field(&node.signed_in().await.page("/p/acme/tokens").await, "csrf");
    for given in [None, Some(""), Some("x"), Some(other.as_str()), Some(&csrf[..csrf.len() - 1])] {
        let mut fields = vec![("name", "planted"), ("access", "write")];
        fields.extend(given.map(|token| ("csrf", token)));
        let answer = browser.post("/p/acme/tokens", &fields).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{given:?}");
        assert!(answer.text().contains("FDC-1003"));
    }
    for route in room_routes().into_iter().filter(|r| r.method != reqwest::Method::GET) {
        let path = filled(route.path, "acme", "x");
        assert_eq!(browser.send(route.method, &path, &[]).await.status(), StatusCode::FORBIDDEN, "{path}");
    }
    let source = "/p/acme/publish/x/source";
    for fields in [&[][..], &[("csrf", "")], &[("csrf", other.as_str())], &[("kind", "table"), ("csrf", csrf.as_str())]] {
        let answer = browser.post_files(source, fields, &[("files", "a.csv", "a\n1\n")]).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{fields:?}");
    }
    assert_eq!(browser.post_files(source, &[("csrf", csrf.as_str())], &[]).await.status(), StatusCode::NOT_FOUND, "with it");
    assert_eq!(browser.post_files("/p/acme/tokens", &[("csrf", csrf.as_str())], &[]).await.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    for site in ["cross-site", "same-site"] {
        let fields = [("csrf", csrf.as_str()), ("name", "planted"), ("access", "write")];
        let answer = browser.post_from(site, "/p/acme/tokens", &fields).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{site}");
    }
    assert!(!browser.page("/p/acme/tokens").await.contains("planted"));
    let form = Browser::new(&node);
    let answer = form.post("/login", &[("csrf", "x"), ("name", "admin"), ("password", &node.password)]).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN, "the way in has a token of its own");
    assert_eq!(form.get("/p/acme").await.status(), StatusCode::SEE_OTHER);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_told_on_a_page() {
    let node = Node::start("acme").await;
    let browser = node.signed_in().await;
    for path in ["/p/acme/catalog?peer=a&peer=b", "/p/acme/negotiations/%FF", "/login?next=a&next=b"] {
        let answer = browser.get(path).await;
        assert_eq!(
            (answer.status(), answer.header("content-type")),
            (StatusCode::BAD_REQUEST, "text/html; charset=utf-8".into()),
            "{path}"
        );
    }
    for path in ["/p/acme/products/x?version=two", "/p/acme/products/..%2F..%2Fnode.key", "/p/acme/negotiations/x", "/p/acme/agreements/x"]
    {
        assert_eq!(browser.get(path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    let csrf = field(&browser.page("/p/acme/tokens").await, "csrf");
    let large = "x".repeat(fondaco_node::console_web::ROOM_FORM_MAX_BYTES);
    let answer = browser.post("/p/acme/tokens", &[("csrf", &csrf), ("name", &large), ("access", "read")]).await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let json = browser.post_json("/p/acme/tokens", &format!("{{\"csrf\": \"{csrf}\"}}")).await;
    assert_eq!(json.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert!(json.text().contains("<h1>"));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_shown_once_and_can_be_revoked() {
    let node = Node::start("acme").await;
    let browser = node.signed_in().await;
    let csrf = field(&browser.page("/p/acme/tokens").await, "csrf");
    let made = browser.post("/p/acme/tokens", &[("csrf", &csrf), ("name", "nightly export"), ("access", "read")]).await;
    assert_eq!(made.status(), StatusCode::OK);
    assert!(made.text().contains("fdc_"));
    let list = browser.page("/p/acme/tokens").await;
    assert!(list.contains("nightly export") && !list.contains("fdc_"));
    let nameless = browser.post("/p/acme/tokens", &[("csrf", &csrf), ("name", " "), ("access", "read")]).await;
    assert_eq!(nameless.status(), StatusCode::BAD_REQUEST);
    let action = path_in(&list, "/p/acme/tokens/tok_");
    assert_eq!(browser.post(action, &[("csrf", &csrf)]).await.location(), "/p/acme/tokens");
    let acme = fondaco_core::participant::Slug::parse("acme").expect("a slug");
    let last = node.running.app.store.read("test.last", move |tx| -> fondaco_core::Result<_> {
        Ok(tx.evidence_list(Some(&acme), fondaco_store::EvidenceFilter::All, None, 1)?)
    });
    let said = last.await.expect("evidence").remove(0).document.expect("kept");
    assert!(said.contains("token-revoked") && said.contains(r#""cause":{"account":"admin","by":"person"}"#), "{said}");
    let after = browser.page("/p/acme/tokens").await;
    assert!(!after.contains("nightly export") && after.contains("The token is revoked"));
    assert!(!browser.page("/p/acme/tokens").await.contains("The token is revoked"), "a notice is shown once");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn decision_rules_are_previewed_and_saved_as_a_form_and_as_text() {
    let node = Node::start("acme").await;
    let browser = node.signed_in().await;
    let page = browser.page("/p/acme/rules").await;
    let (csrf, was) = (field(&page, "csrf"), field(&page, "was"));
    let form = |price: &'static str, go: &'static str, json: &'static str| {
        let fields = [("offered-do", "accept"), ("offered-price", price), ("agreed-do", "hold"), ("json", json), ("go", go)];
        fields.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect::<Vec<_>>()
    };
    let send = async |fields: Vec<(String, String)>| {
        let mut all: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        all.extend([("csrf", csrf.as_str()), ("was", was.as_str())]);
        browser.post("/p/acme/rules", &all).await
    };
    let preview = send(form("95 CNY", "preview", "{}")).await;
    assert_eq!(preview.status(), StatusCode::OK);
    assert!(preview.text().contains("up to") && preview.text().contains("nothing is saved yet"), "{}", preview.text());
    assert!(browser.page("/p/acme/rules").await.contains("everything is automatic"), "a preview saves nothing");
    let wrong = send(form("95 RMB", "save", "{}")).await;
    assert_eq!(wrong.status(), StatusCode::BAD_REQUEST);
    assert!(wrong.text().contains("id=\"offered-price-problem\"") && wrong.text().contains("95 RMB"), "what was typed is kept");
    assert_eq!(send(form("95 CNY", "save", "{}")).await.location(), "/p/acme/rules");
    let saved = browser.page("/p/acme/rules").await;
    assert!(saved.contains("The rules are saved") && saved.contains("95.00 CNY"), "{saved}");
    for (text, status) in [
        ("{\"default\": {\"offered\": [{\"do\": \"sing\"}]}}", StatusCode::BAD_REQUEST),
        ("{\"default\": {\"offered\": [{\"do\": \"webhook\", \"url\": \"http://10.0.0.1/\"}]}}", StatusCode::BAD_REQUEST),
        ("{\"about\": {\"wind\": {\"offered\": [{\"do\": \"hold\"}]}}}", StatusCode::SEE_OTHER),
    ] {
        let answer = send(form("", "save", text)).await;
        assert_eq!(answer.status(), status, "{text}: {}", answer.text());
    }
    let about = browser.page("/p/acme/rules").await;
    assert!(about.contains("About") && about.contains("everything is automatic"), "the text replaced the form: {about}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_of_others_do_not_exist() {
    let node = Node::start("acme").await;
    node.add_participant("rival").await;
    node.add_user("eve", "correct horse battery", "rival").await;
    let eve = node.sign_in("eve", "correct horse battery").await;
    assert_eq!(eve.get("/p/rival").await.status(), StatusCode::OK);
    let csrf = field(&eve.page("/p/rival").await, "csrf");
    for route in room_routes().into_iter().filter(|r| r.path.starts_with("/p/{slug}")) {
        for slug in ["acme", "nobody"] {
            let path = filled(route.path, slug, "x");
            let answer = eve.send(route.method.clone(), &path, &[("csrf", &csrf)]).await;
            assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{} {path}", route.method);
            assert!(!answer.text().contains("Acme"), "{path} tells a name");
        }
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_reads_everything_and_changes_nothing() {
    let deal = Deal::make().await;
    let node = &deal.provider;
    node.add_auditor("hua", "correct horse battery", "provider").await;
    let hua = node.sign_in("hua", "correct horse battery").await;
    let home = hua.page("/p/provider").await;
    assert!(home.contains("as an auditor"), "{home}");
    let csrf = field(&home, "csrf");
    let agreement = format!("/p/provider/agreements/{}", deal.agreement);
    for page in ["waiting", "products", "products/wind", "negotiations", "agreements", "transfers", "people", "tokens", "node", "rules"] {
        assert_eq!(hua.get(&format!("/p/provider/{page}")).await.status(), StatusCode::OK, "{page}");
    }
    assert!(hua.page("/p/provider/evidence").await.contains("action=\"/p/provider/report\""), "reports without the operator's help");
    let today = node.running.app.now();
    let days = format!("from={}&to={}", today.plus(Micros::from_secs(-86_400)), today.plus(Micros::from_secs(86_400)));
    for (format, kind) in [("csv", "text/csv"), ("html", "text/html")] {
        let report = hua.get(&format!("/p/provider/report?{days}&format={format}")).await;
        assert_eq!((report.status(), report.header("content-type").starts_with(kind)), (StatusCode::OK, true), "{format}");
        assert_eq!(report.header("content-disposition"), format!("attachment; filename=\"report-provider.{format}\""));
        assert!(report.text().contains(&deal.agreement), "{}", report.text());
    }
    assert_eq!(hua.get("/p/provider/report?from=soon").await.status(), StatusCode::BAD_REQUEST);
    let page = hua.page(&agreement).await;
    assert!(page.contains("Wind at the coast"), "{page}");
    assert!(!page.contains(&format!("{agreement}/stop")) && !page.contains(&format!("{agreement}/preview")), "{page}");
    let mut refused = 0;
    for route in room_routes().into_iter().filter(|r| !r.audited) {
        let path = filled(route.path, "provider", "x");
        let answer = hua.send(route.method.clone(), &path, &[("csrf", &csrf)]).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{} {path}", route.method);
        // The script that sends a file has its token elsewhere, which is looked at first.
        assert!(
            route.method == reqwest::Method::PUT || answer.text().contains("and change nothing. Nothing was done."),
            "{} {path}",
            route.method
        );
        refused += 1;
    }
    assert!(refused > 40, "{refused}");
    for route in room_routes().into_iter().filter(|r| r.audited && r.method != reqwest::Method::GET) {
        assert!(["/logout", "/p/{slug}/people/password"].contains(&route.path), "{} is about more than oneself", route.path);
    }
    for action in ["stop", "end", "transfers"] {
        let answer = hua.post(&format!("{agreement}/{action}"), &[("csrf", &csrf), ("reason", "no")]).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{action}");
    }
    assert!(node.signed_in().await.page(&agreement).await.contains(&format!("{agreement}/stop")), "nothing was done");
    // A page that would call a peer for the first time is none of theirs: nobody is called, and no peer is added.
    for page in ["catalog?peer=did%3Aweb%3Aunknown.example%3Ap%3Ax", "catalog/product?peer=did%3Aweb%3Aunknown.example%3Ap%3Ax&id=x"] {
        let answer = hua.get(&format!("/p/provider/{page}")).await;
        assert!(answer.status() == StatusCode::FORBIDDEN && answer.text().contains("Nothing was done."), "{page}: {}", answer.text());
    }
    assert!(!hua.page("/p/provider/peers").await.contains("unknown.example"), "no peer was added");
    let product = hua.page("/p/provider/products/wind").await;
    assert!(
        !product.contains("/preview") && node.signed_in().await.page("/p/provider/products/wind").await.contains("/preview"),
        "{product}"
    );
    let own = [("csrf", csrf.as_str()), ("old", "correct horse battery"), ("new", "another horse battery")];
    assert_eq!(hua.post("/p/provider/people/password", &own).await.status(), StatusCode::SEE_OTHER, "one's own password");
    let admin = node.signed_in().await;
    let people = admin.page("/p/provider/people").await;
    assert!(people.contains("name=\"audits\" type=\"text\" value=\"provider\""), "{people}");
    let both = [
        ("csrf", field(&people, "csrf")),
        ("login", "both".into()),
        ("access", "member".into()),
        ("participants", "provider".into()),
        ("audits", "provider".into()),
    ];
    let both: Vec<(&str, &str)> = both.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = admin.post("/p/provider/people", &both).await;
    assert!(answer.status() == StatusCode::BAD_REQUEST && answer.text().contains("Nobody both acts"), "{}", answer.text());
    deal.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_is_shown_downloaded_and_compared_with_the_other_sides() {
    let deal = Deal::make().await;
    let browser = deal.consumer.signed_in().await;
    let agreement = browser.page(&format!("/p/consumer/agreements/{}", deal.agreement)).await;
    let list = format!("/p/consumer/evidence?agreement={}", deal.agreement);
    assert!(agreement.contains(&format!("href=\"{list}\"")), "{agreement}");
    assert!(browser.page(&format!("/p/consumer/transfers/{}", deal.transfer)).await.contains(&format!("href=\"{list}\"")));
    let page = browser.page(&list).await;
    assert!(page.contains("An agreement came into force") && page.contains("Access was opened"), "{page}");
    assert!(!page.contains("A key was made"), "of this agreement alone");
    assert!(browser.page("/p/consumer/evidence").await.contains("A key was made"));
    // The first that happened stands last.
    let place = page.rfind("href=\"/p/consumer/evidence/evi_").expect("evidence") + "href=\"".len();
    let piece = &page[place..place + page[place..].find('"').expect("the end of the attribute")];
    // It is taken into the log at once when its bundle is asked for.
    let bundle = browser.get(&format!("{piece}/bundle")).await;
    assert_eq!((bundle.status(), bundle.header("content-type")), (StatusCode::OK, "application/json".into()));
    let file = bundle.header("content-disposition");
    assert!(file.starts_with("attachment; filename=\"evidence-evi_") && file.ends_with(".json\""), "{file}");
    let read = fondaco_tlog::bundle::Bundle::parse(bundle.text().as_bytes()).expect("a bundle");
    let proven = read.verify(None).expect("it holds");
    assert_eq!(read.opening.expect("opened").object, deal.agreement);
    let shown = browser.page(piece).await;
    assert!(shown.contains("fondaco verify evidence-evi_") && shown.contains(&format!("leaf {}", proven.index)), "{shown}");
    assert!(shown.contains("&#34;@type&#34;: &#34;Agreement&#34;"), "the document: {shown}");
    assert!(shown.contains(&format!("href=\"/p/consumer/agreements/{}\"", deal.agreement)), "{shown}");

    let both = browser.page(&format!("/p/consumer/agreements/{}/timeline", deal.agreement)).await;
    assert!(both.contains("byte for byte") && !both.contains("role=\"alert\""), "{both}");
    let whole = browser.page("/p/consumer/evidence/check").await;
    assert!(whole.contains("Nothing is missing") && !whole.contains("role=\"alert\""), "{whole}");
    for path in ["/p/consumer/evidence/evi_x", "/p/consumer/agreements/agr_x/timeline"] {
        assert_eq!(browser.get(path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(browser.get("/p/consumer/evidence?after=x").await.status(), StatusCode::BAD_REQUEST);
    let stranger = deal.provider.signed_in().await;
    assert_eq!(stranger.get(&piece.replace("consumer", "provider")).await.status(), StatusCode::NOT_FOUND, "not yours");
    deal.provider.add_auditor("hua", "correct horse battery", "provider").await;
    let hua = deal.provider.sign_in("hua", "correct horse battery").await;
    let theirs = hua.page(&format!("/p/provider/agreements/{}/timeline", deal.agreement)).await;
    assert!(theirs.contains("byte for byte"), "an auditor needs nobody's help: {theirs}");
    deal.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_click_makes_a_deal_and_events_tell_of_it() {
    let deal = Deal::offered().await;
    let browser = deal.consumer.signed_in().await;
    let peer = deal.provider.did();
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("peer", &peer).append_pair("id", "wind").finish();
    let product = browser.page(&format!("/p/consumer/catalog/product?{query}")).await;
    assert!(product.contains("It may be read at most 100 times."), "the terms in words");
    let page = browser.negotiate("consumer", &peer, "wind").await;
    let id = id_of(&page).to_owned();
    assert!(page.starts_with("/p/consumer/negotiations/neg_"), "{page}");

    let finished = browser.follow_until("consumer", &format!("negotiation:{id}"), &page, "FINALIZED").await;
    assert!(finished.contains("/p/consumer/agreements/agr_"), "the way to the agreement");
    let provider = deal.provider.signed_in().await;
    let list = provider.page("/p/provider/negotiations").await;
    assert_eq!(state(&list), "FINALIZED");
    browser.page(&format!("/p/consumer/catalog?{query}")).await;
    assert!(browser.page("/p/consumer/negotiations").await.contains("Provider Ltd"), "who has a catalogue has a name");
    deal.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_person_is_decided_with_a_click() {
    let deal = Deal::offered().await;
    deal.provider.hold_requests().await;
    let (buyer, seller) = (deal.consumer.signed_in().await, deal.provider.signed_in().await);
    assert!(seller.page("/p/provider").await.contains("Nothing waits for you"));
    let yes = buyer.negotiate("consumer", &deal.provider.did(), "wind").await;
    let asked = deal.provider.until_asked().await;
    let home = seller.page("/p/provider").await;
    assert!(home.contains("Your decision"), "{home}");
    let here = format!("/p/provider/negotiations/{asked}");
    let page = seller.page(&here).await;
    assert_eq!(state(&page), "REQUESTED");
    let csrf = field(&page, "csrf");
    let wrong_side = seller.post(&format!("{here}/accept"), &[("csrf", &csrf)]).await;
    assert_eq!(wrong_side.status(), StatusCode::BAD_REQUEST);
    assert!(wrong_side.text().contains(&format!("href=\"{here}\"")), "the way back");
    let agreed = seller.post(&format!("{here}/agree"), &[("csrf", &csrf)]).await;
    assert_eq!((agreed.status(), agreed.location()), (StatusCode::SEE_OTHER, here));
    buyer.follow_until("consumer", &format!("negotiation:{}", id_of(&yes)), &yes, "FINALIZED").await;

    let no = buyer.negotiate("consumer", &deal.provider.did(), "wind").await;
    let asked = deal.provider.until_asked().await;
    let fields = [("csrf", csrf.as_str()), ("reason", "We sell to ports only.")];
    let ended = seller.post(&format!("/p/provider/negotiations/{asked}/terminate"), &fields).await;
    assert_eq!(ended.status(), StatusCode::SEE_OTHER);
    let seen = buyer.follow_until("consumer", &format!("negotiation:{}", id_of(&no)), &no, "TERMINATED").await;
    assert!(seen.contains("We sell to ports only."));
    deal.stop().await;
}

/// Terms of so many reads, as somebody types them.
fn reads(n: u32) -> String {
    format!(
        r#"{{"permission": [{{"action": "use", "constraint": [{{"leftOperand": "count", "operator": "lteq", "rightOperand": {n}}}]}}]}}"#
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn terms_are_countered_by_both_sides_until_one_agrees() {
    let deal = Deal::offered().await;
    deal.provider.hold_requests().await;
    deal.consumer.hold_everything().await;
    let (buyer, seller) = (deal.consumer.signed_in().await, deal.provider.signed_in().await);
    let page = buyer.negotiate("consumer", &deal.provider.did(), "wind").await;
    let topic = format!("negotiation:{}", id_of(&page));
    let asked = format!("/p/provider/negotiations/{}", deal.provider.until_asked().await);
    let seen = seller.page(&asked).await;
    assert!(!seen.contains("id=\"versions\""), "one version is nothing to compare");
    let (csrf, revision) = (field(&seen, "csrf"), field(&seen, "revision"));
    let offer = |terms: String| {
        let (seller, asked, csrf, revision) = (&seller, &asked, &csrf, &revision);
        async move { seller.post(&format!("{asked}/offer"), &[("csrf", csrf), ("revision", revision), ("terms", &terms)]).await }
    };
    for (wrong, said) in [
        ("{\"permission\": [".to_owned(), "This is not JSON"),
        (reads(5).replace("count", "fileFormat"), "fileFormat"),
        (reads(100), "These are the terms on the table"),
    ] {
        let refused = offer(wrong.clone()).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{wrong}");
        let text = refused.text();
        assert!(text.contains(said) && text.contains("aria-invalid=\"true\""), "{said}: {text}");
        assert!(text.contains(&wrong.replace('"', "&#34;")), "what was typed is kept");
    }
    let offered = offer(reads(5)).await;
    assert_eq!(offered.location(), asked, "{}", offered.text());
    let seen = buyer.follow_until("consumer", &topic, &page, "OFFERED").await;
    for said in ["id=\"versions\"", "It may be read at most 100 times.", "It may be read at most 5 times.", ">changed<"] {
        assert!(seen.contains(said), "{said}: {seen}");
    }
    let stale = offer(reads(4)).await;
    assert!(matches!(stale.status(), StatusCode::CONFLICT | StatusCode::BAD_REQUEST), "{}", stale.status());

    let own = field(&seen, "csrf");
    let stale = buyer.post(&format!("{page}/accept"), &[("csrf", &own), ("revision", "0")]).await;
    assert_eq!(stale.status(), StatusCode::CONFLICT, "terms that nobody looked at");
    let waiting = buyer.page("/p/consumer/waiting").await;
    assert!(waiting.contains("<bdi>wind</bdi>"), "{waiting}");
    assert!(waiting.contains("What differs from what you asked for"), "{waiting}");
    assert!(waiting.contains("<span class=\"badge\">1</span>"), "the menu counts");
    let fields = [("csrf", own.as_str()), ("revision", &field(&seen, "revision")), ("terms", &reads(50)), ("back", "waiting")];
    let countered = buyer.post(&format!("{page}/counter"), &fields).await;
    assert_eq!((countered.status(), countered.location().as_str()), (StatusCode::SEE_OTHER, "/p/consumer/waiting"));
    let done = buyer.page("/p/consumer/waiting").await;
    assert!(done.contains("Nothing waits for you") && done.contains("Your request for other terms is on its way"), "{done}");
    assert!(!done.contains("class=\"badge\""));

    let topic_there = asked.rsplit('/').next().map(|id| format!("negotiation:{id}")).expect("an id");
    let back = seller.follow_until("provider", &topic_there, &asked, "REQUESTED").await;
    assert!(back.contains("It may be read at most 50 times.") && back.contains("<select id=\"from\""), "three versions: {back}");
    let first_and_last = seller.page(&format!("{asked}?from=1&to=3")).await;
    assert!(first_and_last.contains("It may be read at most 100 times."), "{first_and_last}");
    let agreed = seller.post(&format!("{asked}/agree"), &[("csrf", &csrf), ("revision", &field(&back, "revision"))]).await;
    assert_eq!(agreed.status(), StatusCode::SEE_OTHER, "{}", agreed.text());
    // The consumer verifies by hand; the provider's rules put it in force by themselves.
    let seen = buyer.follow_until("consumer", &topic, &page, "AGREED").await;
    assert!(seen.contains(&format!("action=\"{page}/verify\"")) && seen.contains("You confirm that the agreement says"), "{seen}");
    assert_eq!(buyer.post(&format!("{page}/verify"), &[("csrf", &own)]).await.status(), StatusCode::SEE_OTHER);
    seller.follow_until("provider", &topic_there, &asked, "FINALIZED").await;
    let end = buyer.follow_until("consumer", &topic, &page, "FINALIZED").await;
    assert!(end.contains("It may be read at most 50 times."), "{end}");
    deal.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_is_bargained_for_without_reading_odrl() {
    let deal = Deal::offered_at(Some(Price::read("80 CNY").expect("a price"))).await;
    deal.provider.hold_requests().await;
    deal.consumer.hold_everything().await;
    let (buyer, seller) = (deal.consumer.signed_in().await, deal.provider.signed_in().await);
    let query =
        url::form_urlencoded::Serializer::new(String::new()).append_pair("peer", &deal.provider.did()).append_pair("id", "wind").finish();
    let product = format!("/p/consumer/catalog/product?{query}");
    assert_eq!(field(&buyer.page(&product).await, "price"), "80.00 CNY");
    let page = buyer.negotiate_at("consumer", &product, Some("60 CNY")).await;
    let topic = format!("negotiation:{}", id_of(&page));
    let asked = format!("/p/provider/negotiations/{}", deal.provider.until_asked().await);
    let seen = seller.page(&asked).await;
    assert!(seen.contains("It costs <bdi>60.00</bdi> CNY once"), "{seen}");
    assert_eq!(field(&seen, "price"), "60.00 CNY");

    let (csrf, revision) = (field(&seen, "csrf"), field(&seen, "revision"));
    let on_table = Policy::from_odrl(&serde_json::from_str(&reads(100)).expect("JSON")).expect("terms");
    let on_table = on_table.at(Some(Price::read("60 CNY").expect("a price"))).to_odrl().to_string();
    let offer = |price: &'static str| {
        let fields = [("csrf", csrf.clone()), ("revision", revision.clone()), ("terms", on_table.clone()), ("price", price.to_owned())];
        let (seller, asked) = (&seller, &asked);
        async move { seller.post(&format!("{asked}/offer"), &fields.each_ref().map(|(name, value)| (*name, value.as_str()))).await }
    };
    for (wrong, said) in
        [("75", "offer-price-problem"), ("75 RMB", "offer-price-problem"), ("60.00 CNY", "These are the terms on the table")]
    {
        let refused = offer(wrong).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{wrong}");
        let text = refused.text();
        assert!(text.contains(said) && field(text, "price") == wrong, "{said}: {text}");
    }
    assert_eq!(offer("75 CNY").await.status(), StatusCode::SEE_OTHER);
    let seen = buyer.follow_until("consumer", &topic, &page, "OFFERED").await;
    assert!(seen.contains("It costs <bdi>75.00</bdi> CNY once") && seen.contains("It may be read at most 100 times."), "{seen}");

    // What was typed into the terms stays where the price was left alone, and a price that is taken out is none.
    let (own, revision) = (field(&seen, "csrf"), field(&seen, "revision"));
    let fields = [("csrf", own.as_str()), ("revision", &revision), ("terms", &reads(50)), ("price", "")];
    assert_eq!(buyer.post(&format!("{page}/counter"), &fields).await.status(), StatusCode::SEE_OTHER);
    let topic_there = asked.rsplit('/').next().map(|id| format!("negotiation:{id}")).expect("an id");
    let back = seller.follow_until("provider", &topic_there, &asked, "REQUESTED").await;
    assert_eq!(field(&back, "price"), "", "free of charge");
    assert!(back.contains("It may be read at most 50 times."), "{back}");
    deal.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_is_decided_in_chinese() {
    let deal = Deal::offered().await;
    deal.provider.hold_requests().await;
    let (buyer, seller) = (deal.consumer.signed_in().await, deal.provider.signed_in().await);
    seller.get("/language?to=zh&next=%2Fp%2Fprovider").await;
    assert!(seller.page("/p/provider/waiting").await.contains("没有待处理事项"));
    let page = buyer.negotiate("consumer", &deal.provider.did(), "wind").await;
    let asked = deal.provider.until_asked().await;
    let queue = seller.page("/p/provider/waiting").await;
    for said in ["最多可读取 100 次。", "与您发布的条款一致。", "批准并签署", "提出其他条款…", "已等待"] {
        assert!(queue.contains(said), "{said}: {queue}");
    }
    let csrf = field(&queue, "csrf");
    let action = format!("/p/provider/negotiations/{asked}");
    let typed = [("csrf", csrf.as_str()), ("terms", "[]"), ("back", "waiting")];
    let refused = seller.post(&format!("{action}/offer"), &typed).await;
    assert!(refused.status() == StatusCode::BAD_REQUEST && refused.text().contains("aria-invalid"), "{}", refused.text());
    let fields = [("csrf", csrf.as_str()), ("reason", "仅向港口出售。"), ("back", "waiting")];
    assert_eq!(seller.post(&format!("{action}/terminate"), &fields).await.location(), "/p/provider/waiting");
    let seen = buyer.follow_until("consumer", &format!("negotiation:{}", id_of(&page)), &page, "TERMINATED").await;
    assert!(seen.contains("仅向港口出售。") && seen.contains("Ended by"), "{seen}");
    deal.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agreement_is_downloaded_and_hashes_to_its_digest() {
    let deal = Deal::make().await;
    for (node, slug) in [(&deal.provider, "provider"), (&deal.consumer, "consumer")] {
        let browser = node.signed_in().await;
        let page = format!("/p/{slug}/agreements/{}", deal.agreement);
        let html = browser.page(&page).await;
        let document = browser.get(&format!("{page}/document")).await;
        assert_eq!(document.header("content-disposition"), format!("attachment; filename=\"agreement-{}.json\"", deal.agreement));
        let digest = fondaco_core::canonical::sha256_hex(document.text().as_bytes());
        assert!(html.contains(&digest), "the file is what the digest is of");
    }
    deal.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_says_what_is_wrong_and_what_to_do() {
    let deal = Deal::make().await;
    let browser = deal.consumer.signed_in().await;
    let page = browser.page("/p/consumer/node").await;
    for said in
        ["It answers.", "SQLite", "No backup was ever made here.", "fondaco backup", "free of", "The one known peer answered last time."]
    {
        assert!(page.contains(said), "{said}: {page}");
    }
    // The other side goes away, and something is to be told to it.
    let Deal { provider, consumer, transfer, .. } = deal;
    provider.stop().await;
    let own = format!("/p/consumer/transfers/{transfer}");
    let csrf = field(&browser.page(&own).await, "csrf");
    let ended = browser.post(&format!("{own}/complete"), &[("csrf", &csrf)]).await;
    assert_eq!(ended.status(), StatusCode::SEE_OTHER);
    consumer.until_a_job_fails().await;
    let after = browser.page(&own).await;
    assert!(after.contains("has not reached the other side yet"), "after the end, too: {after}");
    let page = browser.page("/p/consumer/node").await;
    assert!(page.contains("A message of a transfer is to be sent to its peer.") && page.contains(&format!("href=\"{own}\"")), "{page}");
    browser.get("/language?to=zh&next=%2Fp%2Fconsumer").await;
    assert!(browser.page("/p/consumer/node").await.contains("此节点从未备份。"));
    consumer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn access_is_asked_for_paused_and_ended() {
    let deal = Deal::make().await;
    let (buyer, seller) = (deal.consumer.signed_in().await, deal.provider.signed_in().await);
    let agreement = format!("/p/consumer/agreements/{}", deal.agreement);
    let page = buyer.page(&agreement).await;
    assert!(page.contains("load_as_pandas") && page.contains("provider.default.wind"), "the three lines");
    let profile = buyer.get(&format!("{agreement}/profile")).await;
    assert_eq!(profile.header("content-disposition"), "attachment; filename=\"wind.share\"");
    let profile: serde_json::Value = serde_json::from_str(profile.text()).expect("JSON");
    assert_eq!(profile["shareCredentialsVersion"], 1);

    let list = seller.page("/p/provider/transfers").await;
    let transfer = path_in(&list, "/p/provider/transfers/trf_").to_owned();
    let csrf = field(&seller.page(&transfer).await, "csrf");
    let own = format!("/p/consumer/transfers/{}", deal.transfer);
    let topic = format!("transfer:{}", deal.transfer);
    let paused = seller.post(&format!("{transfer}/suspend"), &[("csrf", &csrf), ("reason", "maintenance <b>tonight</b>")]).await;
    assert_eq!(paused.location(), transfer);
    let seen = buyer.follow_until("consumer", &topic, &own, "SUSPENDED").await;
    assert!(seen.contains("maintenance &#60;b&#62;tonight"), "the reason, as text");
    let refused = buyer.post(&format!("{own}/resume"), &[("csrf", &field(&seen, "csrf"))]).await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    assert!(refused.text().contains("FDC-3001"));
    assert_eq!(buyer.get(&format!("{agreement}/profile")).await.status(), StatusCode::CONFLICT, "a GET begins nothing");

    // In an emergency the provider stops it, and takes that back; the transfer paused by hand before is not resumed by it.
    let theirs = format!("/p/provider/agreements/{}", deal.agreement);
    let stopped = seller.post(&format!("{theirs}/stop"), &[("csrf", &csrf), ("reason", "a leak <i>here</i>")]).await;
    assert_eq!(stopped.status(), StatusCode::SEE_OTHER);
    let page = seller.page(&stopped.location()).await;
    assert!(page.contains("The agreement is stopped.") && page.contains("a leak &#60;i&#62;here"), "{page}");
    let page = buyer.follow_until("consumer", &format!("agreement:{}", deal.agreement), &agreement, "STOPPED").await;
    assert!(page.contains("a leak &#60;i&#62;here") && !page.contains("agreements/stop"), "{page}");
    let resumed = seller.post(&format!("{theirs}/resume"), &[("csrf", &csrf)]).await;
    assert!(seller.page(&resumed.location()).await.contains("The agreement is resumed."));
    let silent = seller.post(&format!("{theirs}/end"), &[("csrf", &csrf), ("reason", "sold")]).await;
    assert_eq!(silent.status(), StatusCode::CONFLICT);
    assert!(silent.text().contains("FDC-3009"), "{}", silent.text());
    assert!(seller.page("/p/provider/agreements?state=active").await.contains(&deal.agreement));
    assert!(!seller.page("/p/provider/agreements?state=ended").await.contains(&deal.agreement));
    let ended = seller.post(&format!("{transfer}/terminate"), &[("csrf", &csrf)]).await;
    assert_eq!(ended.status(), StatusCode::SEE_OTHER);
    buyer.follow_until("consumer", &topic, &own, "TERMINATED").await;
    // The consumer renews it at the terms of today.
    let csrf = field(&buyer.page(&agreement).await, "csrf");
    let renewed = buyer.post(&format!("{agreement}/renew"), &[("csrf", &csrf)]).await;
    assert!(renewed.location().starts_with("/p/consumer/negotiations/neg_"), "{}", renewed.location());
    deal.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_is_not_there_is_told_beside_the_form() {
    let node = Node::start("acme").await;
    let browser = node.signed_in().await;
    for (peer, code) in [("not an address", 400), ("did:web:127.0.0.1%3A9:p:nobody", 502), ("http://192.168.0.1/p/x", 400)] {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("peer", peer).finish();
        let answer = browser.get(&format!("/p/acme/catalog?{query}")).await;
        assert_eq!(answer.status().as_u16(), code, "{peer}");
        assert!(answer.text().contains(&format!("value=\"{peer}\"")), "{peer} is kept in the form");
    }
    assert_eq!(browser.get("/p/acme/catalog").await.status(), StatusCode::OK, "of all peers");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deal_is_made_in_chinese() {
    let deal = Deal::offered().await;
    let stranger = Browser::new(&deal.consumer);
    let asked = stranger.get_accepting("zh-CN,zh;q=0.9,en;q=0.8", "/login?next=%2Fp%2Fconsumer").await;
    assert_eq!((asked.header("content-language").as_str(), asked.header("vary").as_str()), ("zh-CN", "cookie, accept-language"));
    assert!(asked.text().contains("<html lang=\"zh-CN\">") && asked.text().contains("登录"));
    assert!(asked.text().contains("/language?to=en&amp;next=%2Flogin%3Fnext%3D%252Fp%252Fconsumer"), "the switch keeps the page");
    let unasked = stranger.get("/login").await;
    assert_eq!(unasked.header("content-language"), "en", "English where the browser says nothing");

    let browser = deal.consumer.signed_in().await;
    let peer = deal.provider.did();
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("peer", &peer).append_pair("id", "wind").finish();
    let path = format!("/p/consumer/catalog/product?{query}");
    let next: String = url::form_urlencoded::byte_serialize(path.as_bytes()).collect();
    let chosen = browser.get(&format!("/language?to=zh&next={next}")).await;
    assert_eq!((chosen.status(), chosen.location()), (StatusCode::SEE_OTHER, path.clone()));
    assert!(chosen.header("set-cookie").contains("fondaco_lang"), "{}", chosen.header("set-cookie"));
    let english_browser = browser.get_accepting("en", &path).await;
    assert_eq!(english_browser.header("content-language"), "zh-CN", "what was chosen counts for more");
    assert!(english_browser.text().contains("最多可读取 100 次。"), "the terms in words: {}", english_browser.text());

    let page = browser.negotiate("consumer", &peer, "wind").await;
    let begun = browser.page(&page).await;
    assert!(begun.contains("请求已发出。本页会跟踪后续进展。"), "the notice");
    let finished = browser.follow_until("consumer", &format!("negotiation:{}", id_of(&page)), &page, "FINALIZED").await;
    assert!(finished.contains("签署了合约") && finished.contains("查看合约") && finished.contains("已订立"));
    let missing = browser.get("/p/consumer/nowhere").await;
    assert_eq!((missing.status(), missing.header("content-language").as_str()), (StatusCode::NOT_FOUND, "zh-CN"));
    let nowhere = browser.get("/p/consumer/catalog?peer=nowhere").await;
    assert!(nowhere.text().contains("不允许访问该地址"), "{}", nowhere.text());
    let about = browser.get("/errors/FDC-2005").await;
    assert_eq!((about.status(), about.header("content-language").as_str()), (StatusCode::OK, "zh-CN"));
    assert!(about.text().starts_with("# FDC-2005: 不允许访问该地址\n") && about.text().contains("## 怎么办"));
    let unasked = stranger.get("/errors/FDC-2005").await;
    assert!(unasked.text().starts_with("# FDC-2005: The address is not allowed\n"), "{}", unasked.text());
    let unknown = browser.get("/p/consumer/catalog?peer=did:web:").await;
    assert!(unknown.text().contains("不是可用的 did:web") && unknown.text().contains("其主机名无效"), "{}", unknown.text());

    for next in ["https://evil.example/", "//evil.example", "/\\evil.example", "/api/v1/node", "/logout"] {
        let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
        assert_eq!(browser.get(&format!("/language?to=en&next={next}")).await.location(), "/", "{next}");
    }
    assert_eq!(browser.get("/language?to=tlh").await.status(), StatusCode::BAD_REQUEST);
    deal.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_of_known_topics_and_end_with_the_node() {
    let node = Node::start("acme").await;
    let browser = node.signed_in().await;
    assert_eq!(browser.get("/p/acme/events?topic=node").await.status(), StatusCode::BAD_REQUEST);
    let mut stream = browser.stream("/p/acme/events?topic=negotiation:neg_x").await;
    node.stop().await;
    // Ends, rather than being cut off: no error, nothing more.
    while let Some(part) = stream.next().await {
        part.expect("an orderly end");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_is_added_searched_and_removed_in_both_languages() {
    let deal = Deal::offered().await;
    let browser = deal.consumer.signed_in().await;
    let none = browser.page("/p/consumer/catalog").await;
    assert!(none.contains("Add a peer"), "nobody is known yet");
    let csrf = field(&none, "csrf");
    let peer = deal.provider.did();
    let nowhere = browser.post("/p/consumer/peers", &[("csrf", &csrf), ("peer", "not an address")]).await;
    assert!(nowhere.status().is_client_error() && nowhere.text().contains("aria-invalid"), "{}", nowhere.status());
    let added = browser.post("/p/consumer/peers", &[("csrf", &csrf), ("peer", &peer)]).await;
    assert_eq!(added.status(), StatusCode::SEE_OTHER, "{}", added.text());
    let page = browser.page(&added.location()).await;
    assert!(page.contains("Wind at the coast") && page.contains("Provider Ltd") && page.contains("read just now"), "{page}");

    let query = |pairs: &[(&str, &str)]| url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let found = browser.page(&format!("/p/consumer/catalog?{}", query(&[("q", "PIER"), ("kind", "table")]))).await;
    assert!(found.contains("1 product for") && found.contains("Wind at the coast"), "the description is searched: {found}");
    for nothing in [[("q", "unicorn")], [("kind", "files")], [("language", "zz")]] {
        assert!(!browser.page(&format!("/p/consumer/catalog?{}", query(&nothing))).await.contains("Wind at the coast"), "{nothing:?}");
    }
    let long = format!("/p/consumer/catalog?q={}", "x".repeat(201));
    assert_eq!(browser.get(&long).await.status(), StatusCode::BAD_REQUEST);
    let product = browser.page(&format!("/p/consumer/catalog/product?{}", query(&[("peer", &peer), ("id", "wind")]))).await;
    assert!(product.contains("read just now") && product.contains("DeltaSharing-PULL"), "from the copy");

    browser.get("/language?to=zh&next=%2Fp%2Fconsumer").await;
    let chinese = browser.page("/p/consumer/catalog").await;
    assert!(chinese.contains("lang=\"zh-CN\"") && chinese.contains("共 1 个产品") && chinese.contains("数据表"), "{chinese}");
    assert!(browser.page("/p/consumer/peers").await.contains("已知对等方"));
    let removed = browser.post(&format!("{}/remove", added.location()), &[("csrf", &csrf)]).await;
    assert_eq!(removed.location(), "/p/consumer/peers");
    assert!(!browser.page("/p/consumer/catalog").await.contains("Wind at the coast"));
    assert_eq!(browser.get(&added.location()).await.status(), StatusCode::NOT_FOUND);
    deal.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn our_products_are_narrowed() {
    let deal = Deal::offered().await;
    let browser = deal.provider.signed_in().await;
    for (query, shown) in
        [("", true), ("?q=coast", true), ("?q=unicorn", false), ("?kind=table", true), ("?kind=files", false), ("?state=withdrawn", false)]
    {
        let page = browser.page(&format!("/p/provider/products{query}")).await;
        assert_eq!(page.contains("Wind at the coast"), shown, "{query}");
    }
    deal.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_added_changed_and_removed() {
    let node = Node::start("acme").await;
    let browser = node.signed_in().await;
    let csrf = field(&browser.page("/p/acme/people").await, "csrf");
    let fields = [("csrf", csrf.as_str()), ("login", "mei"), ("name", "Mei Lin"), ("participants", "acme"), ("access", "member")];
    let added = browser.post("/p/acme/people", &fields).await;
    assert_eq!(added.status(), StatusCode::OK, "{}", added.text());
    let secret = |page: &str| {
        let start = page.find("id=\"secret\"><code>").expect("the password") + "id=\"secret\"><code>".len();
        page[start..start + page[start..].find('<').expect("its end")].to_owned()
    };
    let first = secret(added.text());
    assert!(!browser.page("/p/acme/people").await.contains(&first), "once");
    assert_eq!(browser.post("/p/acme/people", &fields).await.status(), StatusCode::CONFLICT, "the name is taken");

    let mei = node.sign_in("mei", &first).await;
    let page = mei.page("/p/acme/people").await;
    assert!(!page.contains("name=\"login\"") && !page.contains("/people/usr_"), "she does not run the node");
    let hers = field(&page, "csrf");
    assert_eq!(mei.post("/p/acme/people", &[("csrf", &hers), ("login", "eve"), ("access", "admin")]).await.status(), StatusCode::NOT_FOUND);
    let own = |old: &str, new: &str| [("csrf", hers.clone()), ("old", old.to_owned()), ("new", new.to_owned())];
    let change = async |old: &str, new: &str| {
        let fields = own(old, new);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
        mei.post("/p/acme/people/password", &fields).await
    };
    assert_eq!(change("wrong", "a password of her own").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(change(&first, "short").await.status(), StatusCode::BAD_REQUEST);
    let other = node.sign_in("mei", &first).await;
    assert_eq!(change(&first, "a password of her own").await.status(), StatusCode::SEE_OTHER);
    assert_eq!(other.get("/p/acme").await.status(), StatusCode::SEE_OTHER, "her other session is over");
    assert_eq!(mei.get("/p/acme").await.status(), StatusCode::OK, "this one goes on");

    let people = browser.page("/p/acme/people").await;
    let remove = people.match_indices("/p/acme/people/usr_").map(|(at, _)| &people[at..]).find_map(|rest| {
        let path = &rest[..rest.find('"')?];
        path.ends_with("/remove").then_some(path)
    });
    let remove = remove.expect("only others can be removed");
    let her = remove.trim_end_matches("/remove");
    let reset = browser.post(&format!("{her}/password"), &[("csrf", &csrf)]).await;
    let second = secret(reset.text());
    assert_eq!(mei.get("/p/acme").await.status(), StatusCode::SEE_OTHER, "a new password ends her sessions");
    let mei = node.sign_in("mei", &second).await;
    let changed = browser.post(her, &[("csrf", &csrf), ("name", "Mei"), ("participants", ""), ("access", "member")]).await;
    assert_eq!(changed.location(), "/p/acme/people");
    assert_eq!(mei.get("/p/acme").await.status(), StatusCode::NOT_FOUND, "she acts for nobody now");
    assert_eq!(browser.post(remove, &[("csrf", &csrf)]).await.location(), "/p/acme/people");
    assert_eq!(mei.get("/").await.location(), "/login", "she is gone");
    let again = browser.post(remove, &[("csrf", &csrf)]).await;
    assert_eq!(again.status(), StatusCode::NOT_FOUND);
    node.stop().await;
}
