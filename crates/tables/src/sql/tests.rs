//! Statements against small tables: what is answered, what is refused, and what nobody learns.

use super::{session::Seen, *};
use arrow::{
    array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
    ipc::reader::StreamReader,
};
use datafusion::{
    logical_expr::{Expr, lit},
    prelude::{col, concat},
};
use futures::TryStreamExt;
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};
use std::{fs::File, sync::Arc};

/// 60 machines in three places, of which Hidden is not shown; a secret column; the last place's texts are numbers.
fn batch() -> RecordBatch {
    let ids: Vec<i64> = (0..60).collect();
    let place = |i: &i64| ["Suzhou", "Hidden", "Wuxi"][usize::try_from(i % 3).expect("small")];
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(Int64Array::from(ids.clone()))),
        ("site", Arc::new(StringArray::from_iter_values(ids.iter().map(place)))),
        (
            "temperature",
            Arc::new(ids.iter().map(|i| (i % 7 != 0).then(|| f64::from(i32::try_from(*i).expect("small")))).collect::<Float64Array>()),
        ),
        ("word", Arc::new(StringArray::from_iter_values(ids.iter().map(|i| if i % 3 == 1 { "SECRET".to_owned() } else { i.to_string() })))),
        ("zero", Arc::new(Int64Array::from_iter_values(ids.iter().map(|i| i64::from(i % 3 != 1))))),
        ("owner", Arc::new(StringArray::from_iter_values(ids.iter().map(|i| format!("SECRET-{i}"))))),
    ];
    RecordBatch::try_from_iter(columns).expect("batch")
}

fn stored() -> (SchemaRef, Vec<Arc<SourceFile>>) {
    let batch = batch();
    let files = (0..2)
        .map(|half| {
            let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).expect("writer");
            writer.write(&batch.slice(half * 30, 30)).expect("written");
            let bytes = writer.into_inner().expect("closed");
            let mut file = tempfile::tempfile().expect("file");
            std::io::Write::write_all(&mut file, &bytes).expect("written");
            Arc::new(SourceFile::new(Arc::new(file), bytes.len() as u64, Arc::new(|_: &File| Ok(()))))
        })
        .collect();
    let view = |f: &Arc<Field>| match f.data_type() {
        DataType::Utf8 => Field::new(f.name(), DataType::Utf8View, true),
        other => Field::new(f.name(), other.clone(), true),
    };
    (Arc::new(Schema::new(batch.schema().fields().iter().map(view).collect::<Vec<_>>())), files)
}

/// Of the table without Hidden and without owners; the ids below are changed.
fn table(min_group_size: Option<u32>) -> Table {
    let (schema, files) = stored();
    let plain = |name: &str| (col(name), name.to_owned());
    let masked: Expr = concat(vec![lit("m-"), col("word")]);
    let columns = vec![plain("id"), plain("site"), plain("temperature"), plain("word"), plain("zero"), (masked, "masked".into())];
    let seen = Seen { filter: Some(col("site").not_eq(lit("Hidden"))), columns, min_group_size };
    Table::over("acme", "machines", schema, files, seen).expect("table")
}

async fn ask_of(table: Table, limits: Limits, sql: &str) -> Result<Value, SqlError> {
    let engine = Queries::default();
    let answer = engine.run("agr_1", table, sql.into(), limits).await?;
    let pieces: Vec<_> = answer.begin().await?.into_bytes(Format::Json).map_ok(|(bytes, _)| bytes.to_vec()).try_collect().await?;
    let text = String::from_utf8(pieces.concat()).expect("text");
    assert!(!text.contains("SECRET") && !text.contains("Hidden"), "{sql}: {text}");
    Ok(serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}")))
}

async fn ask(sql: &str) -> Result<Value, SqlError> {
    ask_of(table(None), Limits::default(), sql).await
}

async fn rows(sql: &str) -> Value {
    ask(sql).await.unwrap_or_else(|e| panic!("{sql}: {e:?}"))["rows"].take()
}

/// Asked of a table with `minGroupSize` 5.
async fn groups(sql: &str) -> Result<Value, SqlError> {
    Ok(ask_of(table(Some(5)), Limits::default(), sql).await?["rows"].take())
}

#[tokio::test]
async fn the_terms_hold_whatever_is_asked() {
    assert_eq!(rows("SELECT count(*) AS n FROM machines").await, json!([{"n": 40}]));
    assert_eq!(
        rows("SELECT site, count(*) AS n FROM machines GROUP BY site ORDER BY site").await,
        json!([
        {"site": "Suzhou", "n": 20}, {"site": "Wuxi", "n": 20}])
    );
    assert_eq!(rows("SELECT count(*) AS n FROM machines WHERE site = 'Hidden'").await, json!([{"n": 0}]));
    assert_eq!(rows("SELECT count(*) AS n FROM machines WHERE id = 1 OR 1 = 1").await, json!([{"n": 40}]));
    assert_eq!(rows("SELECT min(id) AS a, max(id) AS b FROM machines").await, json!([{"a": 0, "b": 59}]));
    assert_eq!(rows("SELECT masked FROM machines WHERE id = 3 LIMIT 1").await, json!([{"masked": "m-3"}]));
    let joined = "SELECT count(*) AS n FROM machines a JOIN machines b ON a.id = b.id WHERE a.id IN (SELECT id FROM machines)";
    assert_eq!(rows(joined).await, json!([{"n": 40}]));
    let limited = rows("SELECT id FROM machines LIMIT 3").await;
    assert_eq!(limited.as_array().map(Vec::len), Some(3));
    let whole = ask("SELECT * FROM machines ORDER BY id").await.expect("answer");
    let names: Vec<_> = whole["columns"].as_array().expect("columns").iter().map(|c| c["name"].clone()).collect();
    assert_eq!(names, ["id", "site", "temperature", "word", "zero", "masked"]);
    assert_eq!(whole["rows"][0], json!({"id": 0, "site": "Suzhou", "temperature": null, "word": "0", "zero": 1, "masked": "m-0"}));
}

#[tokio::test]
async fn conditions_never_meet_hidden_rows() {
    // Each fails on every hidden row and on no other.
    for sql in [
        "SELECT count(*) AS n FROM machines WHERE CAST(word AS BIGINT) >= 0",
        "SELECT count(*) AS n FROM machines WHERE 1 / zero = 1",
        "SELECT count(*) AS n FROM machines WHERE id < 0 OR 1 / zero = 1",
        "SELECT count(*) AS n FROM machines WHERE CAST(substr(masked, 3) AS BIGINT) >= 0",
        "SELECT count(1 / zero) AS n FROM machines",
    ] {
        assert_eq!(rows(sql).await, json!([{"n": 40}]), "{sql}");
    }
    // One that fails on a row that is shown tells nothing of it.
    let error = ask("SELECT CAST(masked AS BIGINT) FROM machines").await.expect_err("not a number");
    assert_eq!(error, SqlError::OnValue);
}

#[tokio::test]
async fn only_questions_about_the_table_are_answered() {
    for sql in [
        "CREATE TABLE t AS SELECT 1",
        "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION '/etc/passwd'",
        "INSERT INTO machines SELECT * FROM machines",
        "DELETE FROM machines",
        "UPDATE machines SET id = 1",
        "TRUNCATE machines",
        "COPY machines TO '/tmp/x.parquet'",
        "SET datafusion.execution.batch_size = 1",
        "PREPARE p AS SELECT 1",
        "EXPLAIN SELECT * FROM machines",
        "EXPLAIN ANALYZE SELECT * FROM machines",
        "EXPLAIN VERBOSE SELECT * FROM machines",
        "SELECT owner FROM machines",
        "SELECT * FROM stored",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM \"file:///etc/passwd\"",
        "SELECT * FROM 'https://example.org/x.parquet'",
        "SELECT version()",
        "SELECT * FROM generate_series(1, 10)",
        "SELECT repeat('x', 1000000000)",
        "SELECT range(1, 1000000000)",
        "SELECT [id, id] FROM machines",
        "SELECT {a: id} FROM machines",
        "SELECT array_agg(id) FROM machines",
        "SELECT string_agg(word, ',') OVER (ORDER BY id) FROM machines",
        "SELECT levenshtein(word, site) FROM machines",
        "SELECT count(*) FROM machines WHERE word ~ site",
        "SELECT count(*) FROM machines WHERE word LIKE site",
        "SELECT * FROM information_schema.df_settings",
        "SELECT * FROM information_schema.\"DF_SETTINGS\"",
        "SELECT arrow_cast(NULL, 'FixedSizeBinary(2000000000)') FROM machines",
        "SELECT CAST(NULL AS INT[2000000000])",
        "SHOW ALL",
        "SELECT 1; SELECT 2",
        "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT * FROM n",
        "DESCRIBE stored",
        "SELEC",
        "",
    ] {
        let error = ask(sql).await.expect_err(sql);
        assert!(matches!(error, SqlError::Refused(_)), "{sql}: {error:?}");
        let text = error.to_string();
        assert!(!text.contains("owner\"") || sql.contains("owner"), "{text}");
    }
    let deep = format!("SELECT {}1{}", "(".repeat(2_000), ")".repeat(2_000));
    assert!(ask(&deep).await.is_err());
    let long = format!("SELECT '{}'", "x".repeat(100_001));
    assert!(matches!(ask(&long).await, Err(SqlError::Refused(_))));
}

#[tokio::test]
async fn tools_find_the_table_and_its_columns() {
    let tables = rows("SELECT table_catalog, table_schema, table_name FROM information_schema.tables WHERE table_schema = 'default'").await;
    assert_eq!(tables, json!([{"table_catalog": "acme", "table_schema": "default", "table_name": "machines"}]));
    let columns = rows("SELECT column_name FROM information_schema.columns WHERE table_name = 'machines' ORDER BY ordinal_position").await;
    assert_eq!(columns.as_array().map(Vec::len), Some(6));
    assert!(rows("DESCRIBE machines").await.to_string().contains("temperature"));
}

#[tokio::test]
async fn limits_hold() {
    let ask = |limits, sql: &'static str| ask_of(table(None), limits, sql);
    let few = Limits { rows: 10, ..Limits::default() };
    assert!(matches!(ask(few, "SELECT id FROM machines").await, Err(SqlError::TooLarge(_))));
    assert!(ask(few, "SELECT id FROM machines LIMIT 10").await.is_ok());
    let small = Limits { bytes: 100, ..Limits::default() };
    assert!(matches!(ask(small, "SELECT id FROM machines").await, Err(SqlError::TooLarge(_))));
    // So short that the time is over before the memory is, on however slow a machine.
    let quick = Limits { time: Duration::from_millis(1), ..Limits::default() };
    let cross = "SELECT count(*) FROM machines a, machines b, machines c, machines d, machines e, machines f WHERE a.id + b.id + c.id + d.id + e.id + f.id < 0";
    assert_eq!(ask(quick, cross).await, Err(SqlError::TooSlow(0)));
    let narrow = Limits { memory_bytes: 1_000_000, ..Limits::default() };
    let sorted = "SELECT a.id FROM machines a, machines b, machines c, machines d ORDER BY a.id + b.id * c.id - d.id";
    assert_eq!(ask(narrow, sorted).await, Err(SqlError::OutOfMemory));
}

/// A few characters that are a billion after thirty steps, each of which makes twice as much of what it is given.
fn doubled(first: &str, twice: &str, steps: usize) -> String {
    let mut sql = format!("WITH t0 AS (SELECT id, {first} AS a FROM machines)");
    for i in 1..=steps {
        sql += &format!(", t{i} AS (SELECT id, {} AS a FROM t{})", twice, i - 1);
    }
    sql + &format!(" SELECT count(a) AS n FROM t{steps} WHERE a <> 'x'")
}

#[tokio::test]
async fn no_value_grows_without_being_measured() {
    let text = "t".repeat(400);
    let long = format!("id || '{text}'");
    for twice in [
        "a || a",
        "concat(a, a)",
        "concat_ws('', a, a)",
        "replace(a, 't', 'tttt')",
        "regexp_replace(a, '(.*)', '\\1\\1')",
        "overlay(a PLACING a FROM 1 FOR 0)",
        "encode(arrow_cast(a, 'Binary'), 'hex')",
        "translate(a, 't', '💶') || a",
    ] {
        assert_eq!(ask(&doubled(&long, twice, 1)).await.expect(twice)["rows"], json!([{"n": 40}]), "{twice}");
        let error = ask(&doubled(&long, twice, 9)).await.expect_err(twice);
        assert!(matches!(error, SqlError::TooLarge(_)), "{twice}: {error:?}");
        // Of what is written, before a row is seen; and in so many steps that no one could plan them.
        for sql in [doubled(&format!("'{text}'"), twice, 9), doubled(&long, twice, 40)] {
            assert!(matches!(ask(&sql).await.expect_err(twice), SqlError::TooLarge(_) | SqlError::Refused(_)), "{twice}");
        }
    }
    // What is written once and named often is in as many places as it is named.
    let text = "x".repeat(1_000);
    let wide = format!("SELECT {} FROM (SELECT '{text}' AS s FROM machines)", vec!["s"; 5_000].join(", "));
    let named = format!(
        "SELECT {} FROM (SELECT '{text}' AS s FROM machines)",
        (0..5_000).map(|i| format!("s AS s{i}")).collect::<Vec<_>>().join(", ")
    );
    for sql in [wide, named] {
        assert!(matches!(ask(&sql).await, Err(SqlError::Refused(_))));
    }
    let list = (0..10_000).map(|i| i.to_string()).collect::<Vec<_>>().join(", ");
    assert_eq!(rows(&format!("SELECT count(*) AS n FROM machines WHERE id IN ({list})")).await, json!([{"n": 40}]));
}

#[tokio::test]
async fn measured_texts_are_what_they_would_be() {
    let texts = rows(
        "SELECT word || '-' || site AS a, word || NULL AS b, concat(word, NULL, 1) AS c, replace(site, 'z', 'ss') AS d, \
         regexp_replace(site, '^(.)', '<\\1>') AS e, overlay(site PLACING 'X' FROM 2 FOR 1) AS f, 1 || site AS g, \
         to_char(TIMESTAMP '2027-01-02T03:04:05', '%Y-%m') AS h FROM machines WHERE id = 3",
    );
    let expected =
        json!([{"a": "3-Suzhou", "b": null, "c": "31", "d": "Susshou", "e": "<S>uzhou", "f": "SXzhou", "g": "1Suzhou", "h": "2027-01"}]);
    assert_eq!(texts.await, expected);
    let answer =
        ask("SELECT site || word, count(*) FROM machines GROUP BY site || word ORDER BY site || word LIMIT 1").await.expect("answer");
    assert_eq!(answer["columns"][0]["name"], json!("machines.site || machines.word"), "names are those of the statement");
}

#[tokio::test]
async fn a_statement_is_no_larger_than_can_be_planned() {
    let refused = async |sql: String| {
        let error = ask(&sql).await.expect_err("too large");
        assert!(matches!(error, SqlError::Refused(_)), "{}: {error:?}", &sql[..60]);
    };
    let many = |of: &str, between: &str, times: usize| vec![of; times].join(between);
    refused(format!("SELECT count(*) FROM machines WHERE {}", many("id = 1", " OR ", 4_000))).await;
    refused(format!("SELECT {}", many("1", "+", 20_000))).await;
    refused(format!("SELECT 1{}", many("::int", "", 10_000))).await;
    refused(format!("SELECT {} id", many("-", " ", 20_000))).await;
    refused(format!("SELECT id{}", many("[1]", "", 20_000))).await;
    refused(format!("SELECT {}", many("a", ".", 20_000))).await;
    refused(many("SELECT 1", " UNION ALL ", 5_000)).await;
    refused(format!("SELECT count(*) FROM {}", (0..2_000).map(|i| format!("machines m{i}")).collect::<Vec<_>>().join(","))).await;
    refused("SELECT count(*) FROM machines TABLESAMPLE (1 ROWS)".into()).await;
    // Each name stands for two others.
    let steps = |first: &str, twice: &str| {
        let steps = (1..40).map(|i| format!(", c{i} AS ({})", twice.replace('#', &format!("c{}", i - 1)))).collect::<String>();
        format!("WITH c0 AS ({first}){steps} SELECT * FROM c39")
    };
    refused(steps("SELECT 1 AS x", "SELECT a.x FROM # a, # b")).await;
    refused(steps("SELECT id AS x FROM machines", "SELECT x + x AS x FROM #")).await;
    refused(steps("SELECT id AS x FROM machines", "SELECT x FROM # WHERE x IN (SELECT x FROM #)")).await;
    // What is as large as it may be is answered.
    let tests = many("id = 1", " OR ", 499);
    assert_eq!(rows(&format!("SELECT count(*) AS n FROM machines WHERE {tests}")).await, json!([{"n": 0}]));
    let columns = (0..900).map(|i| format!("id + {i} AS c{i}")).collect::<Vec<_>>().join(", ");
    assert_eq!(rows(&format!("SELECT {columns} FROM machines LIMIT 1")).await[0].as_object().map(serde_json::Map::len), Some(900));
}

#[tokio::test]
async fn rows_that_a_window_holds_back_are_counted() {
    let narrow = Limits { memory_bytes: 4_000_000, ..Limits::default() };
    let few = "machines a, machines b, machines c";
    let many = format!("{few}, machines d");
    for window in
        ["sum(a.id) OVER ()", "lead(a.id, 100000) OVER ()", "last_value(a.id) OVER (ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)"]
    {
        let sql = format!("SELECT max(w) AS w FROM (SELECT {window} AS w, a.word, b.site FROM {many})");
        assert_eq!(ask_of(table(None), narrow, &sql).await, Err(SqlError::OutOfMemory), "{window}");
        if window.starts_with("sum") {
            let enough = ask_of(table(None), Limits::default(), &sql).await;
            assert!(enough.is_ok(), "{window}: {enough:?}");
        }
    }
    // What moves on holds little.
    let sql = format!("SELECT max(w) AS w FROM (SELECT row_number() OVER (ORDER BY a.id) AS w FROM {few})");
    assert_eq!(ask_of(table(None), narrow, &sql).await.expect("answer")["rows"], json!([{"w": 64_000}]));
}

#[tokio::test]
async fn an_answer_that_is_not_read_in_time_does_not_look_whole() {
    let engine = Queries::default();
    let endless = "SELECT a.id FROM machines a, machines b, machines c, machines d, machines e";
    let limits = Limits { rows: u64::MAX, bytes: u64::MAX, ..Limits::default() };
    let mut answer = engine.run("agr_1", table(None), endless.into(), limits).await.expect("runs");
    // The work ends before the answer does, as it does when the reader pauses for too long.
    drop(engine);
    let mut last = answer.next().await;
    while let Some(Ok(_)) = last {
        last = answer.next().await;
    }
    assert!(matches!(last, Some(Err(_))), "{last:?}");
    assert!(answer.next().await.is_none());
}

#[tokio::test]
async fn a_slice_counts_what_it_shows() {
    let schema = Arc::new(Schema::new(vec![Field::new("t", DataType::Utf8View, true)]));
    let texts = arrow::array::StringViewArray::from_iter_values((0..1_000).map(|i| format!("a text that is longer than a view: {i:04}")));
    let batch = RecordBatch::try_new(schema, vec![Arc::new(texts)]).expect("batch");
    let one = answer::batch_bytes(&batch.slice(5, 1));
    assert_eq!(one, 39 + 8);
    assert!(answer::batch_bytes(&batch) > 39_000);
}

#[tokio::test]
async fn an_agreement_has_so_many_places_and_a_dropped_answer_frees_its_own() {
    let engine = Queries::default();
    let endless = "SELECT a.id FROM machines a, machines b, machines c, machines d, machines e";
    let limits = Limits { at_once: 1, rows: u64::MAX, bytes: u64::MAX, ..Limits::default() };
    let first = engine.run("agr_1", table(None), endless.into(), limits).await.expect("runs");
    assert_eq!(engine.run("agr_1", table(None), endless.into(), limits).await.err(), Some(SqlError::Busy(1)));
    assert!(engine.run("agr_2", table(None), "SELECT 1".into(), limits).await.is_ok());
    drop(first);
    let mut again = engine.run("agr_1", table(None), "SELECT 1".into(), limits).await;
    while again.as_ref().err() == Some(&SqlError::Busy(1)) {
        // The work ends at its next step.
        tokio::task::yield_now().await;
        again = engine.run("agr_1", table(None), "SELECT 1".into(), limits).await;
    }
    assert!(again.is_ok());
}

#[tokio::test]
async fn an_answer_in_arrow_is_the_same() {
    let engine = Queries::default();
    let answer = engine.run("a", table(None), "SELECT id, site FROM machines ORDER BY id".into(), Limits::default()).await.expect("runs");
    let pieces: Vec<_> = answer.into_bytes(Format::Arrow).try_collect().await.expect("bytes");
    assert_eq!(pieces.iter().map(|(_, c)| c.rows).sum::<u64>(), 40);
    let bytes: Vec<u8> = pieces.into_iter().flat_map(|(b, _)| b).collect();
    let reader = StreamReader::try_new(bytes.as_slice(), None).expect("a stream");
    assert_eq!(*reader.schema().field(1).data_type(), DataType::Utf8);
    assert_eq!(reader.map(|b| b.expect("batch").num_rows()).sum::<usize>(), 40);
}

#[tokio::test]
async fn groups_that_are_too_small_disappear() {
    assert_eq!(
        groups("SELECT site, count(*) AS n FROM machines GROUP BY site ORDER BY site").await,
        Ok(json!([
        {"site": "Suzhou", "n": 20}, {"site": "Wuxi", "n": 20}]))
    );
    assert_eq!(
        groups("SELECT site, count(*) AS n FROM machines WHERE id < 14 GROUP BY site ORDER BY site").await,
        Ok(json!([{"site": "Suzhou", "n": 5}]))
    );
    assert_eq!(groups("SELECT count(*) AS n FROM machines WHERE id < 6").await, Ok(json!([])));
    assert_eq!(groups("SELECT id, count(*) AS n FROM machines GROUP BY id").await, Ok(json!([])));
    // Enough rows, and not enough values: of Suzhou below 14 two of five are missing.
    assert_eq!(
        groups("SELECT site, sum(temperature) AS s, count(temperature) AS c, avg(id) AS a FROM machines WHERE id < 14 GROUP BY site").await,
        Ok(json!([{"site": "Suzhou", "s": null, "c": null, "a": 6.0}]))
    );
    // Above the aggregation everything is as usual.
    let above = "WITH s AS (SELECT site, avg(id) AS a, stddev(id) AS d FROM machines GROUP BY site) \
                 SELECT site, round(a) AS a FROM s WHERE a > 10 AND d > 1 ORDER BY a DESC LIMIT 1";
    assert_eq!(groups(above).await, Ok(json!([{"site": "Wuxi", "a": 31.0}])));
    let twice = "SELECT x.site, x.n + y.n AS n FROM (SELECT site, count(*) AS n FROM machines GROUP BY site) x \
                 JOIN (SELECT site, count(*) AS n FROM machines GROUP BY site) y ON x.site = y.site ORDER BY 1";
    assert_eq!(groups(twice).await, Ok(json!([{"site": "Suzhou", "n": 40}, {"site": "Wuxi", "n": 40}])));
    let median =
        groups("SELECT site, median(id) AS m FROM machines GROUP BY site HAVING count(*) > 3 ORDER BY site").await.expect("answer");
    assert_eq!(median.as_array().map(Vec::len), Some(2));
    assert_eq!(
        groups("SELECT table_name FROM information_schema.tables WHERE table_schema = 'default'").await,
        Ok(json!([{"table_name": "machines"}]))
    );
}

#[tokio::test]
async fn what_stands_above_never_meets_a_group_that_is_too_small() {
    // Fails for any group of a single row.
    for sql in [
        "SELECT id FROM machines GROUP BY id HAVING 1 / (count(*) - 1) > 0",
        "SELECT 1 / (n - 1) AS x FROM (SELECT id, count(*) AS n FROM machines GROUP BY id) g",
        "SELECT id FROM machines GROUP BY id HAVING 1 / (sum(id) - 6) > 100",
    ] {
        assert_eq!(groups(sql).await, Ok(json!([])), "{sql}");
    }
}

#[tokio::test]
async fn attacks_on_single_rows_are_refused() {
    for sql in [
        "SELECT * FROM machines",
        "SELECT id FROM machines LIMIT 1",
        "SELECT DISTINCT site FROM machines",
        "SELECT id, row_number() OVER (ORDER BY id) FROM machines",
        "SELECT sum(id) OVER (PARTITION BY site) FROM machines",
        "SELECT sum(CASE WHEN id = 5 THEN temperature ELSE 0 END) FROM machines",
        "SELECT sum(temperature) FILTER (WHERE id = 5) FROM machines",
        "SELECT sum(temperature * zero) FROM machines",
        "SELECT sum(t) FROM (SELECT CASE WHEN id = 5 THEN temperature ELSE 0 END AS t FROM machines) s",
        "SELECT max(temperature) FROM machines",
        "SELECT min(word) FROM machines",
        "SELECT array_agg(word) FROM machines",
        "SELECT string_agg(word, ',') FROM machines",
        "SELECT first_value(word ORDER BY id) FROM machines",
        "SELECT last_value(word) FROM machines",
        "SELECT nth_value(word, 1) FROM machines",
        "SELECT any_value(word) FROM machines",
        "SELECT count(DISTINCT word) FROM machines",
        "SELECT sum(DISTINCT id) FROM machines",
        "SELECT approx_distinct(word) FROM machines",
        "SELECT bool_and(id > 3) FROM machines",
        "SELECT approx_percentile_cont(id, 1.0) FROM machines",
        "SELECT count(*) FROM (SELECT id FROM machines LIMIT 10) s",
        "SELECT count(*) FROM (SELECT DISTINCT id FROM machines) s",
        "SELECT count(*) FROM machines a JOIN machines b ON a.id = b.id",
        "SELECT count(*) FROM (SELECT id FROM machines UNION ALL SELECT id FROM machines) s",
        "SELECT count(*) FROM machines a, (VALUES (1), (2), (3), (4), (5)) v",
        "SELECT count(*) FROM machines WHERE id IN (SELECT id FROM machines)",
        "SELECT count(*) FROM machines a WHERE EXISTS (SELECT 1 FROM machines b WHERE b.id = a.id)",
        "SELECT (SELECT count(*) FROM machines) AS n",
        "SELECT (SELECT sum(id) FROM machines b WHERE b.site = a.site) FROM (SELECT site, count(*) FROM machines GROUP BY site) a",
        "SELECT count(*) FROM machines WHERE 1 / (id - 5) > 0",
        "SELECT count(*) FROM machines WHERE CAST(word AS BIGINT) = 5",
        "SELECT count(*) FROM machines WHERE word = 5",
        "SELECT count(*) FROM machines WHERE random() < 0.5",
        "SELECT count(*) FROM machines GROUP BY 1 / (id - 5)",
        "SELECT site, count(*) FROM machines GROUP BY ROLLUP (site)",
        "SELECT site, count(*) FROM machines GROUP BY CUBE (site, id)",
        "SELECT count(*) FROM machines UNION ALL SELECT id FROM machines",
        "SELECT corr(id, temperature) FROM machines",
        "SELECT m.site FROM machines m JOIN (SELECT site, count(*) FROM machines GROUP BY site) g ON g.site = m.site",
    ] {
        let answer = groups(sql).await;
        assert!(matches!(answer, Err(SqlError::Refused(_))), "{sql}: {answer:?}");
    }
}

#[tokio::test]
async fn two_workers_answer_as_one_does() {
    let alone = Queries::on(Arc::new(Embedded { threads: 2 }));
    let together = Queries::on(Arc::new(Distributed { workers: 2, threads: 2 }));
    let plain = [
        "SELECT site, count(*) AS n, sum(temperature) AS t FROM machines GROUP BY site ORDER BY site",
        "SELECT a.site, count(*) AS n FROM machines a JOIN machines b ON a.id = b.id + 3 GROUP BY a.site ORDER BY a.site",
        "SELECT id, masked, rank() OVER (PARTITION BY site ORDER BY id) AS r FROM machines ORDER BY id",
        "SELECT count(*) AS n FROM machines WHERE 1 / zero = 1",
        "SELECT id FROM machines ORDER BY id DESC LIMIT 3",
    ];
    let grouped =
        ["SELECT site, avg(id) AS a FROM machines WHERE id < 14 GROUP BY site", "SELECT id, count(*) AS n FROM machines GROUP BY id"];
    for (sql, least) in plain.iter().map(|s| (s, None)).chain(grouped.iter().map(|s| (s, Some(5)))) {
        let mut answers = Vec::new();
        for queries in [&alone, &together] {
            let answer =
                queries.run("agr_1", table(least), (*sql).into(), Limits::default()).await.unwrap_or_else(|e| panic!("{sql}: {e:?}"));
            let pieces: Vec<_> = answer.into_bytes(Format::Json).map_ok(|(b, _)| b.to_vec()).try_collect().await.expect(sql);
            answers.push(String::from_utf8(pieces.concat()).expect("text"));
        }
        assert!(answers[0].contains("\"columns\"") && !answers[0].contains("SECRET"), "{sql}");
        assert_eq!(answers[0], answers[1], "{sql}");
    }
    let error =
        together.run("agr_1", table(None), "SELECT CAST(masked AS BIGINT) FROM machines".into(), Limits::default()).await.expect("begins");
    assert_eq!(error.begin().await.err(), Some(SqlError::OnValue));
}
