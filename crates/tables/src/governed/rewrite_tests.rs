//! Rewritten files against a plain evaluation of the policy.

use super::*;
use crate::governed::{
    file_plan::{FilePlan, plan_file},
    fixtures::{Dice, declared, filter, holds, read_back, source_file},
};
use arrow::array::TimestampMicrosecondArray;
use fondaco_core::policy::view::{Field as Path, Mask, View};

const SECRET: &[u8] = b"a secret of the agreement";

fn written(plan: &TablePlan, source: &crate::governed::fixtures::SourceFile, groups: &[usize]) -> (Rewritten, Vec<u8>) {
    let dir = tempfile::tempdir().expect("dir");
    let target = dir.path().join("out.parquet");
    let rewritten = rewrite(plan, &source.positioned(), &source.footer(), groups, "test.parquet", &target, u64::MAX).expect("rewritten");
    let bytes = std::fs::read(&target).expect("file");
    (rewritten, bytes)
}

#[test]
fn rewritten_files_hold_what_is_shown() {
    let (mut tried, mut rows) = (0, 0);
    for seed in 0..150 {
        let mut dice = Dice::new(seed);
        let source = source_file(&mut dice, 3);
        let mask = |text: &str| Mask::parse(text).expect("mask");
        let masks =
            [mask("hash(site)"), mask("bucket(id, 7)"), mask("null(who.name)"), mask("truncate(tags.element, 3)"), mask("hash(at)")];
        let fields = ["id", "site", "who", "tags", "price", "marks", "at"].iter().map(|f| Path::parse(f).expect("field"));
        let view = View {
            fields: dice.one_in(2).then(|| fields.collect()),
            row_filter: Some(filter(&mut dice, 3, 2)),
            masks: masks.into_iter().filter(|_| dice.one_in(2)).collect(),
            ..View::default()
        };
        let Ok(plan) = TablePlan::new(&view, &source.schema, SECRET) else { continue };
        let planned = plan_file(&plan, &source.positioned(), &source.footer(), "test.parquet").expect("planned");
        let FilePlan::Rewrite(groups) = planned else { continue };
        let (made, bytes) = written(&plan, &source, &groups);
        assert_eq!(made.size, bytes.len() as u64);
        assert_eq!(made.sha256, hex::encode(digest::digest(&digest::SHA256, &bytes)));
        let whole = read_back(&source.bytes);
        let keep: Vec<bool> = match plan.filter() {
            None => vec![true; whole.num_rows()],
            Some(filter) => (0..whole.num_rows()).map(|r| holds(filter, &whole, r) == Some(true)).collect(),
        };
        let kept = filter_record_batch(&whole, &keep.into()).expect("filtered");
        let read = read_back(&bytes);
        assert_eq!(read.num_rows(), kept.num_rows(), "seed {seed}: {:?}", view.row_filter);
        assert_eq!(made.rows, kept.num_rows() as u64);
        assert_eq!(made.stats.num_records, made.rows);
        assert_eq!(declared(&read.schema()).delta_schema_string(), plan.schema().delta_schema_string(), "seed {seed}");
        for column in &plan.schema().columns {
            let (was, is) = (kept.column_by_name(&column.name).expect("was"), read.column_by_name(&column.name).expect("is"));
            if plan.shows_unchanged(&column.name) {
                assert_eq!(was.as_ref(), is.as_ref(), "seed {seed}: {}", column.name);
            } else {
                assert_eq!(was.logical_null_count(), is.logical_null_count(), "seed {seed}: {}", column.name);
            }
        }
        if view.masks.contains(&mask("hash(site)")) {
            let (was, is) = (kept.column_by_name("site").expect("was"), read.column_by_name("site").expect("is"));
            for (was, is) in was.as_string::<i32>().iter().zip(is.as_string::<i32>()) {
                assert_eq!(was.is_some(), is.is_some());
                assert!(is.is_none_or(|h| h.len() == 32 && Some(h) != was));
            }
        }
        if view.masks.contains(&mask("bucket(id, 7)")) {
            let ids = |batch: &RecordBatch| batch.column_by_name("id").expect("id").as_primitive::<arrow::datatypes::Int32Type>().clone();
            assert!(ids(&kept).iter().zip(&ids(&read)).all(|(was, is)| was.map(|v| v.div_euclid(7) * 7) == is));
        }
        tried += 1;
        rows += read.num_rows();
        let (again, same) = written(&plan, &source, &groups);
        assert!(again == made && same == bytes, "seed {seed}: the same bytes each time");
    }
    assert!(tried > 50 && rows > 1_000, "{tried} tried, {rows} rows");
}

#[test]
fn nothing_of_the_source_but_what_is_shown_is_in_the_bytes() {
    let source = source_file(&mut Dice::new(5), 2);
    let view = View {
        fields: Some(vec![Path::parse("id").expect("field"), Path::parse("site").expect("field")]),
        row_filter: Some(fondaco_core::policy::filter::Filter::parse("ok = TRUE").expect("filter")),
        masks: vec![Mask::parse("hash(site)").expect("mask")],
        ..View::default()
    };
    let plan = TablePlan::new(&view, &source.schema, SECRET).expect("plan");
    let (_, bytes) = written(&plan, &source, &[0, 1, 2]);
    for hidden in ["Suzhou", "Kunshan", "kv-secret", "planted", "price", "who", "tag 1", "mark", "a secret"] {
        assert!(!bytes.windows(hidden.len()).any(|w| w == hidden.as_bytes()), "{hidden}");
    }
}

#[test]
fn a_file_larger_than_its_limit_is_given_up() {
    let source = source_file(&mut Dice::new(5), 2);
    let plan = TablePlan::new(&View { masks: vec![Mask::parse("null(site)").expect("mask")], ..View::default() }, &source.schema, &[]);
    let dir = tempfile::tempdir().expect("dir");
    let (file, footer) = (source.positioned(), source.footer());
    let made = rewrite(&plan.expect("plan"), &file, &footer, &[0, 1, 2], "test", &dir.path().join("out"), 100);
    assert!(made.expect_err("too large").to_string().contains("larger than the cache"));
}

#[test]
fn times_read_without_a_zone_are_written_as_the_points_in_time_that_they_are() {
    let naive = Field::new("at", DataType::Timestamp(TimeUnit::Nanosecond, None), true);
    let zoned = zoned_field(&naive, &serde_json::json!("timestamp"));
    assert_eq!(zoned.data_type(), &DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())));
    let values: ArrayRef = Arc::new(arrow::array::TimestampNanosecondArray::from(vec![Some(1_800_000_000_123_456_789), None]));
    let cast = cast(&values, zoned.data_type()).expect("cast");
    let expected: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![Some(1_800_000_000_123_456), None]).with_timezone("UTC"));
    assert_eq!(&cast, &expected);
    assert_eq!(zoned_field(&naive, &serde_json::json!("timestamp_ntz")), naive);
}

#[test]
fn the_end_of_time_is_not_before_the_year_2000() {
    let bytes = crate::governed::fixtures::int96_file(&[Some(2_447_893), Some(2_461_042), Some(5_373_483), None]);
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().join("t.parquet");
    std::fs::write(&path, &bytes).expect("written");
    let table = crate::publish::fixtures::publish(&[path], &dir.path().join("out")).expect("published");
    let source = crate::governed::fixtures::SourceFile { bytes, schema: table.schema };
    for (filter, ids) in [
        ("valid_to < TIMESTAMP '2000-01-01T00:00:00Z'", vec![1]),
        ("valid_to > TIMESTAMP '2000-01-01T00:00:00Z'", vec![2, 3]),
        ("valid_to = TIMESTAMP '9999-12-30T00:00:00Z'", vec![3]),
        ("valid_to IS NULL", vec![4]),
    ] {
        let view = View { row_filter: Some(fondaco_core::policy::filter::Filter::parse(filter).expect("filter")), ..View::default() };
        let plan = TablePlan::new(&view, &source.schema, &[]).expect("plan");
        let planned = plan_file(&plan, &source.positioned(), &source.footer(), "test").expect("planned");
        let FilePlan::Rewrite(groups) = planned else { panic!("{filter}: {planned:?}") };
        let (made, bytes) = written(&plan, &source, &groups);
        let batch = read_back(&bytes);
        assert_eq!(batch.column(0).as_primitive::<arrow::datatypes::Int32Type>().values(), ids.as_slice(), "{filter}");
        if ids.contains(&3) {
            let times = batch.column(1).as_primitive::<arrow::datatypes::TimestampMicrosecondType>();
            assert_eq!(times.value(ids.len() - 1), 253_402_128_000_000_000);
            assert!(made.stats.max_values.get("valid_to").is_none_or(|t| t.to_string().contains("9999")), "{:?}", made.stats);
        }
    }
}
