//! Every aggregate: what goes in comes out, of the right participant, page by page.

use crate::{
    on_both,
    samples::{agreement, did, negotiation, offer, participant, product, reference, slug, transfer},
    world::{START, World},
};
use fondaco_core::{
    decision::Rules,
    ids::{NegotiationId, OfferId, TokenId, TransferId, UserId},
    life::{Life, Notice, Over, Phase, Stop},
    negotiation::Role,
    participant::Slug,
    product::{Offer, ProductId, ProductKind, ProductState},
    time::Micros,
};
use fondaco_store::{
    AgreementFilter, ApiTokenRow, KeyRow, Memberships, NewEvent, PeerRow, ProcessFilter, ProductFilter, SessionRow, SignatureRow,
    StoreError, Tx, UserRow,
};
use serde_json::json;

on_both!(participants, keys, people, tokens, products, offers, negotiations, transfers, agreements, events, peers_inbox_and_settings);

/// Runs assertions in one transaction.
async fn within(world: &World, body: impl FnOnce(&mut Tx) -> Result<(), StoreError> + Send + 'static) {
    world.store.tx("rows", body).await.expect("the transaction commits");
}

/// Runs a transaction that must end in a conflict.
async fn conflict(world: &World, body: impl FnOnce(&mut Tx) -> Result<(), StoreError> + Send + 'static) {
    let result = world.store.tx("rows", body).await;
    assert!(matches!(result, Err(StoreError::Conflict(_))), "{result:?}");
}

async fn participants(world: World) {
    within(&world, |tx| {
        let acme = participant("acme");
        assert_eq!(tx.participant_get(&acme.slug)?, Some(acme.clone()));
        let mut renamed = acme.clone();
        renamed.name = "Acme 2".into();
        tx.participant_update(&renamed)?;
        assert_eq!(tx.participant_get(&acme.slug)?, Some(renamed));
        tx.participant_insert(&participant("zhongguancun"))?;
        let page = tx.participant_list(None, 2)?;
        assert_eq!(page.iter().map(|p| p.slug.as_str()).collect::<Vec<_>>(), ["acme", "other"]);
        let rest = tx.participant_list(Some(&page[1].slug), 2)?;
        assert_eq!(rest.iter().map(|p| p.slug.as_str()).collect::<Vec<_>>(), ["zhongguancun"]);
        Ok(())
    })
    .await;
    conflict(&world, |tx| tx.participant_insert(&participant("acme"))).await;
    conflict(&world, |tx| tx.participant_update(&participant("nobody"))).await;
    conflict(&world, |tx| {
        let mut thief = participant("other");
        thief.did = participant("acme").did;
        tx.participant_update(&thief)
    })
    .await;
}

async fn keys(world: World) {
    let key = |kid: &str, offset: i64| KeyRow {
        participant: slug("acme"),
        kid: kid.into(),
        sealed_private: vec![0, 1, 255],
        public_jwk: json!({"kty": "EC"}),
        created_at: START.plus(Micros(offset)),
        retired_at: None,
    };
    within(&world, move |tx| {
        tx.key_insert(&key("k1", 0))?;
        tx.key_insert(&key("k2", 1))?;
        assert_eq!(tx.keys_active(&slug("acme"))?, [key("k2", 1), key("k1", 0)]);
        tx.key_insert(&KeyRow { retired_at: Some(START), ..key("k3", 2) })?;
        assert_eq!(tx.keys_active(&slug("acme"))?, [key("k2", 1), key("k1", 0)], "a retired key signs nothing");
        assert!(tx.keys_active(&slug("other"))?.is_empty());
        Ok(())
    })
    .await;
    conflict(&world, move |tx| tx.key_insert(&key("k2", 5))).await;
}

fn user(id: &str, login: &str) -> UserRow {
    UserRow {
        id: UserId::from_stored(id),
        login: login.into(),
        name: "Anna".into(),
        password_hash: "$argon2id$…".into(),
        admin: login == "root",
        created_at: START,
    }
}

async fn people(world: World) {
    within(&world, |tx| {
        tx.user_insert(&user("usr_1", "anna"))?;
        tx.user_insert(&user("usr_2", "root"))?;
        assert_eq!(tx.user_by_login("anna")?, Some(user("usr_1", "anna")));
        assert_eq!(tx.user_get(&UserId::from_stored("usr_2"))?.map(|u| u.admin), Some(true));
        assert_eq!(tx.user_list(Some("anna"), 10)?, [user("usr_2", "root")]);
        assert!(tx.user_set_password(&UserId::from_stored("usr_1"), "new")?);
        assert_eq!(tx.user_by_login("anna")?.map(|u| u.password_hash), Some("new".into()));
        let anna = UserId::from_stored("usr_1");
        for name in ["other", "acme", "acme"] {
            tx.membership_set(&anna, &slug(name), false)?;
        }
        assert_eq!(tx.memberships(&anna)?, Memberships { acts_for: vec![slug("acme"), slug("other")], audits: vec![] });
        tx.membership_set(&anna, &slug("acme"), true)?;
        assert_eq!(
            tx.memberships(&anna)?,
            Memberships { acts_for: vec![slug("other")], audits: vec![slug("acme")] },
            "the last word counts"
        );
        let session = |hash: &str, secs| SessionRow {
            id_hash: hash.into(),
            user: UserId::from_stored("usr_1"),
            csrf: "c".into(),
            created_at: START,
            expires_at: START.plus(Micros::from_secs(secs)),
        };
        tx.session_insert(&session("a", 10))?;
        tx.session_insert(&session("b", 20))?;
        assert_eq!(tx.session_get("a", START)?, Some(session("a", 10)));
        let later = START.plus(Micros::from_secs(10));
        assert_eq!(tx.session_get("a", later)?, None, "ended");
        assert_eq!(tx.sessions_expire(later)?, 1);
        assert!(tx.session_delete("b")? && !tx.session_delete("b")?);
        Ok(())
    })
    .await;
    conflict(&world, |tx| tx.user_insert(&user("usr_3", "anna"))).await;
    conflict(&world, |tx| tx.membership_set(&UserId::from_stored("usr_1"), &slug("nobody"), false)).await;
}

async fn tokens(world: World) {
    let token = |id: &str, of: Option<&str>| ApiTokenRow {
        id: TokenId::from_stored(id),
        hash: format!("hash-{id}"),
        participant: of.map(slug),
        write: of.is_some(),
        name: "ci".into(),
        created_at: START,
        revoked_at: None,
        last_used_at: None,
    };
    within(&world, move |tx| {
        tx.api_token_insert(&token("tok_1", Some("acme")))?;
        tx.api_token_insert(&token("tok_2", None))?;
        assert_eq!(tx.api_token_by_hash("hash-tok_1")?, Some(token("tok_1", Some("acme"))));
        assert_eq!(tx.api_token_by_hash("x")?, None);
        assert_eq!(tx.api_token_list(Some(&slug("acme")))?, [token("tok_1", Some("acme"))]);
        assert_eq!(tx.api_token_list(None)?.len(), 2);
        let id = TokenId::from_stored("tok_1");
        assert!(tx.api_token_touch(&id, START)?);
        assert!(!tx.api_token_touch(&id, START.plus(Micros::from_secs(59)))?, "at most once a minute");
        assert!(tx.api_token_touch(&id, START.plus(Micros::from_secs(60)))?);
        assert!(tx.api_token_revoke(&id, START)? && !tx.api_token_revoke(&id, START)?);
        assert_eq!(tx.api_token_by_hash("hash-tok_1")?.and_then(|t| t.revoked_at), Some(START));
        Ok(())
    })
    .await;
    conflict(&world, move |tx| tx.api_token_insert(&token("tok_2", None))).await;
}

fn filter() -> ProductFilter {
    ProductFilter { published_only: false, latest_only: false, kind: None, query: None, after: None, upto: None, limit: 100 }
}

fn versions(tx: &mut Tx, of: &Slug, filter: &ProductFilter) -> Result<Vec<String>, StoreError> {
    let found = tx.product_list(of, filter)?;
    let all = ProductFilter { after: None, limit: 100, ..filter.clone() };
    if filter.after.is_none() && found.len() < 100 && filter.limit == 100 {
        assert_eq!(tx.product_count(of, &all)?, found.len() as u64);
    }
    Ok(found.iter().map(|p| p.reference.dataset_id()).collect())
}

async fn products(world: World) {
    within(&world, |tx| {
        let acme = slug("acme");
        let begun = tx.catalog_revision(&acme)?;
        for (id, version) in [("b", 1), ("a", 1), ("a", 2), ("a", 10), ("B", 1)] {
            tx.product_insert(&product(id, version))?;
        }
        assert_eq!(tx.catalog_revision(&acme)?, begun + 5);
        assert_eq!(tx.product_get(&acme, &reference("a", 2))?, Some(product("a", 2)));
        assert_eq!(tx.product_get(&slug("other"), &reference("a", 2))?, None, "not yours");
        assert_eq!(tx.product_next_version(&acme, &reference("a", 1).id)?, 11);
        assert_eq!(tx.product_next_version(&acme, &reference("new", 1).id)?, 1);
        assert_eq!(versions(tx, &acme, &filter())?, ["B", "a", "a:2", "a:10", "b"], "by byte order, versions as numbers");
        assert_eq!(versions(tx, &acme, &ProductFilter { latest_only: true, ..filter() })?, ["B", "a:10", "b"]);
        assert!(tx.product_set_state(&acme, &reference("a", 10), ProductState::Withdrawn)?);
        assert_eq!(tx.catalog_revision(&acme)?, begun + 6, "what is withdrawn changes the catalogue");
        assert!(!tx.product_set_state(&acme, &reference("a", 99), ProductState::Withdrawn)?);
        assert_eq!(tx.product_get(&acme, &reference("a", 10))?.map(|p| p.state), Some(ProductState::Withdrawn));
        assert_eq!(tx.product_latest(&acme, &reference("a", 1).id)?, Some(product("a", 2)));
        assert_eq!(versions(tx, &acme, &ProductFilter { latest_only: true, ..filter() })?, ["B", "a:10", "b"]);
        let catalogue = ProductFilter { published_only: true, latest_only: true, ..filter() };
        assert_eq!(versions(tx, &acme, &catalogue)?, ["B", "a:2", "b"]);
        // Page by page, nothing is lost or doubled.
        let mut paged = Vec::new();
        let mut page = ProductFilter { limit: 2, ..filter() };
        loop {
            let found = tx.product_list(&acme, &page)?;
            let Some(last) = found.last() else { break };
            page.after = Some(last.reference.clone());
            paged.extend(found.iter().map(|p| p.reference.dataset_id()));
        }
        assert_eq!(paged, ["B", "a", "a:2", "a:10", "b"]);
        let kind = product("a", 1).kind;
        assert_eq!(versions(tx, &acme, &ProductFilter { kind: Some(kind), ..filter() })?.len(), 5);
        let other = [ProductKind::Table, ProductKind::Files].into_iter().find(|k| *k != kind);
        assert_eq!(versions(tx, &acme, &ProductFilter { kind: other, ..filter() })?.len(), 0);
        // A query is a text, in any case, in any script.
        let count = |tx: &mut Tx, query: &str| tx.product_count(&acme, &ProductFilter { query: Some(query.into()), ..filter() });
        assert_eq!(count(tx, "FLIGHTS OF b")?, 2);
        assert_eq!(count(tx, "航班")?, 5);
        assert_eq!(count(tx, "100%")?, 5);
        assert_eq!(count(tx, "1%0")?, 0);
        assert_eq!(count(tx, "air_traffic")?, 5);
        assert_eq!(count(tx, "air-traffic")?, 0, "an underscore is an underscore");
        assert_eq!(count(tx, "suzhou")?, 5);
        Ok(())
    })
    .await;
    conflict(&world, |tx| tx.product_insert(&product("a", 1))).await;
}

async fn offers(world: World) {
    within(&world, |tx| {
        let acme = slug("acme");
        for version in 1..=3 {
            tx.product_insert(&product("a", version))?;
        }
        for (id, version) in [("o1", 1), ("o2", 1), ("o3", 2), ("o4", 3)] {
            tx.offer_insert(&offer(id, reference("a", version)))?;
        }
        assert_eq!(tx.offer_get(&acme, &OfferId::from_stored("o3"))?, Some(offer("o3", reference("a", 2))));
        assert_eq!(tx.offer_get(&slug("other"), &OfferId::from_stored("o3"))?, None);
        assert_eq!(tx.offers_of(&acme, &reference("a", 1))?.len(), 2);
        let many = tx.offers_of_many(&acme, &[reference("a", 1), reference("a", 3)])?;
        assert_eq!(many.iter().map(|o| o.id.as_str()).collect::<Vec<_>>(), ["o1", "o2", "o4"]);
        assert!(tx.offers_of_many(&acme, &[])?.is_empty());
        let rules: Rules = serde_json::from_value(json!({"requested": [{"do": "hold"}]})).expect("rules");
        let held = Offer { rules, ..offer("o2", reference("a", 1)) };
        tx.offer_update(&held)?;
        assert_eq!(tx.offers_of(&acme, &reference("a", 1))?, [offer("o1", reference("a", 1)), held]);
        Ok(())
    })
    .await;
    conflict(&world, |tx| tx.offer_insert(&offer("o1", reference("a", 1)))).await;
    conflict(&world, |tx| tx.offer_insert(&offer("o9", reference("none", 1)))).await;
    conflict(&world, |tx| tx.offer_update(&offer("o9", reference("a", 1)))).await;
}

fn every(limit: u32) -> ProcessFilter {
    ProcessFilter { role: None, state: None, after: None, limit }
}

async fn negotiations(world: World) {
    within(&world, |tx| {
        let acme = slug("acme");
        let made = negotiation("neg_1", Some("pid-1"));
        tx.negotiation_insert(&made)?;
        assert_eq!(tx.negotiation_get(&acme, &made.id)?, Some(made.clone()));
        assert_eq!(tx.negotiation_get(&slug("other"), &made.id)?, None, "not yours");
        assert_eq!(tx.negotiation_lock(&acme, &made.id)?, Some(made.clone()));
        let peer = did("did:web:peer.example");
        assert_eq!(tx.negotiation_by_peer_pid(&acme, Role::Provider, &peer, "pid-1")?, Some(made.clone()));
        assert_eq!(tx.negotiation_by_peer_pid(&acme, Role::Consumer, &peer, "pid-1")?, None);
        assert_eq!(tx.negotiation_by_peer_pid(&acme, Role::Provider, &did("did:web:x"), "pid-1")?, None);
        let moved = made.fail(fondaco_core::negotiation::Ending::because("test"), START);
        tx.negotiation_update(&moved, 1)?;
        assert_eq!(tx.negotiation_get(&acme, &moved.id)?, Some(moved));
        for n in 2..=5 {
            let mut next = negotiation(&format!("neg_{n}"), None);
            next.role = if n == 5 { Role::Consumer } else { Role::Provider };
            tx.negotiation_insert(&next)?;
        }
        let ids = |found: Vec<fondaco_core::negotiation::Negotiation>| found.into_iter().map(|n| n.id.to_string()).collect::<Vec<_>>();
        let first = ids(tx.negotiation_list(&acme, &every(3))?);
        assert_eq!(first, ["neg_5", "neg_4", "neg_3"]);
        let rest = ProcessFilter { after: Some("neg_3".into()), ..every(3) };
        assert_eq!(ids(tx.negotiation_list(&acme, &rest)?), ["neg_2", "neg_1"]);
        let ended = ProcessFilter { state: Some("TERMINATED".into()), ..every(9) };
        assert_eq!(ids(tx.negotiation_list(&acme, &ended)?), ["neg_1"]);
        let asked = ProcessFilter { role: Some(Role::Consumer), ..every(9) };
        assert_eq!(ids(tx.negotiation_list(&acme, &asked)?), ["neg_5"]);
        Ok(())
    })
    .await;
    conflict(&world, |tx| {
        let id = NegotiationId::from_stored("neg_1");
        let found = tx.negotiation_get(&slug("acme"), &id)?.expect("stored");
        tx.negotiation_update(&found, 1)
    })
    .await;
    // A consumer's request that arrives again names a negotiation already.
    conflict(&world, |tx| tx.negotiation_insert(&negotiation("neg_9", Some("pid-1")))).await;
    // To a consumer its providers' pids mean nothing.
    within(&world, |tx| {
        for id in ["neg_a", "neg_b"] {
            let mut asked = negotiation(id, Some("pid-1"));
            asked.role = Role::Consumer;
            tx.negotiation_insert(&asked)?;
        }
        Ok(())
    })
    .await;
}

async fn transfers(world: World) {
    within(&world, |tx| {
        let acme = slug("acme");
        let made = transfer("trf_1", Some("pid-1"));
        tx.transfer_insert(&made)?;
        assert_eq!(tx.transfer_get(&acme, &made.id)?, Some(made.clone()));
        assert_eq!(tx.transfer_get(&slug("other"), &made.id)?, None, "not yours");
        assert_eq!(tx.transfer_lock(&acme, &made.id)?, Some(made.clone()));
        let peer = did("did:web:peer.example");
        assert_eq!(tx.transfer_by_peer_pid(&acme, Role::Provider, &peer, "pid-1")?, Some(made.clone()));
        assert_eq!(tx.transfer_by_peer_pid(&acme, Role::Consumer, &peer, "pid-1")?, None);
        let (moved, _) = made.fail(fondaco_core::negotiation::Ending::because("test"), START);
        tx.transfer_update(&moved, 1)?;
        tx.transfer_insert(&transfer("trf_2", None))?;
        let mut elsewhere = transfer("trf_3", None);
        elsewhere.agreement_id = "agr_2".into();
        tx.transfer_insert(&elsewhere)?;
        let ids = |found: Vec<fondaco_core::transfer::Transfer>| found.into_iter().map(|t| t.id.to_string()).collect::<Vec<_>>();
        assert_eq!(ids(tx.transfers_of_agreement(&acme, "agr_1")?), ["trf_2", "trf_1"]);
        let open = ProcessFilter { state: Some("STARTED".into()), ..every(9) };
        assert_eq!(ids(tx.transfer_list(&acme, &open)?), ["trf_3", "trf_2"]);
        let after = ProcessFilter { after: Some("trf_3".into()), ..every(1) };
        assert_eq!(ids(tx.transfer_list(&acme, &after)?), ["trf_2"]);
        Ok(())
    })
    .await;
    conflict(&world, |tx| {
        let found = tx.transfer_get(&slug("acme"), &TransferId::from_stored("trf_1"))?.expect("stored");
        tx.transfer_update(&found, 1)
    })
    .await;
    conflict(&world, |tx| tx.transfer_insert(&transfer("trf_9", Some("pid-1")))).await;
}

async fn agreements(world: World) {
    within(&world, |tx| {
        let acme = slug("acme");
        assert!(tx.agreement_insert(&agreement("agr_1"))?);
        assert!(!tx.agreement_insert(&agreement("agr_1"))?, "the same again changes nothing");
        assert_eq!(tx.agreement_get(&acme, "agr_1")?, Some(agreement("agr_1")));
        assert_eq!(tx.agreement_get(&slug("other"), "agr_1")?, None, "not yours");
        let mut ruled = agreement("agr_1");
        tx.agreement_set_rules(&ruled, &Rules::default())?;
        ruled.rules = Rules::default();
        assert_eq!(tx.agreement_get(&acme, "agr_1")?, Some(ruled.clone()));
        tx.agreement_set_rules(&ruled, &agreement("agr_1").rules)?;
        let mut ours = agreement("agr_1");
        ours.participant = slug("other");
        ours.role = Role::Consumer;
        assert!(tx.agreement_insert(&ours)?, "both sides on one node");
        for (id, offset) in [("z", 1), ("y", 2), ("x", 2)] {
            let mut row = agreement(id);
            row.created_at = START.plus(Micros(offset));
            tx.agreement_insert(&row)?;
        }
        let all = AgreementFilter { role: None, dataset: None, peer: None, phase: None, after: None, limit: 100 };
        let ids = |tx: &mut Tx, filter: &AgreementFilter| {
            let found = tx.agreement_list(&slug("acme"), filter)?;
            Ok::<_, StoreError>(found.into_iter().map(|a| a.agreement.id).collect::<Vec<_>>())
        };
        assert_eq!(ids(tx, &all)?, ["y", "x", "z", "agr_1"]);
        let page = AgreementFilter { limit: 2, ..all.clone() };
        assert_eq!(ids(tx, &page)?, ["y", "x"]);
        assert_eq!(ids(tx, &AgreementFilter { after: Some("x".into()), ..page.clone() })?, ["z", "agr_1"]);
        assert!(ids(tx, &AgreementFilter { after: Some("unknown".into()), ..page })?.is_empty());
        let running = tx.agreement_get(&acme, "z")?.expect("stored");
        let over = Over { at: START, by: Some(Role::Provider), reason: Some("moved".into()) };
        let life = Life { over: Some(over), said: 1, ..Life::default() };
        assert!(tx.agreement_set_life(&running, &life)?);
        assert!(!tx.agreement_set_life(&running, &Life::default())?, "only as it was read");
        let ended = tx.agreement_lock(&acme, "z")?.expect("stored");
        assert_eq!((ended.ended_at, ended.end_reason.as_deref(), ended.revision), (Some(START), Some("moved"), 1));
        assert_eq!(ended.life, life);
        assert_eq!(ids(tx, &AgreementFilter { phase: Some(Phase::Ended), ..all.clone() })?, ["z"]);
        let counted = tx.agreement_list_counted(&acme, &AgreementFilter { limit: 1, ..all.clone() })?;
        assert_eq!(counted.iter().map(|(a, used)| (a.agreement.id.as_str(), used.reads)).collect::<Vec<_>>(), [("y", 0)]);
        assert_eq!(ids(tx, &AgreementFilter { phase: Some(Phase::Active), ..all.clone() })?, ["y", "x", "agr_1"]);
        assert_eq!(ids(tx, &AgreementFilter { dataset: Some("none".into()), ..all.clone() })?, Vec::<String>::new());
        let peer = tx.agreement_get(&acme, "y")?.expect("y").peer().clone();
        let with = AgreementFilter { peer: Some(peer), ..all.clone() };
        assert!(ids(tx, &with)?.contains(&"y".to_owned()));
        assert_eq!(ids(tx, &AgreementFilter { phase: Some(Phase::Ended), ..with.clone() })?, ["z"]);
        assert_eq!(
            ids(tx, &AgreementFilter { after: Some("z".into()), ..with })?,
            ids(tx, &AgreementFilter { after: Some("z".into()), ..all.clone() })?
        );
        let stranger = fondaco_core::participant::Did::parse("did:web:stranger.example").expect("did");
        assert_eq!(ids(tx, &AgreementFilter { peer: Some(stranger), ..all.clone() })?, Vec::<String>::new());
        assert_eq!(ids(tx, &AgreementFilter { role: Some(Role::Provider), dataset: Some("flights".into()), ..all })?.len(), 4);
        Ok(())
    })
    .await;
    conflict(&world, |tx| tx.agreement_set_rules(&agreement("unknown"), &Rules::default())).await;
    life_of_agreements(&world).await;
    conflict(&world, |tx| {
        let mut forged = agreement("agr_1");
        forged.agreement.digest = "0".repeat(64);
        tx.agreement_insert(&forged).map(drop)
    })
    .await;
}

/// What becomes due, what is stopped with a product, and what is renewed by whom: each changed by one statement.
async fn life_of_agreements(world: &World) {
    within(world, |tx| {
        let (acme, other) = (slug("acme"), slug("other"));
        assert_eq!(tx.agreements_next_due(&acme)?, None);
        for (id, day) in [("x", 2), ("y", 1)] {
            let row = tx.agreement_get(&acme, id)?.expect("stored");
            let ends_at = START.plus(Micros::from_secs(86_400 * day));
            let notice = Notice { by: Role::Consumer, at: START, ends_at, reason: None };
            assert!(tx.agreement_set_life(&row, &Life { notice: Some(notice), ..row.life.clone() })?);
        }
        let day = |n: i64| START.plus(Micros::from_secs(86_400 * n));
        assert_eq!(tx.agreements_next_due(&acme)?, Some(day(1)));
        assert_eq!(tx.agreements_due(&acme, START, 10)?, Vec::<String>::new());
        assert_eq!(tx.agreements_due(&acme, day(1), 10)?, ["y"]);
        assert_eq!(tx.agreements_due(&acme, day(9), 10)?, ["y", "x"]);
        assert_eq!(tx.agreements_timed(&acme, "", 10)?, Vec::<String>::new(), "the provider's");
        let flights = ProductId::parse("flights").expect("id");
        assert_eq!(tx.agreements_of_product(&acme, &flights, "", 2)?, ["agr_1", "x"], "what has ended is left out");
        assert_eq!(tx.agreements_of_product(&acme, &flights, "x", 2)?, ["y"]);
        assert_eq!(tx.agreements_of_product(&other, &flights, "", 2)?, Vec::<String>::new(), "a consumer's");

        let stop = Stop { at: START, reason: "recall".into() };
        assert!(!tx.product_stop(&acme, &ProductId::parse("unknown").expect("id"), &stop)?);
        assert_eq!(tx.product_stopped(&acme, &flights)?, None);
        tx.product_insert(&product("flights", 1))?;
        assert!(tx.product_stop(&acme, &flights, &stop)?);
        assert!(!tx.product_stop(&acme, &flights, &Stop { at: START, reason: "again".into() })?);
        assert_eq!(tx.product_stopped(&acme, &flights)?, Some(stop));
        assert!(tx.product_resume(&acme, &flights)?);
        assert!(!tx.product_resume(&acme, &flights)?);

        let signature = |digest: &str, jws: &str| SignatureRow {
            participant: acme.clone(),
            agreement_id: "agr_1".into(),
            signer: did("did:web:peer.example"),
            digest: digest.into(),
            jws: jws.into(),
            key: "{}".into(),
            signed_at: START,
        };
        for jws in ["first", "second"] {
            tx.agreement_sign(&signature("d1", jws))?;
        }
        tx.agreement_sign(&signature("d2", "other"))?;
        let mut kept: Vec<String> = tx.agreement_signatures(&acme, "agr_1")?.into_iter().map(|s| s.jws).collect();
        kept.sort();
        assert_eq!(kept, ["first", "other"], "the first of a signer for a document");
        assert_eq!(tx.agreement_signatures(&other, "agr_1")?, []);

        let (one, two) = (NegotiationId::from_stored("neg_7"), NegotiationId::from_stored("neg_8"));
        assert!(!tx.agreement_renew(&acme, "agr_1", &one, None)?, "only the consumer renews");
        assert!(tx.agreement_renew(&other, "agr_1", &one, None)?);
        assert!(!tx.agreement_renew(&other, "agr_1", &two, None)?, "not twice");
        assert!(tx.agreement_renew(&other, "agr_1", &two, Some(&one))?, "in place of one that came to nothing");
        assert_eq!(tx.agreement_renewed_by(&other, &two)?.as_deref(), Some("agr_1"));
        assert_eq!(tx.agreement_renewed_by(&other, &one)?, None);
        Ok(())
    })
    .await;
}

async fn events(world: World) {
    let event = |topic: &str, text: &str| NewEvent {
        participant: slug("acme"),
        topic: topic.into(),
        kind: "test".into(),
        actor: "did:web:peer.example".into(),
        text: text.into(),
        detail: json!({"text": text}),
    };
    within(&world, move |tx| {
        let first = tx.event_append(&event("product:a", "1"))?;
        tx.event_append(&event("product:b", "2"))?;
        tx.event_append(&event("product:a", "3"))?;
        let texts = |found: Vec<fondaco_store::Event>| found.into_iter().map(|e| e.text).collect::<Vec<_>>();
        assert_eq!(texts(tx.events_of(&slug("acme"), "product:a", 0, 10)?), ["1", "3"]);
        assert_eq!(texts(tx.events_of(&slug("acme"), "product:a", first, 10)?), ["3"]);
        assert_eq!(texts(tx.events_latest(&slug("acme"), 2)?), ["3", "2"]);
        assert!(tx.events_latest(&slug("other"), 2)?.is_empty(), "not yours");
        Ok(())
    })
    .await;
    let long = event("node", &"x".repeat(70_000));
    let result = world.store.tx("long", move |tx: &mut Tx| tx.event_append(&long)).await;
    assert!(matches!(result, Err(StoreError::Limit(_))), "{result:?}");
}

async fn peers_inbox_and_settings(world: World) {
    within(&world, |tx| {
        let acme = slug("acme");
        let peer = PeerRow {
            participant: acme.clone(),
            did: did("did:web:peer.example"),
            name: Some("Peer".into()),
            address: Some("https://peer.example/dsp".into()),
            last_ok_at: Some(START),
            last_error: None,
            catalog_read_at: None,
            catalog_error: None,
        };
        tx.peer_touch(&peer)?;
        assert_eq!(tx.peer_get(&acme, &peer.did)?, Some(peer.clone()));
        tx.peer_touch(&PeerRow { name: None, address: None, last_ok_at: None, last_error: Some("timed out".into()), ..peer.clone() })?;
        let failed = PeerRow { last_error: Some("timed out".into()), ..peer.clone() };
        assert_eq!(tx.peer_list(&acme)?, [failed], "a failure forgets nothing");
        assert_eq!(tx.peer_get(&slug("other"), &peer.did)?, None);

        assert!(tx.message_seen(&acme, "neg_1", "urn:uuid:1")?);
        assert!(!tx.message_seen(&acme, "neg_1", "urn:uuid:1")?);
        assert!(tx.message_seen(&acme, "neg_2", "urn:uuid:1")?);
        assert!(tx.message_seen(&slug("other"), "neg_1", "urn:uuid:1")?);
        let said_since = |tx: &mut Tx, since| tx.message_said_since(&acme, "neg_1", "said verification", since);
        assert!(!said_since(tx, START)?);
        tx.message_said(&acme, "neg_1", "said verification")?;
        tx.message_said(&acme, "neg_1", "said verification")?;
        assert!(said_since(tx, START)? && !said_since(tx, START.plus(Micros(1)))?, "as of when it was said");
        assert_eq!(tx.messages_forget(START)?, 4);

        assert_eq!(tx.setting_get("a")?, None);
        tx.setting_put("a", &json!({"n": 1}))?;
        tx.setting_put("a", &json!([2]))?;
        assert_eq!(tx.setting_get("a")?, Some(json!([2])));
        Ok(())
    })
    .await;
}
