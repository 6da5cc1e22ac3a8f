//! The log: each leaf that was committed is in the tree once, and a tree that was signed is never signed differently.

use crate::{
    on_both,
    samples::{agreement, slug},
    world::World,
};
use fondaco_core::{
    evidence::{Event, Kind, Leaf, Opening},
    ids::EvidenceId,
    time::{Clock as _, Micros, Timestamp},
};
use fondaco_store::{AgreementRow, Counted, Erased, EvidenceFilter, Integrated, LogKeyUse, RefusalSum, Store, StoreError, Tx, Usage};
use fondaco_tlog::{
    Edge, Hash, entries, leaf_hash,
    tile::{EntriesAddress, TileAddress, written},
    witness::State,
};
use serde_json::json;
use std::{collections::HashSet, time::Duration};

on_both!(
    leaves_are_in_the_tree_once_and_can_be_opened,
    what_was_rolled_back_leaves_no_leaf,
    a_signature_that_fails_changes_nothing,
    a_held_log_is_not_signed,
    nothing_new_is_not_signed_again,
    tiles_that_were_changed_are_noticed,
    several_processes_make_one_tree,
    a_new_key_signs_the_present_tree,
    a_cosignature_of_a_larger_tree_stays,
    a_doubt_stays_until_something_is_cosigned,
    erased_evidence_keeps_its_leaf,
    old_documents_go_when_their_agreement_is_over,
    evidence_is_found_by_when_it_was_written,
    refusals_of_an_hour_are_one_sum,
    usage_that_did_not_change_is_not_said_again,
);

fn event(n: u64) -> Event {
    Event {
        kind: Kind::Usage,
        at: Timestamp::from_micros(1_790_000_000_000_000),
        own: "did:web:acme.example".into(),
        peer: Some("did:web:other.example".into()),
        object: format!("thing-{n}"),
        document: json!({"n": n}),
    }
}

async fn append(store: &Store, from: u64, leaves: u64) -> Vec<EvidenceId> {
    let write = move |tx: &mut Tx| (from..from + leaves).map(|n| tx.log_append(Some(&slug("acme")), Some("agr_1"), event(n))).collect();
    store.tx("append", write).await.expect("written")
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of a signer")]
fn signed(size: u64, root: &Hash) -> Result<String, StoreError> {
    Ok(format!("{size} {root}"))
}

async fn integrate(store: &Store) -> Integrated {
    store.tx("integrate", |tx: &mut Tx| tx.log_integrate(signed)).await.expect("integrated")
}

/// Integrates all that waits; every checkpoint on the way.
async fn drain(store: &Store) -> Vec<String> {
    let mut checkpoints = Vec::new();
    loop {
        let done = integrate(store).await;
        checkpoints.push(done.tree.checkpoint);
        if !done.more {
            return checkpoints;
        }
    }
}

/// Reads all entries through bundles, checks every tile of the tree against them, and gives the entries.
async fn check_all(store: &Store) -> Vec<Vec<u8>> {
    store
        .read("check", |tx: &mut Tx| {
            let tree = tx.log_tree()?.expect("a tree");
            let mut all = Vec::new();
            for index in 0.. {
                let Some(address) = EntriesAddress::at(index, tree.size) else { break };
                let bundle = tx.log_entries(address)?.expect("a bundle");
                all.extend(entries::parse(&bundle, address.width).expect("entries").into_iter().map(<[u8]>::to_vec));
            }
            let mut edge = Edge::empty();
            let tiles = edge.append(&all.iter().map(|e| leaf_hash(e)).collect::<Vec<_>>()).expect("small");
            assert_eq!((edge.size(), edge.root()), (tree.size, tree.root));
            assert_eq!(tiles.len(), written(0, tree.size).len());
            for tile in tiles {
                assert_eq!(tx.log_tile(tile.address)?.as_deref(), Some(tile.bytes.as_slice()), "{}", tile.address);
                let wider = TileAddress { width: tile.address.width + 1, ..tile.address };
                assert_eq!(tx.log_tile(wider)?, None, "no tile is wider than the tree has it");
                let narrow = TileAddress { width: 1, ..tile.address };
                assert_eq!(tx.log_tile(narrow)?.as_deref(), Some(&tile.bytes[..32]));
            }
            Ok::<_, StoreError>(all)
        })
        .await
        .expect("checked")
}

async fn leaves_are_in_the_tree_once_and_can_be_opened(world: World) {
    let store = &world.store;
    let mut ids = Vec::new();
    // Across the edges of bundles and tiles, in batches of all kinds.
    for (leaves, more) in [(1, 0), (254, 0), (1, 0), (1, 300), (600, 7), (0, 0), (5, 0), (4_100, 0)] {
        let at = ids.len() as u64;
        ids.extend(append(store, at, leaves).await);
        ids.extend(append(store, at + leaves, more).await);
        drain(store).await;
    }
    let all = check_all(store).await;
    assert_eq!(all.len(), ids.len());
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), ids.len());
    let (first, last) = (ids[0].clone(), ids[ids.len() - 1].clone());
    let read = move |tx: &mut Tx| {
        let mut rows = Vec::new();
        for id in [&first, &last] {
            rows.push(tx.evidence_get(Some(&slug("acme")), id)?.expect("there"));
            assert_eq!(tx.evidence_get(Some(&slug("other")), id)?, None, "another participant does not see it");
            assert_eq!(tx.evidence_get(None, id)?, None, "nor does the node");
        }
        let page = tx.evidence_list(Some(&slug("acme")), EvidenceFilter::Agreement("agr_1"), None, 3)?;
        assert_eq!(page.iter().map(|row| row.id.clone()).collect::<Vec<_>>().first(), Some(&last));
        let older = tx.evidence_list(Some(&slug("acme")), EvidenceFilter::All, Some(page[2].seq), 1)?;
        assert!(older[0].seq < page[2].seq);
        assert_eq!(tx.evidence_list(Some(&slug("acme")), EvidenceFilter::Object("thing-4"), None, 9)?.len(), 1);
        assert_eq!(tx.log_pending_count()?, 0);
        for row in &rows {
            assert_eq!(tx.log_seq_at(row.leaf_index.expect("a place"))?, Some(row.seq));
        }
        Ok::<_, StoreError>(rows)
    };
    for row in store.read("rows", read).await.expect("rows") {
        let index = usize::try_from(row.leaf_index.expect("in the tree")).expect("small");
        let opening = Opening {
            own: &row.own,
            peer: row.peer.as_deref(),
            object: &row.object,
            document: row.document.as_deref().expect("kept"),
            secret: row.secret.as_ref().expect("kept"),
        };
        Leaf::read(&all[index]).expect("a leaf").check(opening).expect("opens");
    }
}

async fn what_was_rolled_back_leaves_no_leaf(world: World) {
    let store = &world.store;
    let first = append(store, 0, 3).await;
    let refused = store
        .tx("refuse", |tx: &mut Tx| {
            tx.log_append(Some(&slug("acme")), None, event(99))?;
            Err::<(), _>(StoreError::Config("no".into()))
        })
        .await;
    assert!(refused.is_err());
    // A part that was taken back, within a transaction that was not.
    let kept = store
        .tx("part", |tx: &mut Tx| {
            let _ = tx.savepoint(|tx| {
                tx.log_append(Some(&slug("acme")), None, event(98))?;
                Err::<(), _>(StoreError::Config("no".into()))
            });
            tx.log_append(Some(&slug("acme")), None, event(3))
        })
        .await
        .expect("written");
    drain(store).await;
    assert_eq!(check_all(store).await.len(), 4);
    let read = move |tx: &mut Tx| {
        let rows = first.iter().chain([&kept]).map(|id| tx.evidence_get(Some(&slug("acme")), id)).collect::<Result<Vec<_>, _>>()?;
        Ok::<_, StoreError>(rows.into_iter().map(|row| row.expect("there").leaf_index).collect::<Vec<_>>())
    };
    assert_eq!(store.read("places", read).await.expect("read"), [Some(0), Some(1), Some(2), Some(3)]);
}

async fn a_signature_that_fails_changes_nothing(world: World) {
    let store = &world.store;
    append(store, 0, 300).await;
    let failed = store.tx("fail", |tx: &mut Tx| tx.log_integrate(|_, _| Err(StoreError::Unavailable("no key".into())))).await;
    assert_eq!(failed, Err(StoreError::Unavailable("no key".into())));
    let waiting = store.read("waiting", |tx: &mut Tx| Ok::<_, StoreError>((tx.log_pending_count()?, tx.log_tree()?))).await;
    let (waiting, tree) = waiting.expect("read");
    assert_eq!(waiting, 300);
    assert!(tree.is_none_or(|tree| tree.size == 0 && tree.checkpoint.is_empty()));
    assert_eq!(integrate(store).await.tree.size, 300);
    check_all(store).await;
}

async fn a_held_log_is_not_signed(world: World) {
    let store = &world.store;
    append(store, 0, 2).await;
    let before = integrate(store).await.tree;
    // What was written before is known.
    store.leaves_written().await;
    store.tx("hold", |tx: &mut Tx| tx.log_hold(Some("restored"))).await.expect("held");
    tokio::time::timeout(Duration::from_secs(1), store.leaves_written()).await.expect("who signs is told at once");
    append(store, 2, 1).await;
    let held = integrate(store).await;
    assert_eq!((held.leaves, held.tree.size, held.tree.held.as_deref()), (0, before.size, Some("restored")));
    store.tx("release", |tx: &mut Tx| tx.log_hold(None)).await.expect("released");
    assert_eq!(integrate(store).await.tree.size, 3);
}

async fn nothing_new_is_not_signed_again(world: World) {
    let store = &world.store;
    let empty = integrate(store).await.tree;
    assert!(empty.size == 0 && !empty.checkpoint.is_empty(), "the empty tree is signed once");
    let again = store.tx("again", |tx: &mut Tx| tx.log_integrate(|_, _| Err::<String, _>(StoreError::Config("asked".into())))).await;
    assert_eq!(again.expect("nothing to sign").tree, empty);
}

async fn tiles_that_were_changed_are_noticed(world: World) {
    let store = &world.store;
    append(store, 0, 3).await;
    let before = integrate(store).await.tree;
    append(store, 3, 1).await;
    world.raw("UPDATE log_tile SET hashes = (SELECT root FROM log_tree)");
    let refused = store.tx("integrate", |tx: &mut Tx| tx.log_integrate(signed)).await;
    assert!(matches!(refused, Err(StoreError::Corrupt(_))), "{refused:?}");
    let tree = store.read("tree", |tx: &mut Tx| tx.log_tree()).await.expect("read");
    assert_eq!(tree, Some(before));
}

async fn several_processes_make_one_tree(world: World) {
    const EACH: u64 = 40;
    const LEAVES: u64 = 9;
    // On SQLite one process uses a database; the callers are several all the same.
    let mut stores = vec![world.store.clone(), world.store.clone()];
    if world.is_postgres() {
        stores.push(world.another().await.expect("another"));
        stores.push(world.another().await.expect("another"));
    }
    let (writers, mut tasks) = (stores.len() as u64, Vec::new());
    for (writer, store) in (0..).zip(stores.clone()) {
        tasks.push(tokio::spawn(async move {
            let mut checkpoints = Vec::new();
            for round in 0..EACH {
                append(&store, (writer * EACH + round) * LEAVES, LEAVES).await;
                if round % 3 == writer % 3 {
                    checkpoints.extend(drain(&store).await);
                }
            }
            checkpoints
        }));
    }
    let mut checkpoints = HashSet::new();
    for task in tasks {
        checkpoints.extend(task.await.expect("ran"));
    }
    checkpoints.extend(drain(&world.store).await);
    let all = check_all(&world.store).await;
    assert_eq!(all.len() as u64, writers * EACH * LEAVES);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    // Each tree that was signed is a beginning of the last.
    let mut roots = std::collections::HashMap::new();
    let mut edge = Edge::empty();
    roots.insert(0, edge.root());
    for entry in &all {
        edge.append(&[leaf_hash(entry)]).expect("small");
        roots.insert(edge.size(), edge.root());
    }
    for checkpoint in &checkpoints {
        let (size, root) = checkpoint.split_once(' ').expect("two words");
        assert_eq!(roots[&size.parse::<u64>().expect("a size")].to_string(), root);
    }
    // And each leaf's place is the one that its evidence names.
    let places = world
        .store
        .read("places", |tx: &mut Tx| {
            let (mut places, mut after) = (Vec::new(), 0);
            loop {
                let page = tx.evidence_after(after, 500)?;
                let Some(last) = page.last() else { return Ok::<_, StoreError>(places) };
                after = last.seq;
                places.extend(page.into_iter().map(|row| (row.leaf_index.expect("a place"), row.object, row.secret.expect("kept"))));
            }
        })
        .await
        .expect("places");
    assert_eq!(places.len(), all.len());
    for (index, object, secret) in places {
        let leaf = Leaf::read(&all[usize::try_from(index).expect("small")]).expect("a leaf");
        let salt = fondaco_core::evidence::salt("object", &secret);
        assert_eq!(leaf.object, fondaco_core::evidence::commitment("object", &salt, &object));
    }
}

async fn a_new_key_signs_the_present_tree(world: World) {
    let store = &world.store;
    append(store, 0, 2).await;
    integrate(store).await;
    store.tx("key", |tx: &mut Tx| tx.log_key_put(LogKeyUse::Log, "one+1+x", b"sealed")).await.expect("put");
    store.leaves_written().await;
    let done = store.tx("sign", |tx: &mut Tx| tx.log_integrate(|size, _| Ok::<_, StoreError>(format!("again {size}")))).await;
    assert_eq!(done.expect("signed").tree.checkpoint, "again 2");
    store.tx("key", |tx: &mut Tx| tx.log_key_put(LogKeyUse::Log, "two+2+x", b"sealed")).await.expect("put");
    let keys = store
        .read("keys", |tx: &mut Tx| Ok::<_, StoreError>((tx.log_key(LogKeyUse::Log)?, tx.log_keys(LogKeyUse::Log)?)))
        .await
        .expect("read");
    assert_eq!(keys.0.expect("a key").vkey, "two+2+x");
    assert_eq!(keys.1.iter().filter(|key| key.retired_at.is_none()).count(), 1);
    let again = store.tx("key", |tx: &mut Tx| tx.log_key_put(LogKeyUse::Log, "one+1+x", b"sealed")).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))));
}

async fn a_cosignature_of_a_larger_tree_stays(world: World) {
    let rows = world
        .store
        .tx("cosigned", |tx: &mut Tx| {
            tx.log_witness_problem("w+1+x", "away")?;
            tx.log_cosigned("w+1+x", 101, "larger")?;
            // Of two who asked, the one with the smaller tree was answered first and stores last.
            tx.log_cosigned("w+1+x", 100, "smaller")?;
            let late = tx.log_cosignatures()?;
            tx.log_cosigned("w+1+x", 101, "again")?;
            Ok::<_, StoreError>([late, tx.log_cosignatures()?])
        })
        .await
        .expect("stored");
    let said = rows.map(|rows| rows.into_iter().map(|row| (row.size, row.lines, row.problem)).collect::<Vec<_>>());
    assert_eq!(said, [vec![(101, "larger".to_owned(), None)], vec![(101, "again".to_owned(), None)]]);
}

async fn a_doubt_stays_until_something_is_cosigned(world: World) {
    let state = |size| State { size, root: Hash([7; 32]), time: 1_790_000_000 };
    let (first, cleared, origins) = world
        .store
        .tx("doubt", move |tx: &mut Tx| {
            tx.witnessed_lock("b.example/log")?;
            assert_eq!(tx.witnessed_checkpoint("b.example/log")?, None, "nothing was cosigned yet");
            tx.witnessed_put("b.example/log", &state(1), "one")?;
            tx.witnessed_doubt("b.example/log", "a request")?;
            tx.witnessed_doubt("b.example/log", "another")?;
            let first = tx.witnessed_lock("b.example/log")?;
            assert_eq!(tx.witnessed_lock("a.example/log")?.doubt, None);
            tx.witnessed_put("b.example/log", &state(2), "two")?;
            Ok::<_, StoreError>((first, tx.witnessed_lock("b.example/log")?, tx.witnessed_origins()?))
        })
        .await
        .expect("stored");
    assert_eq!((first.doubt.as_deref(), first.doubt_at, first.conflict), (Some("a request"), Some(world.clock.now()), None));
    assert_eq!((cleared.doubt, cleared.doubt_at, cleared.checkpoint.as_str()), (None, None, "two"));
    assert_eq!(origins, ["a.example/log", "b.example/log"]);
    let read = world.store.read("checkpoint", |tx: &mut Tx| tx.witnessed_checkpoint("b.example/log")).await;
    assert_eq!(read.expect("read").as_deref(), Some("two"));
}

async fn erased_evidence_keeps_its_leaf(world: World) {
    let store = &world.store;
    let id = append(store, 0, 1).await.remove(0);
    integrate(store).await;
    let (of, unknown) = (id.clone(), EvidenceId::from_stored("evi_x"));
    let erase = move |tx: &mut Tx| {
        Ok::<_, StoreError>((tx.evidence_erase(Some(&slug("acme")), &of)?, tx.evidence_erase(Some(&slug("acme")), &unknown)?))
    };
    assert_eq!(store.tx("erase", erase).await.expect("erased"), (true, false));
    let row = store.read("row", move |tx: &mut Tx| tx.evidence_get(Some(&slug("acme")), &id)).await.expect("read").expect("there");
    assert_eq!((row.document, row.secret, row.leaf_index), (None, None, Some(0)));
    assert_eq!(check_all(store).await.len(), 1);
}

async fn old_documents_go_when_their_agreement_is_over(world: World) {
    let store = &world.store;
    let day = |n: i64| Timestamp::from_micros(1_790_000_000_000_000 + n * 86_400_000_000);
    let at = move |n: i64, agreement: &'static str| {
        move |tx: &mut Tx| tx.log_append(Some(&slug("acme")), Some(agreement), Event { at: day(n), ..event(n.unsigned_abs()) })
    };
    // One is over since day 10, one is in force, one is not known (any more).
    store
        .tx("agreements", move |tx: &mut Tx| {
            tx.agreement_insert(&AgreementRow { ended_at: Some(day(10)), ..agreement("agr_over") })?;
            tx.agreement_insert(&agreement("agr_on")).map(drop)
        })
        .await
        .expect("agreements");
    let mut ids = Vec::new();
    for (n, of) in [(1, "agr_over"), (1, "agr_on"), (2, "agr_over"), (1, "agr_lost"), (12, "agr_over")] {
        ids.push(store.tx("append", at(n, of)).await.expect("written"));
    }
    let pass = async |before: i64, after: u64, rows: u64| {
        store.tx("erase", move |tx: &mut Tx| tx.evidence_erase_old(day(before), after, rows)).await.expect("erased")
    };
    let kept = async || {
        let ids = ids.clone();
        let read = move |tx: &mut Tx| {
            let row = |id: &EvidenceId| {
                Ok(tx.evidence_get(Some(&slug("acme")), id)?.is_some_and(|row| row.document.is_some() && row.secret.is_some()))
            };
            ids.iter().map(row).collect::<Result<Vec<_>, StoreError>>()
        };
        store.read("kept", read).await.expect("read")
    };
    let first = store.read("first", |tx: &mut Tx| tx.evidence_after(0, 1)).await.expect("read")[0].seq;
    assert_eq!(pass(9, 0, 1_000).await, Erased { documents: 0, up_to: None }, "old, but of an agreement that was not over then");
    assert_eq!(pass(11, first - 1, 2).await, Erased { documents: 1, up_to: Some(first + 1) }, "a pass goes in parts");
    assert_eq!(kept().await, [false, true, true, true, true]);
    assert_eq!(pass(11, first + 1, 2).await, Erased { documents: 1, up_to: Some(first + 3) });
    assert_eq!(pass(11, first + 3, 2).await, Erased { documents: 0, up_to: None });
    assert_eq!(kept().await, [false, true, false, true, true]);
    assert_eq!(pass(13, 0, 1_000).await.documents, 1, "the rest when it is old as well");
    assert_eq!(kept().await, [false, true, false, true, false]);
    integrate(store).await;
    assert_eq!(check_all(store).await.len(), 5, "all leaves are there");
}

async fn evidence_is_found_by_when_it_was_written(world: World) {
    let store = &world.store;
    let before = append(store, 0, 3).await;
    world.clock.advance(Micros::from_secs(60));
    let from = world.clock.now();
    let within = append(store, 3, 5).await;
    world.clock.advance(Micros::from_secs(60));
    let to = world.clock.now();
    append(store, 8, 2).await;
    let read = async |from: Timestamp, to: Timestamp, after: Option<EvidenceId>, limit: u32| {
        let read = move |tx: &mut Tx| tx.evidence_within(&slug("acme"), from, to, after.as_ref(), limit);
        store.read("within", read).await.expect("read").into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    let mut sorted = within.clone();
    sorted.sort();
    assert_eq!(read(from, to, None, 100).await, sorted);
    let first = read(from, to, None, 2).await;
    assert_eq!(read(from, to, Some(first[1].clone()), 100).await, sorted[2..], "page by page");
    assert_eq!(read(to, to.plus(Micros::from_secs(1)), None, 100).await.len(), 2);
    assert!(read(to.plus(Micros::from_secs(1)), to.plus(Micros::from_secs(2)), None, 100).await.is_empty());
    let last = move |tx: &mut Tx| {
        Ok::<_, StoreError>((
            tx.evidence_last(&slug("acme"), "agr_1", Kind::Usage, from)?,
            tx.evidence_last(&slug("acme"), "agr_1", Kind::Refusal, from)?,
        ))
    };
    let (usage, refusal) = store.read("last", last).await.expect("read");
    assert_eq!(usage.map(|row| row.id), before.last().cloned());
    assert_eq!(refusal, None);
}

async fn refusals_of_an_hour_are_one_sum(world: World) {
    let hour = |n: i64| Timestamp::from_micros(1_789_999_200_000_000 + n * 3_600_000_000);
    let sum = |rule: &str, n: i64, at: i64| RefusalSum {
        participant: slug("acme"),
        agreement_id: "agr_1".into(),
        rule: rule.into(),
        hour: hour(n),
        refusals: 2,
        first_at: Timestamp::from_micros(at),
        last_at: Timestamp::from_micros(at + 5),
    };
    let sums = [sum("count", 0, 10), sum("count", 0, 20), sum("volume", 0, 30), sum("count", 1, 40)];
    let taken = world
        .store
        .tx("refusals", move |tx: &mut Tx| {
            sums.iter().try_for_each(|sum| tx.refusals_add(sum))?;
            Ok::<_, StoreError>((tx.refusals_take(hour(1))?, tx.refusals_take(hour(1))?, tx.refusals_take(hour(2))?))
        })
        .await
        .expect("taken");
    let both = RefusalSum { refusals: 4, last_at: Timestamp::from_micros(25), ..sum("count", 0, 10) };
    assert_eq!(taken, (vec![both, sum("volume", 0, 30)], vec![], vec![sum("count", 1, 40)]));
}

async fn usage_that_did_not_change_is_not_said_again(world: World) {
    let usage = |reads| Counted { used: Usage { reads, requests: 1, rows: 2, volume: 3 }, ..Counted::default() };
    let said = world
        .store
        .tx("usage", move |tx: &mut Tx| {
            let mut said = Vec::new();
            for reads in [1, 1, 2, 2] {
                said.push(tx.usage_summed(&slug("acme"), "agr_1", usage(reads))?);
            }
            tx.reads_admit(&slug("acme"), "agr_2", None)?;
            tx.reads_admit(&slug("acme"), "agr_1", None)?;
            let some = tx.usage_unsaid(&slug("acme"), "", 1)?;
            assert_eq!((some, tx.usage_unsaid(&slug("acme"), "agr_1", 9)?), (vec!["agr_1".to_owned()], vec!["agr_2".to_owned()]));
            let counted = tx.usage_counted(&slug("acme"), "agr_1")?;
            assert!(tx.usage_summed(&slug("acme"), "agr_1", counted)?);
            assert_eq!(tx.usage_unsaid(&slug("acme"), "", 9)?, ["agr_2"], "what the last leaf said is not looked at again");
            tx.reads_give_back(&slug("acme"), "agr_1")?;
            let after = tx.usage_counted(&slug("acme"), "agr_1")?;
            assert_eq!((after.used.reads, after.back_reads), (0, 1), "a read that failed is counted beside");
            assert_eq!(tx.usage_unsaid(&slug("acme"), "", 9)?, ["agr_1", "agr_2"]);
            Ok::<_, StoreError>(said)
        })
        .await
        .expect("said");
    assert_eq!(said, [true, false, true, false]);
}
