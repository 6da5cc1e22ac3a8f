//! Asking what was agreed: statements over HTTP, under terms that hide a part of the table.

use fondaco_core::ids::TransferId;
use fondaco_testkit::{Answer, TestPair, eventually, http, tables};
use reqwest::Method;
use serde_json::{Value, json};

/// Three sites of six rows each; one is not shown, nor is who reports.
const MACHINES: &str = "site,hour,temperature,reporter
Suzhou,0,10.5,SECRET-a\nSuzhou,1,11.5,SECRET-a\nSuzhou,2,12.5,SECRET-b\nSuzhou,3,13.5,SECRET-b\nSuzhou,4,14.5,SECRET-c\nSuzhou,5,15.5,SECRET-c
Hidden,0,900.5,SECRET-d\nHidden,1,901.5,SECRET-d\nHidden,2,902.5,SECRET-e\nHidden,3,903.5,SECRET-e\nHidden,4,904.5,SECRET-f\nHidden,5,905.5,SECRET-f
Wuxi,0,20.5,SECRET-g\nWuxi,1,21.5,SECRET-g\nWuxi,2,22.5,SECRET-h\n";

fn terms(constraints: &[Value]) -> Value {
    json!({"@type": "Offer", "permission": [{"action": "use", "constraint": constraints}]})
}

fn shown() -> Vec<Value> {
    vec![
        json!({"leftOperand": "fields", "operator": "isAnyOf", "rightOperand": ["site", "hour", "temperature"]}),
        json!({"leftOperand": "rowFilter", "operator": "eq", "rightOperand": "site <> 'Hidden'"}),
    ]
}

/// Access to statements about a table of a provider's.
struct Asking {
    pair: TestPair,
    agreement: String,
    transfer: String,
    token: String,
}

impl Asking {
    async fn under(constraints: Vec<Value>) -> Self {
        let pair = TestPair::start().await;
        pair.provider.publish("machines", MACHINES, &[terms(&constraints)]).await;
        let agreement = pair.agree("machines").await;
        pair.consumer.post(&format!("/agreements/{agreement}/access"), &json!({"waitSeconds": 30})).await;
        let transfers = pair.provider.get("/transfers").await.must(200);
        let transfer = transfers["transfers"][0]["id"].as_str().expect("a transfer").to_owned();
        let minted = pair.provider.app.access_tokens.mint(&pair.provider.slug, &TransferId::from_stored(transfer.clone()));
        Self { agreement, transfer, token: minted.expect("a token"), pair }
    }

    async fn send(&self, token: &str, accept: &str, body: &Value) -> Answer {
        let url = format!("{}/p/provider/sql/query", self.pair.provider.public_url);
        let request = http::request(&http::client(), Method::POST, &url, Some(token), Some(body)).header("accept", accept);
        let answer = http::send(request).await;
        let text = answer.text();
        assert!(!text.contains("SECRET") && !text.contains("Hidden") && !text.contains("905.5"), "{text}");
        answer
    }

    async fn ask(&self, sql: &str) -> Answer {
        self.send(&self.token, "application/json", &json!({"sql": sql})).await
    }

    async fn reads(&self) -> u64 {
        let id = self.pair.provider.get("/agreements").await.must(200)["agreements"][0]["id"].as_str().expect("id").to_owned();
        self.pair.provider.get(&format!("/agreements/{id}")).await.must(200)["reads"].as_u64().expect("a number")
    }
}

#[tokio::test]
async fn statements_see_what_the_terms_show() {
    let asking = Asking::under(shown()).await;
    let answer = asking.ask("SELECT site, count(*) AS n, max(temperature) AS t FROM machines GROUP BY site ORDER BY site").await;
    assert_eq!(answer.must(200)["rows"], json!([{"site": "Suzhou", "n": 6, "t": 15.5}, {"site": "Wuxi", "n": 3, "t": 22.5}]));
    assert_eq!(answer.header("content-type"), "application/json");
    let columns = asking.ask("SELECT * FROM \"default\".machines").await.must(200);
    let names: Vec<&str> = columns["columns"].as_array().expect("columns").iter().map(|c| c["name"].as_str().expect("name")).collect();
    assert_eq!(names, ["site", "hour", "temperature"]);
    let arrow = asking.send(&asking.token, "application/vnd.apache.arrow.stream", &json!({"sql": "SELECT hour FROM machines"})).await;
    assert_eq!((arrow.status, arrow.header("content-type")), (200, "application/vnd.apache.arrow.stream"));
    assert_eq!(asking.reads().await, 3, "each is a read");

    assert_eq!(asking.ask("SELECT reporter FROM machines").await.refused(400), "FDC-1001");
    assert_eq!(asking.ask("DROP TABLE machines").await.refused(400), "FDC-1001");
    assert_eq!(
        asking.ask("SELECT * FROM machines a, machines b, machines c, machines d, machines e, machines f").await.refused(422),
        "FDC-3013"
    );
    assert_eq!(asking.send(&asking.token, "*/*", &json!({"query": "SELECT 1"})).await.refused(400), "FDC-1001");
    assert_eq!(asking.send("fda_x", "*/*", &json!({"sql": "SELECT 1"})).await.refused(401), "FDC-1002");
    assert_eq!(asking.reads().await, 4, "what is refused is no read, what failed on what it saw is");
    asking.pair.shutdown().await;
}

#[tokio::test]
async fn a_table_that_is_asked_again_is_written_for_it_and_answers_the_same() {
    const STATEMENTS: [&str; 3] = [
        "SELECT site, count(*) AS n, max(temperature) AS t FROM machines GROUP BY site ORDER BY site",
        "SELECT count(*) AS n, min(hour) AS a FROM machines",
        "SELECT hour, temperature FROM machines WHERE temperature > 13 ORDER BY temperature DESC LIMIT 4",
    ];
    let asking = Asking::under(shown()).await;
    let cache = asking.pair.provider.app.config.governed_dir();
    let written = || {
        let files = std::fs::read_dir(&cache).into_iter().flatten().flatten();
        files.filter(|file| file.path().extension().is_some_and(|e| e == "parquet")).count()
    };
    let first = asking.ask(STATEMENTS[0]).await.must(200);
    assert_eq!(written(), 0, "who asks once may never ask again");
    let mut before = vec![first];
    for sql in &STATEMENTS[1..] {
        before.push(asking.ask(sql).await.must(200));
    }
    eventually("a copy", async || (written() == 1).then_some(())).await;
    for (sql, before) in STATEMENTS.iter().zip(&before) {
        assert_eq!(asking.ask(sql).await.must(200), *before, "{sql}");
    }
    assert_eq!(asking.ask("SELECT reporter FROM machines").await.refused(400), "FDC-1001");
    std::fs::remove_dir_all(&cache).expect("it may be deleted at any time");
    assert_eq!(asking.ask(STATEMENTS[1]).await.must(200), before[1]);
    asking.pair.shutdown().await;
}

#[tokio::test]
async fn reads_are_counted_and_end_with_access() {
    let mut constraints = shown();
    constraints.push(json!({"leftOperand": "count", "operator": "lteq", "rightOperand": 2}));
    let asking = Asking::under(constraints).await;
    for _ in 0..2 {
        asking.ask("SELECT count(*) AS n FROM machines").await.must(200);
    }
    assert_eq!(asking.ask("SELECT count(*) AS n FROM machines").await.refused(403), "FDC-3004");
    let suspended = asking.pair.provider.post(&format!("/transfers/{}/suspend", asking.transfer), &json!({"reason": "test"})).await;
    assert!(matches!(suspended.status, 200 | 202), "{}", suspended.text());
    eventually("access ends", || async { (asking.ask("SELECT 1").await.refused(403) == "FDC-3005").then_some(()) }).await;
    assert!(!asking.agreement.is_empty());
    asking.pair.shutdown().await;
}

#[tokio::test]
async fn small_groups_disappear() {
    let mut constraints = shown();
    constraints.push(json!({"leftOperand": "minGroupSize", "operator": "gteq", "rightOperand": 5}));
    let asking = Asking::under(constraints).await;
    let answer = asking.ask("SELECT site, avg(temperature) AS t FROM machines GROUP BY site").await.must(200);
    assert_eq!(answer["rows"], json!([{"site": "Suzhou", "t": 13.0}]));
    let refused = asking.ask("SELECT * FROM machines").await;
    assert!(refused.text().contains("at least 5 rows"), "{}", refused.text());
    assert_eq!(refused.refused(400), "FDC-1001");
    asking.pair.shutdown().await;
}

#[tokio::test]
async fn a_table_without_such_terms_is_asked_all_the_same() {
    let pair = TestPair::start().await;
    pair.provider.publish("wind", tables::WIND, &[]).await;
    let agreement = pair.agree("wind").await;
    let access = pair.access(&agreement).await;
    let url = format!("{}/p/provider/sql/query", pair.provider.public_url);
    let body = json!({"sql": "SELECT station, avg(wind_m_s) AS w FROM wind GROUP BY station ORDER BY station"});
    let answer = http::send(http::request(&http::client(), Method::POST, &url, Some(&access.share.token), Some(&body))).await;
    assert_eq!(answer.must(200)["rows"], json!([{"station": "pier", "w": 4.0}, {"station": "tower", "w": null}]));
    pair.shutdown().await;
}
