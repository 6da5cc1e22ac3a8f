//! Copies that were written as a plan shows them answer as what they were made of.

use super::*;
use crate::{
    governed::{
        Cache, Governor, Source, TablePlan,
        fixtures::{Dice, filter, source_file},
    },
    publish::FileStats,
};
use fondaco_core::policy::view::{Mask, View};
use futures::TryStreamExt;
use std::{fs::File, sync::Arc};

/// What is asked of both.
const STATEMENTS: [&str; 14] = [
    "SELECT count(*) AS n FROM t",
    "SELECT count(small) AS s, count(score) AS c, count(site) AS i FROM t",
    "SELECT min(id) AS a, max(id) AS b, min(day) AS c, max(day) AS d, min(at) AS e, max(at) AS f FROM t",
    "SELECT min(score) AS a, max(score) AS b, min(small) AS c, max(small) AS d, min(price) AS e, max(price) AS f FROM t",
    "SELECT min(site) AS a, max(site) AS b FROM t",
    "SELECT id, score FROM t WHERE score > 1 ORDER BY id",
    "SELECT id FROM t WHERE score >= 1.5 OR score <= -1.5 ORDER BY id",
    "SELECT id, site FROM t WHERE site IN ('Suzhou0', 'Kunshan0', '苏州1') ORDER BY id",
    "SELECT site, count(*) AS n, avg(small) AS m FROM t GROUP BY site ORDER BY site",
    "SELECT id FROM t WHERE at >= TIMESTAMP '2027-01-15T08:00:00.500001Z' AND id < 210 ORDER BY id",
    "SELECT id, clock, who, tags, marks FROM t WHERE day IS NOT NULL ORDER BY id DESC LIMIT 7",
    "SELECT id FROM t WHERE small = 2 AND ok ORDER BY id",
    "SELECT count(DISTINCT price) AS n FROM t WHERE price > 1.25",
    "SELECT date_trunc('day', at) AS d, count(*) AS n FROM t WHERE NOT ok GROUP BY d ORDER BY d",
];
/// Masks, of which each table has at most one.
const MASKS: [&str; 5] = ["hash(site)", "null(tags)", "truncate(site, 2)", "bucket(small, 3)", "null(who.name)"];

async fn answer(engine: &Queries, table: Table, sql: &str) -> Result<Vec<u8>, SqlError> {
    let answer = engine.run("agr_1", table, sql.into(), Limits::default()).await?.begin().await?;
    let pieces: Vec<_> = answer.into_bytes(Format::Json).map_ok(|(bytes, _)| bytes.to_vec()).try_collect().await?;
    Ok(pieces.concat())
}

#[tokio::test]
async fn a_copy_answers_as_what_it_was_made_of() {
    let engine = Queries::default();
    let dir = tempfile::tempdir().expect("dir");
    let governor = Governor::new(Cache::open(&dir.path().join("cache"), 1 << 24).expect("cache"));
    let still_same: StillSame = Arc::new(|_: &File| Ok(()));
    let (mut compared, mut answered) = (0, 0);
    for seed in 0..60 {
        let mut dice = Dice::new(seed);
        let made = source_file(&mut dice, 3);
        let masks = (0..dice.below(2)).map(|_| Mask::parse(dice.pick::<&str>(&MASKS)).expect("mask")).collect();
        let view = View { row_filter: Some(filter(&mut dice, 2, 1)), masks, ..View::default() };
        // Some are refused because nothing could satisfy them.
        let Ok(plan) = TablePlan::new(&view, &made.schema, b"a secret of the agreement").map(Arc::new) else { continue };
        let path = dir.path().join(format!("{seed}.parquet"));
        std::fs::write(&path, &made.bytes).expect("written");
        let open = Arc::new(File::open(&path).expect("open"));
        let source = Source {
            name: seed.to_string(),
            file: Arc::clone(&open),
            still_same: Arc::clone(&still_same),
            sha256: seed.to_string(),
            size: made.bytes.len() as u64,
            rows: 0,
            stats: FileStats::default(),
        };
        assert!(governor.written(&plan, &source).await.expect("looked up").is_none(), "it was not written yet");
        governor.file(&plan, &source).await.expect("a file");
        // Some show whole row groups, or nothing.
        let Some(copy) = governor.written(&plan, &source).await.expect("looked up") else { continue };
        let Some(shown) = SourceFile::shown(&copy).map(Arc::new) else { continue };
        let stored = Arc::new(SourceFile::new(open, source.size, Arc::clone(&still_same)));
        for sql in STATEMENTS {
            let of_stored = answer(&engine, Table::new("acme", "t", &plan, vec![Arc::clone(&stored)]).expect("table"), sql).await;
            let of_shown = answer(&engine, Table::shown("acme", "t", &plan, vec![Arc::clone(&shown)]).expect("table"), sql).await;
            answered += u32::from(of_shown.is_ok());
            assert_eq!(of_shown, of_stored, "seed {seed}: {sql}");
        }
        compared += 1;
    }
    assert!(compared > 10 && answered > compared * 10, "{compared} copies, {answered} answers");
}
