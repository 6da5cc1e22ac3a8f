//! What a transaction promises: all or nothing, told apart from its neighbours, refused where it cannot be kept.

use crate::{
    on_both,
    samples::{participant, slug},
    world::World,
};
use fondaco_core::{Code, Error};
use fondaco_store::{NewEvent, Store, StoreConfig, StoreError, Tx};
use serde_json::json;
use std::sync::{Arc, mpsc};
use tokio::sync::broadcast::error::TryRecvError;

on_both!(
    every_statement_compiles,
    an_error_rolls_back,
    a_panic_is_an_error_and_the_thread_goes_on,
    a_failed_statement_cannot_be_ignored,
    one_failing_closure_leaves_its_group_alone,
    a_read_cannot_write,
    events_are_heard_after_the_commit_only,
    a_database_from_the_future_is_refused,
    values_no_database_holds_are_refused,
);

async fn every_statement_compiles(world: World) {
    let checked = world.store.check_statements().await.expect("all compile");
    assert!(checked > 80, "{checked} statements");
}

async fn exists(store: &Store, name: &'static str) -> bool {
    let found = store.read("exists", move |tx: &mut Tx| tx.participant_get(&slug(name))).await;
    found.expect("read").is_some()
}

async fn an_error_rolls_back(world: World) {
    let result = world
        .store
        .tx("refuse", |tx: &mut Tx| {
            tx.participant_insert(&participant("ghost"))?;
            Err::<(), Error>(Error::invalid("no"))
        })
        .await;
    assert_eq!(result.expect_err("refused").code(), Code::Invalid);
    assert!(!exists(&world.store, "ghost").await);
}

async fn a_panic_is_an_error_and_the_thread_goes_on(world: World) {
    let result: Result<(), StoreError> = world
        .store
        .tx("explode", |tx: &mut Tx| {
            tx.participant_insert(&participant("ghost"))?;
            panic!("on purpose");
        })
        .await;
    assert_eq!(result, Err(StoreError::Panicked("explode")));
    assert!(!exists(&world.store, "ghost").await);
    world.store.tx("after", |tx: &mut Tx| tx.participant_insert(&participant("real"))).await.expect("goes on");
    assert!(exists(&world.store, "real").await);
}

async fn a_failed_statement_cannot_be_ignored(world: World) {
    let result: Result<(), StoreError> = world
        .store
        .tx("ignore", |tx: &mut Tx| {
            tx.participant_insert(&participant("ghost"))?;
            // There is no such participant.
            let _ = tx.message_seen(&slug("nobody"), "p", "m");
            Ok(())
        })
        .await;
    assert!(matches!(result, Err(StoreError::Conflict(_))), "{result:?}");
    assert!(!exists(&world.store, "ghost").await);
}

async fn one_failing_closure_leaves_its_group_alone(world: World) {
    // The writer is held back until the others wait in its queue.
    let (release, held) = mpsc::channel::<()>();
    let (entered, inside) = tokio::sync::oneshot::channel();
    let store = world.store.clone();
    let holder = tokio::spawn(async move {
        store
            .tx("hold", move |_: &mut Tx| {
                let _ = entered.send(());
                let _ = held.recv();
                Ok::<_, StoreError>(())
            })
            .await
    });
    inside.await.expect("the holder runs");
    let mut calls = Vec::new();
    for n in 0..20 {
        let store = world.store.clone();
        calls.push(tokio::spawn(async move {
            store
                .tx("one_of_many", move |tx: &mut Tx| {
                    tx.participant_insert(&participant(&format!("p{n}")))?;
                    match n {
                        7 => Err(StoreError::Limit("on purpose".into())),
                        13 => panic!("on purpose"),
                        17 => tx.participant_insert(&participant("acme")),
                        _ => Ok(()),
                    }
                })
                .await
        }));
    }
    release.send(()).expect("held");
    holder.await.expect("task").expect("commits");
    let mut failed = Vec::new();
    for (n, call) in calls.into_iter().enumerate() {
        if call.await.expect("task").is_err() {
            failed.push(n);
        }
    }
    assert_eq!(failed, [7, 13, 17]);
    let stored = world.store.read("list", |tx: &mut Tx| tx.participant_list(None, 100)).await.expect("list");
    assert_eq!(stored.len(), 2 + 17);
}

async fn a_read_cannot_write(world: World) {
    let result = world.store.read("sneak", |tx: &mut Tx| tx.participant_insert(&participant("ghost"))).await;
    assert!(matches!(result, Err(StoreError::Database(_))), "{result:?}");
    assert!(!exists(&world.store, "ghost").await);
}

fn event(text: &str) -> NewEvent {
    NewEvent {
        participant: slug("acme"),
        topic: "node".into(),
        kind: "test".into(),
        actor: "node".into(),
        text: text.into(),
        detail: json!({"n": 1}),
    }
}

async fn events_are_heard_after_the_commit_only(world: World) {
    let mut events = world.store.subscribe();
    let refused = world.store.tx("refuse", |tx: &mut Tx| {
        tx.event_append(&event("never"))?;
        Err::<(), _>(StoreError::Limit("on purpose".into()))
    });
    refused.await.expect_err("refused");
    let (mut events, id) = world
        .store
        .tx("append", move |tx: &mut Tx| {
            let id = tx.event_append(&event("kept"))?;
            assert_eq!(events.try_recv().err(), Some(TryRecvError::Empty), "not before the commit");
            Ok::<_, StoreError>((events, id))
        })
        .await
        .expect("appends");
    let heard = events.try_recv().expect("heard once the call returns");
    assert_eq!((heard.id, heard.text.as_str(), heard.at), (id, "kept", world_now(&world)));
    assert_eq!(events.try_recv().err(), Some(TryRecvError::Empty));
    let stored = world.store.read("read", |tx: &mut Tx| tx.events_of(&slug("acme"), "node", 0, 10)).await.expect("read");
    assert_eq!(stored, [heard.as_ref().clone()]);
}

fn world_now(world: &World) -> fondaco_core::time::Timestamp {
    fondaco_core::time::Clock::now(world.clock.as_ref())
}

async fn a_database_from_the_future_is_refused(world: World) {
    world.raw("INSERT INTO schema_migration (version, name, checksum, applied_at) VALUES (999, 'later', 'x', 1)");
    let error = world.another().await.expect_err("refused");
    assert!(matches!(error, StoreError::FromFuture { found: 999, .. }), "{error:?}");
    assert_eq!(Error::from(error).code(), Code::DatabaseFromFuture);
    world.raw("DELETE FROM schema_migration WHERE version = 999");
    world.another().await.expect("opens again");
    world.raw("UPDATE schema_migration SET checksum = 'x' WHERE version = 1");
    assert!(matches!(world.another().await.err(), Some(StoreError::MigrationChanged { version: 1 })));
}

async fn values_no_database_holds_are_refused(world: World) {
    let result = world.store.tx("nul", |tx: &mut Tx| tx.message_seen(&slug("acme"), "p", "a\0b")).await;
    assert!(matches!(result, Err(StoreError::Limit(_))), "{result:?}");
}

#[tokio::test]
async fn a_server_that_is_away_is_said_to_be() {
    let config = StoreConfig::new("postgres://nobody@127.0.0.1:1/none");
    let clock = Arc::new(fondaco_core::time::SystemClock);
    let entropy = Arc::new(fondaco_core::entropy::SeededEntropy::new(1));
    let error = Store::open(&config, clock, entropy).await.expect_err("nobody listens there");
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
}

/// Passes connections on to the server until it is stopped; then the server is away.
struct Link {
    accepting: tokio::task::JoinHandle<()>,
}

impl Link {
    async fn on(port: u16, server: &::postgres::Config) -> (Self, u16) {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.expect("a port");
        let port = listener.local_addr().expect("address").port();
        let server_port = server.get_ports().first().copied().unwrap_or(5432);
        let host = match server.get_hosts().first() {
            Some(::postgres::config::Host::Tcp(name)) => name.clone(),
            other => panic!("the test server must be reached by TCP, not {other:?}"),
        };
        let accepting = tokio::spawn(async move {
            // Dropped, and with it every connection, when this task is aborted.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                let mut upstream = tokio::net::TcpStream::connect((host.as_str(), server_port)).await.expect("the server");
                connections.spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut upstream).await });
            }
        });
        (Self { accepting }, port)
    }

    async fn cut(self) {
        self.accepting.abort();
        assert!(self.accepting.await.expect_err("aborted").is_cancelled());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_server_is_away_calls_fail_and_then_go_on() {
    let Some(world) = World::postgres().await else { return };
    let server: ::postgres::Config = world.url.parse().expect("address");
    let (link, port) = Link::on(0, &server).await;
    let store = crate::world::open(&world.url_at(port), Arc::clone(&world.clock)).await.expect("opens through the link");
    let write = |name: &'static str| {
        let store = store.clone();
        async move { store.tx("write", move |tx: &mut Tx| tx.participant_insert(&participant(name))).await }
    };
    write("before").await.expect("written");
    link.cut().await;
    let started = std::time::Instant::now();
    for _ in 0..20 {
        let result = write("during").await;
        assert!(matches!(result, Err(StoreError::Unavailable(_))), "{result:?}");
    }
    assert!(started.elapsed() < std::time::Duration::from_secs(10), "refused at once, not hung");
    let (link, _) = Link::on(port, &server).await;
    let back = async {
        // The threads wait a little between attempts to connect.
        while let Err(error) = write("after").await {
            assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), back).await.expect("goes on by itself");
    assert!(exists(&store, "before").await && exists(&store, "after").await && !exists(&store, "during").await);
    link.cut().await;
}

#[tokio::test]
async fn a_connection_that_must_be_encrypted_is_never_plain() {
    let Some(world) = World::postgres().await else { return };
    // The test server speaks no TLS, or has a certificate that no public root signed.
    let error = crate::world::open(&format!("{}&sslmode=require", world.url), Arc::clone(&world.clock)).await.expect_err("refused");
    assert!(matches!(&error, StoreError::Unavailable(why) if why.contains("TLS")), "{error:?}");
}

#[tokio::test]
async fn a_database_in_memory_does_the_same() {
    let clock = Arc::new(fondaco_core::time::SystemClock);
    let entropy = Arc::new(fondaco_core::entropy::SeededEntropy::new(1));
    let store = Store::open(&StoreConfig::new("sqlite::memory:"), clock, entropy).await.expect("opens");
    store.tx("write", |tx: &mut Tx| tx.participant_insert(&participant("real"))).await.expect("written");
    let sneaked = store.read("sneak", |tx: &mut Tx| tx.participant_insert(&participant("ghost"))).await;
    assert!(matches!(sneaked, Err(StoreError::Database(_))), "{sneaked:?}");
    assert!(exists(&store, "real").await && !exists(&store, "ghost").await);
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_is_its_owners_only() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::sqlite().await;
    let path = world.url.strip_prefix("sqlite:").expect("a file");
    for file in [path.to_owned(), format!("{path}-wal")] {
        let mode = std::fs::metadata(&file).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[tokio::test]
async fn a_lost_connection_is_replaced() {
    let Some(world) = World::postgres().await else { return };
    assert!(world.is_postgres());
    for round in 0..3 {
        world.raw(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = current_schema() AND pid <> pg_backend_pid()",
        );
        // More calls than connections, so that each meets its lost one.
        for n in 0..20 {
            let name = format!("p{round}-{n}");
            world.store.tx("after", move |tx: &mut Tx| tx.participant_insert(&participant(&name))).await.expect("reconnects");
        }
    }
}
