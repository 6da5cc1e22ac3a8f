//! Refusals that were counted are written down when the node stops, those of its last moments too.

use fondaco_core::time::Micros;
use fondaco_node::{
    config::Config,
    init::{InitOptions, init},
    node::Node,
};
use tempfile::TempDir;
use tokio::net::TcpListener;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_refused_while_the_node_stops_is_counted() {
    let dir = TempDir::new().expect("a folder");
    let public = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let admin = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = |l: &TcpListener| l.local_addr().expect("an address").to_string();
    let made = init(InitOptions {
        dir: dir.path().to_owned(),
        participant: "alpha".into(),
        name: "Alpha Ltd".into(),
        country: None,
        public: Some(format!("http://{}", address(&public))),
        admin: Some(address(&admin)),
        database: None,
    })
    .await
    .expect("a node is made");
    let config = Config::load(dir.path()).expect("the configuration");
    let running = Node::start_on(config, public, admin).await.expect("it starts");
    let (app, slug) = (running.app.clone(), made.participant.slug);
    app.stopping.cancel();
    for _ in 0..3 {
        app.note_refused(&slug, "agr_1", "FDC-2001 count").await.expect("counted");
    }
    running.shutdown().await;
    let next_hour = app.now().plus(Micros::from_secs(3_600));
    let sums = app.store.tx("test.refusals", move |tx| -> fondaco_core::Result<_> { Ok(tx.refusals_take(next_hour)?) }).await;
    assert_eq!(sums.expect("sums").iter().map(|sum| sum.refusals).sum::<u64>(), 3);
}
