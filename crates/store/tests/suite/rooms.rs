//! What the lists of the console ask for: searches, facets, titles, what one peer has to do with us; people who go.

use crate::{
    on_both,
    samples::{did, negotiation, product, slug},
    world::{START, World},
};
use fondaco_core::{
    Code, Error,
    agreement::Agreement,
    connection::{Check, Connection},
    ids::UserId,
    negotiation::{Ending, Negotiation, Role, State},
    product::{ProductKind, ProductRef, ProductState},
    time::Micros,
};
use fondaco_store::{Memberships, NewJob, PeerDataset, PeerDatasetFilter, PeerRow, ProductSearch, SessionRow, StoreError, Tx, UserRow};
use serde_json::json;

on_both![
    our_products_are_narrowed,
    copies_are_searched,
    old_copies_are_found,
    people_go,
    keys_of_peers_logs_stay,
    trials_of_connections_are_kept,
    what_waits_is_found,
    health_is_told
];

async fn within(world: &World, body: impl FnOnce(&mut Tx) -> Result<(), StoreError> + Send + 'static) {
    world.store.tx("rooms", body).await.expect("the transaction commits");
}

async fn our_products_are_narrowed(world: World) {
    within(&world, |tx| {
        let acme = slug("acme");
        for (id, version) in [("a", 1), ("a", 2), ("b", 1), ("c", 1)] {
            let kind = if id == "c" { ProductKind::Files } else { ProductKind::Table };
            tx.product_insert(&fondaco_core::product::Product { kind, ..product(id, version) })?;
        }
        tx.product_set_state(&acme, &ProductRef::parse_dataset_id("b").expect("id"), ProductState::Withdrawn)?;
        let found = |tx: &mut Tx, search: ProductSearch| -> Result<Vec<String>, StoreError> {
            let products = tx.product_search(&acme, &ProductSearch { limit: 10, ..search })?;
            Ok(products.iter().map(|p| p.reference.dataset_id()).collect())
        };
        assert_eq!(found(tx, ProductSearch::default())?, ["a:2", "b", "c"], "by the newest version");
        let after = fondaco_core::product::ProductId::parse("a").ok();
        assert_eq!(found(tx, ProductSearch { after, ..ProductSearch::default() })?, ["b", "c"]);
        assert_eq!(found(tx, ProductSearch { kind: Some(ProductKind::Files), ..ProductSearch::default() })?, ["c"]);
        assert_eq!(found(tx, ProductSearch { state: Some(ProductState::Withdrawn), ..ProductSearch::default() })?, ["b"]);
        assert_eq!(found(tx, ProductSearch { query: Some(" FLIGHTS of A ".into()), ..ProductSearch::default() })?, ["a:2"]);
        assert_eq!(found(tx, ProductSearch { query: Some("100%".into()), ..ProductSearch::default() })?.len(), 3, "a text, not a pattern");
        assert_eq!(found(tx, ProductSearch { query: Some("1__%".into()), ..ProductSearch::default() })?.len(), 0);
        let mut counts = tx.product_search_counts(&acme, None)?;
        counts.sort_by(|a, b| (&a.kind, a.published).cmp(&(&b.kind, b.published)));
        let counts: Vec<_> = counts.iter().map(|c| (c.kind.as_str(), c.published, c.count)).collect();
        assert_eq!(counts, [("files", true, 1), ("table", false, 1), ("table", true, 1)]);
        assert_eq!(tx.product_search_counts(&acme, Some("of c"))?.len(), 1);
        assert_eq!(tx.products_published(&acme)?, 2);
        Ok(())
    })
    .await;
}

async fn what_waits_is_found(world: World) {
    within(&world, |tx| {
        let acme = slug("acme");
        let terms = negotiation("x", None).reference_terms;
        let agreement = Agreement::make("agr", "flights", &did("did:web:a"), &did("did:web:b"), START, &terms.odrl).expect("agreement");
        let states = [
            State::Requested { terms: terms.clone() },
            State::Offered { terms: terms.clone(), asked: terms.clone() },
            State::Accepted { terms: terms.clone() },
            State::Agreed { agreement: agreement.clone(), terms },
            State::Verified { agreement: agreement.clone() },
            State::Finalized { agreement },
            State::Terminated { by: Role::Provider, ending: Ending::default() },
        ];
        let mut ours = Vec::new();
        for (i, state) in states.iter().enumerate() {
            for role in [Role::Provider, Role::Consumer] {
                let id = format!("neg_{i}_{}", role.as_str());
                let n = Negotiation { role, state: state.clone(), ..negotiation(&id, Some(&id)) };
                tx.negotiation_insert(&n)?;
                if n.is_our_turn() {
                    ours.push(id);
                }
            }
        }
        ours.sort();
        let found: Vec<String> = tx.negotiations_waiting(&acme, 100)?.iter().map(|n| n.id.to_string()).collect();
        assert_eq!(found, ours, "the same as the machine says, the oldest first");
        assert_eq!(tx.negotiations_waiting(&acme, 2)?.len(), 2);
        assert_eq!((tx.negotiations_waiting_count(&acme, 100)?, tx.negotiations_waiting_count(&acme, 3)?), (ours.len() as u64, 3));
        assert_eq!(tx.negotiations_waiting_count(&slug("rival"), 100)?, 0);
        Ok(())
    })
    .await;
}

async fn health_is_told(world: World) {
    within(&world, |tx| {
        let acme = slug("acme");
        assert!(tx.database_bytes()? > 0);
        assert_eq!(tx.last_backup()?, None);
        tx.setting_put("backup", &json!({"at": "2026-11-21T02:00:00Z"}))?;
        assert_eq!(tx.last_backup()?.map(fondaco_core::time::Timestamp::to_rfc3339).as_deref(), Some("2026-11-21T02:00:00Z"));
        for (product, error) in [("a", None), ("b", Some("The bucket is gone."))] {
            let feed = json!({
                "participant": "acme", "product": product, "source": {"type": "upload"}, "read": {}, "every": "PT1H", "error": error,
                "nextAt": START, "revision": 1
            });
            tx.feed_put(&serde_json::from_value(feed).expect("a feed"))?;
        }
        let failing = tx.feeds_failing(&acme, 10)?;
        assert_eq!((tx.feed_count(&acme)?, failing.len()), (2, 1));
        assert_eq!(failing[0].error.as_deref(), Some("The bucket is gone."));
        let job = NewJob { participant: acme.clone(), kind: "x".into(), key: "k".into(), payload: json!({}), run_at: START };
        let id = tx.job_enqueue(&job)?;
        assert_eq!(tx.job_failing_of(&acme)?, None);
        tx.job_retry(&id, START.plus(Micros(9)), "away")?;
        assert_eq!(tx.job_failing_of(&acme)?.and_then(|j| j.last_error).as_deref(), Some("away"));
        assert_eq!(tx.job_failing_of(&slug("rival"))?, None);
        Ok(())
    })
    .await;
}

async fn trials_of_connections_are_kept(world: World) {
    within(&world, |tx| {
        let acme = slug("acme");
        let made = |at| -> Connection {
            let document = json!({
                "participant": "acme", "name": "lake", "kind": "s3", "region": "r", "bucket": "b", "operator": true, "createdAt": at
            });
            serde_json::from_value(document).expect("a connection")
        };
        let (first, second) = (made(START), made(START.plus(Micros(1))));
        let found = |tx: &mut Tx| -> Result<_, StoreError> {
            let (one, sealed) = tx.connection_get(&acme, "lake")?.expect("there");
            assert_eq!((tx.connection_list(&acme)?, sealed), (vec![one.clone()], vec![7]));
            Ok(one.last_check)
        };
        tx.connection_put(&first, &[7])?;
        assert_eq!(found(tx)?, None);
        let failed = Check { at: START.plus(Micros(5)), outcome: Err(Error::new(Code::SourceRefused, "no right to read")) };
        tx.connection_checked(&first, &failed)?;
        assert_eq!(found(tx)?, Some(failed.clone()));
        let worked = Check { at: START.plus(Micros(6)), outcome: Ok(()) };
        tx.connection_checked(&first, &worked)?;
        assert_eq!(found(tx)?, Some(worked));
        tx.connection_put(&second, &[7])?;
        assert_eq!(found(tx)?, None, "another connection by the same name");
        tx.connection_checked(&first, &failed)?;
        assert_eq!(found(tx)?, None, "a trial of what it was before");
        let long = Check { at: START, outcome: Err(Error::new(Code::SourceUnreachable, "x".repeat(5_000))) };
        tx.connection_checked(&second, &long)?;
        assert_eq!(found(tx)?.expect("a trial").outcome.expect_err("failed").message().len(), 1_000);
        Ok(())
    })
    .await;
}

fn peer(name: &str) -> PeerRow {
    PeerRow {
        participant: slug("acme"),
        did: did(name),
        name: None,
        address: None,
        last_ok_at: Some(START),
        last_error: None,
        catalog_read_at: None,
        catalog_error: None,
    }
}

fn dataset(of: &str, id: &str, kind: &str, language: &str) -> PeerDataset {
    PeerDataset {
        peer: did(of),
        dataset: id.into(),
        kind: kind.into(),
        license: "MIT".into(),
        language: language.into(),
        title: format!("Wind {id}"),
        search: format!("Wind {id}\n50% 风"),
        read_at: START,
        body: json!({"id": id}),
    }
}

async fn copies_are_searched(world: World) {
    within(&world, |tx| {
        let acme = slug("acme");
        let (a, b) = ("did:web:a.example", "did:web:b.example");
        for row in [dataset(a, "1", "table", "en,zh-cn"), dataset(a, "2", "files", ""), dataset(b, "1", "table", "en")] {
            tx.peer_dataset_put(&acme, &row)?;
        }
        let found = |tx: &mut Tx, filter: PeerDatasetFilter| -> Result<Vec<(String, String)>, StoreError> {
            let rows = tx.peer_dataset_list(&acme, &PeerDatasetFilter { limit: 10, ..filter })?;
            Ok(rows.into_iter().map(|d| (d.peer.to_string(), d.dataset)).collect())
        };
        let pair = |of: &str, id: &str| (of.to_owned(), id.to_owned());
        assert_eq!(found(tx, PeerDatasetFilter::default())?, [pair(a, "1"), pair(b, "1"), pair(a, "2")], "by title");
        let filter = PeerDatasetFilter { language: Some("zh-cn".into()), ..PeerDatasetFilter::default() };
        assert_eq!(found(tx, filter)?, [pair(a, "1")]);
        let filter = PeerDatasetFilter { query: Some("50%".into()), kind: Some("files".into()), ..PeerDatasetFilter::default() };
        assert_eq!(found(tx, filter)?, [pair(a, "2")]);
        assert_eq!(found(tx, PeerDatasetFilter { query: Some("WIND 2".into()), ..PeerDatasetFilter::default() })?, [pair(a, "2")]);
        assert_eq!(found(tx, PeerDatasetFilter { query: Some("w_nd".into()), ..PeerDatasetFilter::default() })?, []);
        assert_eq!(tx.peer_dataset_facets(&acme, None)?.len(), 3);
        assert_eq!(tx.peer_dataset_facets(&acme, Some("wind 2"))?.iter().map(|f| f.count).sum::<u64>(), 1);
        let titles = tx.peer_dataset_titles(&acme, &did(a), &["2".to_owned(), "none".to_owned()])?;
        assert_eq!(titles, [pair("2", "Wind 2")]);
        assert_eq!(tx.peer_dataset_counts(&acme)?.get(a), Some(&2));
        Ok(())
    })
    .await;
}

async fn old_copies_are_found(world: World) {
    within(&world, |tx| {
        let acme = slug("acme");
        let later = |secs| START.plus(Micros::from_secs(secs));
        for name in ["did:web:a.example", "did:web:b.example"] {
            tx.peer_touch(&peer(name))?;
        }
        tx.peer_touch(&PeerRow { last_ok_at: None, last_error: Some("x".into()), ..peer("did:web:never.example") })?;
        let stale = |tx: &mut Tx, before| -> Result<Vec<String>, StoreError> {
            Ok(tx.peer_catalogs_stale(before, 10)?.into_iter().map(|(_, did)| did.to_string()).collect())
        };
        assert_eq!(stale(tx, START)?, ["did:web:a.example", "did:web:b.example"], "who never answered is left alone");
        tx.peer_catalog_read(&acme, &did("did:web:a.example"), later(10), Some("\"a\""))?;
        assert_eq!(stale(tx, later(10))?, ["did:web:b.example"]);
        tx.peer_catalog_read(&acme, &did("did:web:b.example"), later(5), None)?;
        assert_eq!(stale(tx, later(60))?, ["did:web:b.example", "did:web:a.example"], "the longest ago first");
        let (a, b) = (did("did:web:a.example"), did("did:web:b.example"));
        assert_eq!(tx.peer_catalog_etag(&acme, &a)?.as_deref(), Some("\"a\""));
        assert_eq!(tx.peer_catalog_etag(&acme, &b)?, None);
        tx.peer_catalog_unchanged(&acme, &a, later(70))?;
        assert_eq!(stale(tx, later(60))?, ["did:web:b.example"]);
        assert_eq!(tx.peer_catalog_etag(&acme, &a)?.as_deref(), Some("\"a\""), "it is still the same");
        Ok(())
    })
    .await;
}

async fn people_go(world: World) {
    within(&world, |tx| {
        let anna = UserId::from_stored("usr_1");
        let row = UserRow {
            id: anna.clone(),
            login: "anna".into(),
            name: "Anna".into(),
            password_hash: "x".into(),
            admin: true,
            created_at: START,
        };
        tx.user_insert(&row)?;
        tx.membership_set(&anna, &slug("acme"), false)?;
        for hash in ["a", "b"] {
            let session = SessionRow {
                id_hash: hash.into(),
                user: anna.clone(),
                csrf: "c".into(),
                created_at: START,
                expires_at: START.plus(Micros::from_secs(9)),
            };
            tx.session_insert(&session)?;
        }
        assert_eq!(tx.sessions_end(&anna, Some("a"))?, 1, "one may be kept");
        assert!(tx.session_get("a", START)?.is_some() && tx.session_get("b", START)?.is_none());
        assert_eq!(tx.admins_lock()?, std::slice::from_ref(&anna));
        assert!(tx.user_update(&anna, "Anne", false)?);
        assert_eq!(tx.user_get(&anna)?.map(|u| (u.name, u.admin)), Some(("Anne".into(), false)));
        assert_eq!(tx.admins_lock()?, []);
        tx.sessions_end(&anna, None)?;
        assert!(tx.user_delete(&anna)? && !tx.user_delete(&anna)?);
        assert_eq!(tx.memberships(&anna)?, Memberships::default());
        Ok(())
    })
    .await;
}

async fn keys_of_peers_logs_stay(world: World) {
    within(&world, |tx| {
        let (acme, other) = (slug("acme"), slug("other"));
        let peer = did("beta");
        assert_eq!(tx.peer_log(&acme, &peer)?, None);
        assert_eq!(tx.peer_log_keep(&acme, &peer, "first")?.vkey, "first");
        assert_eq!(tx.peer_log_keep(&acme, &peer, "second")?.vkey, "first", "the first that was seen");
        assert_eq!(tx.peer_log(&other, &peer)?, None, "each participant has its own");
        tx.peer_log_take(&acme, &peer, "second")?;
        tx.peer_log_take(&other, &peer, "third")?;
        assert_eq!(tx.peer_log(&acme, &peer)?.map(|row| row.vkey), Some("second".into()));
        assert_eq!(tx.peer_log_keep(&other, &peer, "first")?.vkey, "third");
        Ok(())
    })
    .await;
}
