//! Tables from a real PostgreSQL server: the one of `FONDACO_TEST_POSTGRES_URL`; without it these tests say so
//! and pass.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::{net::TcpListener, path::Path, sync::Arc, time::Duration};

use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::{Date32Type, Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType},
};
use fondaco_tables::{
    TablesError,
    publish::{
        PostgresQuery, PostgresSettings, PostgresTls, Progress, PublishLimits, PublishOptions, PublishedTable, TableSource, publish_table,
    },
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// The settings of the server to test with.
fn settings() -> Option<PostgresSettings> {
    let Ok(url) = std::env::var("FONDACO_TEST_POSTGRES_URL") else {
        println!("skipped: FONDACO_TEST_POSTGRES_URL is not set");
        return None;
    };
    let config: postgres::Config = url.parse().unwrap();
    let host = match &config.get_hosts()[0] {
        postgres::config::Host::Tcp(host) => host.clone(),
        postgres::config::Host::Unix(path) => panic!("needs TCP, not {}", path.display()),
    };
    Some(PostgresSettings {
        port: config.get_ports()[0],
        password: config.get_password().map(|p| String::from_utf8_lossy(p).into_owned()),
        tls: PostgresTls::Disable,
        ..PostgresSettings::new(host, config.get_dbname().unwrap_or("postgres"), config.get_user().unwrap_or("postgres"))
    })
}

fn publish(
    settings: PostgresSettings,
    query: &str,
    out: &Path,
    options: &PublishOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<PublishedTable, TablesError> {
    publish_table(&TableSource::Postgres(PostgresQuery { settings, query: query.into() }), out, options, progress)
}

fn plain(settings: &PostgresSettings, query: &str) -> Result<(PublishedTable, RecordBatch), TablesError> {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let table = publish(settings.clone(), query, &out, &PublishOptions::default(), &mut |_| ())?;
    Ok((table, read(&out.join("part-00000.parquet"))))
}

fn read(path: &Path) -> RecordBatch {
    let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path).unwrap()).unwrap();
    let schema = Arc::clone(reader.schema());
    reader.with_batch_size(1 << 20).build().unwrap().next().map_or_else(|| RecordBatch::new_empty(schema), Result::unwrap)
}

/// A connection of the tests' own, with all rights.
fn client(settings: &PostgresSettings) -> postgres::Client {
    let mut config = postgres::Config::new();
    config.host(&settings.host).port(settings.port).dbname(&settings.database).user(&settings.user);
    if let Some(password) = &settings.password {
        config.password(password);
    }
    config.connect(postgres::NoTls).unwrap()
}

#[test]
fn every_type_keeps_its_value() {
    let Some(settings) = settings() else { return };
    settings.check().unwrap();
    let (table, batch) = plain(
        &settings,
        "SELECT true AS bool, 1::int2 AS i2, -2::int4 AS i4, 9007199254740993::int8 AS i8, 1.5::float4 AS f4, 0.1::float8 AS f8, \
         123456.78::numeric(10,2) AS dec, 0.1000000000000000000000000000000000000000001::numeric AS num, '苏州'::text AS txt, \
         'ab'::varchar(10) AS vc, 'ab'::char(4) AS ch, '00112233-4455-6677-8899-aabbccddeeff'::uuid AS id, \
         '{\"b\": 1}'::jsonb AS jb, '{\"a\":1}'::json AS js, '2024-02-29'::date AS d, '2024-02-29 10:00:00.123456'::timestamp AS ts, \
         '2024-02-29 10:00:00+08'::timestamptz AS tz, '\\xdeadbeef'::bytea AS bin, '01:02:03.5'::time AS t, \
         '1 year 2 months 3 days 04:05:06.5'::interval AS iv, ARRAY[1, NULL, 3] AS ints, ARRAY[]::text[] AS none, \
         '01:02:03+05:30'::timetz AS ttz, '1900-01-01'::date AS old, 4294967295::oid AS oid, ARRAY[1.5, 2.25]::numeric(5,2)[] AS decs \
         UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL::numeric(10,2), NULL, NULL, NULL, NULL, NULL, NULL, NULL, \
         NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL::numeric(5,2)[]",
    )
    .unwrap();
    let types: Vec<String> = table.schema.columns.iter().map(|c| c.data_type.as_str().map_or("nested".into(), ToOwned::to_owned)).collect();
    assert_eq!(
        types,
        [
            "boolean",
            "short",
            "integer",
            "long",
            "float",
            "double",
            "decimal(10,2)",
            "string",
            "string",
            "string",
            "string",
            "string",
            "string",
            "string",
            "date",
            "timestamp_ntz",
            "timestamp",
            "binary",
            "string",
            "string",
            "nested",
            "nested",
            "string",
            "date",
            "long",
            "nested"
        ]
    );
    assert_eq!(table.schema.columns[6].source_type, "PostgreSQL numeric");
    let column = |name: &str| Arc::clone(batch.column_by_name(name).unwrap());
    let text = |name: &str| column(name).as_string::<i32>().value(0).to_owned();
    assert!(column("bool").as_boolean().value(0));
    assert_eq!(column("i2").as_primitive::<Int16Type>().value(0), 1);
    assert_eq!(column("i4").as_primitive::<Int32Type>().value(0), -2);
    assert_eq!(column("i8").as_primitive::<Int64Type>().value(0), 9_007_199_254_740_993);
    assert_eq!(column("f4").as_primitive::<Float32Type>().value(0).to_bits(), 1.5_f32.to_bits());
    assert_eq!(column("f8").as_primitive::<Float64Type>().value(0).to_bits(), 0.1_f64.to_bits());
    assert_eq!(column("dec").as_primitive::<Decimal128Type>().value(0), 12_345_678);
    for (name, value) in [
        ("num", "0.1000000000000000000000000000000000000000001"),
        ("txt", "苏州"),
        ("vc", "ab"),
        ("ch", "ab  "),
        ("id", "00112233-4455-6677-8899-aabbccddeeff"),
        ("jb", "{\"b\": 1}"),
        ("js", "{\"a\":1}"),
        ("t", "01:02:03.500000"),
        ("iv", "P1Y2M3DT4H5M6.500000S"),
        ("ttz", "01:02:03+05:30"),
    ] {
        assert_eq!(text(name), value, "{name}");
    }
    assert_eq!(column("d").as_primitive::<Date32Type>().value(0), 19_782);
    assert_eq!(column("old").as_primitive::<Date32Type>().value(0), -25_567);
    assert_eq!(column("ts").as_primitive::<TimestampMicrosecondType>().value(0), 1_709_200_800_123_456);
    assert_eq!(column("tz").as_primitive::<TimestampMicrosecondType>().value(0), 1_709_172_000_000_000);
    assert_eq!(column("bin").as_binary::<i32>().value(0), [0xde, 0xad, 0xbe, 0xef]);
    assert_eq!(column("oid").as_primitive::<Int64Type>().value(0), 4_294_967_295);
    let ints = column("ints").as_list::<i32>().value(0);
    assert_eq!(ints.as_primitive::<Int32Type>().iter().collect::<Vec<_>>(), [Some(1), None, Some(3)]);
    assert_eq!(column("none").as_list::<i32>().value(0).len(), 0);
    let decimals = column("decs").as_list::<i32>().value(0);
    assert_eq!(decimals.as_primitive::<Decimal128Type>().values(), &[150, 225]);
    for i in 0..batch.num_columns() {
        assert!(batch.column(i).is_null(1), "{}", batch.schema().field(i).name());
    }
}

#[test]
fn enums_domains_and_the_order_of_the_query() {
    let Some(settings) = settings() else { return };
    let mut client = client(&settings);
    let schema = format!("fondaco_it_{}", std::process::id());
    client
        .batch_execute(&format!(
            "CREATE SCHEMA {schema}; CREATE TYPE {schema}.mood AS ENUM ('sad', 'glad'); CREATE DOMAIN {schema}.age AS int CHECK (VALUE > 0); \
             CREATE TABLE {schema}.people (id int, mood {schema}.mood, age {schema}.age); \
             INSERT INTO {schema}.people VALUES (1, 'sad', 30), (2, 'glad', 40), (3, NULL, NULL)"
        ))
        .unwrap();
    let outcome = plain(&settings, &format!("SELECT id, mood, age FROM {schema}.people ORDER BY id DESC"));
    let writes: Vec<TablesError> = [
        format!("INSERT INTO {schema}.people VALUES (4, 'sad', 1) RETURNING id"),
        format!("WITH gone AS (DELETE FROM {schema}.people RETURNING id) SELECT * FROM gone"),
        format!("SELECT set_config('transaction_read_only', 'off', false), id FROM {schema}.people"),
        format!("DELETE FROM {schema}.people"),
        "COMMIT".into(),
        format!("SELECT 1; DELETE FROM {schema}.people"),
    ]
    .iter()
    .map(|query| plain(&settings, query).unwrap_err())
    .collect();
    let left: i64 = client.query_one(&format!("SELECT count(*) FROM {schema}.people"), &[]).unwrap().get(0);
    client.batch_execute(&format!("DROP SCHEMA {schema} CASCADE")).unwrap();
    let (_, batch) = outcome.unwrap();
    assert_eq!(batch.column(0).as_primitive::<Int32Type>().values(), &[3, 2, 1]);
    assert_eq!(batch.column(1).as_string::<i32>().iter().collect::<Vec<_>>(), [None, Some("glad"), Some("sad")]);
    assert_eq!(batch.column(2).as_primitive::<Int32Type>().iter().collect::<Vec<_>>(), [None, Some(40), Some(30)]);
    for error in &writes {
        assert_eq!(error.kind(), "query-refused", "{error}");
    }
    assert!(writes[0].to_string().contains("[SQLSTATE 25006]"), "{}", writes[0]);
    assert_eq!(left, 3);
}

#[test]
fn what_has_no_counterpart_is_refused_by_column() {
    let Some(settings) = settings() else { return };
    for (query, kind, words) in [
        (
            "SELECT '10.0.0.1'::inet AS address",
            "unsupported-type",
            "\"address\": the type inet has no counterpart; cast it in the query, as in column::text",
        ),
        ("SELECT 5::money AS price", "unsupported-type", "column::numeric(20, 2)"),
        ("SELECT 'NaN'::numeric(10,2) AS n", "bad-value", "row 1 of the query, column \"n\": NaN"),
        ("SELECT 'infinity'::timestamptz AS at", "bad-value", "an infinite timestamp"),
        ("SELECT ARRAY[[1,2],[3,4]] AS grid", "bad-value", "more than one dimension"),
        ("SELECT 1 AS a, 2 AS a", "bad-column-name", "same name"),
        ("SELECT $1::int", "query-refused", "parameters"),
        ("SELEC 1", "query-refused", "[SQLSTATE 42601]"),
        ("SELECT * FROM no_such_table", "query-refused", "[SQLSTATE 42P01]"),
        ("SELECT 1/0 AS x", "query-refused", "[SQLSTATE 22012]"),
    ] {
        let error = plain(&settings, query).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn an_empty_result_is_a_table_without_rows() {
    let Some(settings) = settings() else { return };
    let (table, batch) = plain(&settings, "SELECT 1 AS a WHERE false").unwrap();
    assert_eq!((table.rows, batch.num_rows(), table.files.len()), (0, 0, 1));
}

#[test]
fn rows_stream_into_files_of_their_size() {
    let Some(settings) = settings() else { return };
    let dir = tempfile::tempdir().unwrap();
    let options =
        PublishOptions { limits: PublishLimits { target_file_bytes: 200_000, ..PublishLimits::default() }, ..PublishOptions::default() };
    let mut reports = Vec::new();
    let query = "SELECT i, md5(i::text) AS hash FROM generate_series(1, 50000) AS i";
    let table = publish(settings, query, &dir.path().join("out"), &options, &mut |p| reports.push(p.done)).unwrap();
    assert_eq!(table.rows, 50_000);
    assert!(table.files.len() > 1);
    assert!(reports.len() > 3 && reports.is_sorted(), "{reports:?}");
    let rows: usize = table.files.iter().map(|f| read(&dir.path().join("out").join(&f.name)).num_rows()).sum();
    assert_eq!(rows, 50_000);
}

#[test]
fn a_server_that_goes_away_leaves_nothing() {
    let Some(settings) = settings() else { return };
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let mut killer = client(&settings);
    let marker = format!("/* lost {} */", std::process::id());
    let query = format!("SELECT i, repeat('x', 1000) AS text FROM generate_series(1, 100000000) AS i {marker}");
    let mut killed = 0_i64;
    let error = publish(settings, &query, &out, &PublishOptions::default(), &mut |p| {
        if p.done > 0 && killed == 0 {
            let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                       WHERE application_name = 'fondaco' AND pid <> pg_backend_pid() AND query LIKE '%' || $1 || '%'";
            killed = killer.query_one(sql, &[&marker]).unwrap().get(0);
        }
    })
    .unwrap_err();
    assert_eq!(killed, 1);
    assert_eq!(error.kind(), "database-lost", "{error}");
    assert!(!out.exists());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_publication_can_be_cancelled_between_rows() {
    let Some(settings) = settings() else { return };
    let dir = tempfile::tempdir().unwrap();
    let options = PublishOptions::default();
    let cancel = Arc::clone(&options.cancel);
    let query = "SELECT i, repeat('x', 1000) AS text FROM generate_series(1, 100000000) AS i";
    let error = publish(settings, query, &dir.path().join("out"), &options, &mut |p| {
        if p.done > 0 {
            cancel.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    })
    .unwrap_err();
    assert_eq!(error.kind(), "cancelled");
}

#[test]
fn servers_that_refuse_or_do_not_answer_are_told_apart() {
    let Some(settings) = settings() else { return };
    let absent = PostgresSettings { database: "no_such_database".into(), ..settings.clone() }.check().unwrap_err();
    assert_eq!(absent.kind(), "database-refused");
    assert!(absent.to_string().contains("[SQLSTATE 3D000]"), "{absent}");
    // It has no certificate, and a connection that must be encrypted is not made without.
    let tls = PostgresSettings { tls: PostgresTls::Require, ..settings.clone() }.check().unwrap_err();
    assert_eq!(tls.kind(), "database-unreachable", "{tls}");
    let slow = PostgresSettings { statement_timeout: Duration::from_millis(50), ..settings.clone() };
    let slow = plain(&slow, "SELECT pg_sleep(60)::text AS x").unwrap_err();
    assert_eq!(slow.kind(), "database-slow", "{slow}");
    // A port that was free a moment ago, and an address that is not the name's.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let closed = PostgresSettings { port, ..settings.clone() }.check().unwrap_err();
    assert_eq!(closed.kind(), "database-unreachable", "{closed}");
    let address = PostgresSettings { host: "db.invalid".into(), hostaddr: Some([127, 0, 0, 1].into()), ..settings };
    address.check().unwrap();
}
