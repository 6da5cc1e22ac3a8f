//! Reports of a deal: asked for, and by schedule.

use fondaco_core::{Code, Result, report::Every, time::Micros};
use fondaco_testkit::{TestPair, eventually};
use serde_json::{Value, json};
use std::fs;

const DAY: Micros = Micros::from_secs(86_400);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_says_what_was_logged_and_by_schedule_it_is_written_once() {
    let pair = TestPair::with_wind().await;
    let agreement = pair.agree("wind").await;
    let access = pair.access(&agreement).await;
    assert!(!access.files().await.is_empty());
    let node = &pair.provider;
    let transfer = pair.provider_transfer(&access.transfer).await;
    node.post(&format!("/transfers/{transfer}/suspend"), &json!({"reason": "=1+1"})).await.must(200);
    eventually("the suspension to be logged", async || {
        let found = node.get(&format!("/evidence?object={transfer}")).await.must(200);
        found["evidence"].as_array().expect("a list").iter().any(|row| row["kind"] == "transfer-suspended").then_some(())
    })
    .await;
    let now = node.app.now();
    let query = |format: &str| format!("/report?from={}&to={}&format={format}", now.plus(Micros(-DAY.0)), now.plus(DAY));
    let report = node.get(&query("json")).await.must(200);
    assert_eq!((&report["agreements"][0]["agreement"], &report["agreements"][0]["product"]), (&json!(agreement), &json!("wind")));
    assert_eq!(report["agreements"][0]["peer"], pair.consumer.did.to_string());
    let steps: Vec<&Value> = report["transfers"].as_array().expect("transfers").iter().map(|step| &step["what"]).collect();
    assert_eq!(steps, ["transfer-started", "transfer-suspended"], "{report}");
    assert_eq!(report["log"]["origin"], node.app.log_origin());
    assert!(report["log"]["lastLeaf"].as_u64() < report["log"]["size"].as_u64() && report["leaves"].as_u64() >= Some(5), "{report}");
    let csv = node.get(&query("csv")).await;
    assert!(csv.header("content-type").starts_with("text/csv") && csv.text().contains("'=1+1"), "{}", csv.text());
    let html = node.get(&query("html")).await;
    assert_eq!(html.header("content-disposition"), "attachment");
    assert!(html.text().contains(&agreement) && !html.text().contains("<script"), "{}", html.text());
    for wrong in ["/report?from=2026-11-02&to=2026-11-01", "/report?from=soon&to=2026-11-01", "/report?from=2020-01-01&to=2026-11-01"] {
        assert_eq!(node.get(wrong).await.refused(400), "FDC-1001", "{wrong}");
    }
    assert_eq!(node.get(&query("pdf")).await.refused(400), "FDC-1001");

    // Tomorrow, today is over.
    let tomorrow = now.plus(DAY);
    let name = Every::Day.period_of(now).expect("a day").name;
    let file = node.dir().join("reports").join(node.slug.as_str()).join(format!("{name}.csv"));
    assert_eq!(node.app.reports_write(Every::Day, tomorrow).await.expect("written"), 1);
    let written = fs::read_to_string(&file).expect("a report");
    assert!(written.contains(&agreement) && file.with_extension("html").is_file());
    fs::write(&file, "mine").expect("write");
    assert_eq!(node.app.reports_write(Every::Day, tomorrow).await.expect("done"), 0);
    assert_eq!(node.app.reports_write(Every::Day, tomorrow.plus(Micros(3 * DAY.0))).await.expect("made up for"), 3);
    assert_eq!(fs::read_to_string(&file).expect("a report"), "mine", "what is there is left as it is");

    // Stopped between the two files of a report: the other one alone is written.
    let page = file.with_extension("html");
    fs::write(&page, "mine too").expect("write");
    fs::remove_file(&file).expect("removed");
    let forgotten = node.app.store.tx("test.forget", |tx| -> Result<_> { Ok(tx.setting_put("reports.done", &json!({}))?) });
    forgotten.await.expect("forgotten");
    assert_eq!(node.app.reports_write(Every::Day, tomorrow).await.expect("written"), 1);
    assert_eq!(fs::read_to_string(&page).expect("a report"), "mine too", "what is there is left as it is");
    assert!(fs::read_to_string(&file).expect("a report").contains(&agreement));

    // The node stops in the middle: the rest is written when it runs again.
    node.app.stopping.cancel();
    let later = tomorrow.plus(Micros(9 * DAY.0));
    assert_eq!(node.app.reports_write(Every::Day, later).await.expect_err("not now").code(), Code::Unavailable);
    pair.shutdown().await;
}
