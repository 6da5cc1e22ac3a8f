//! Virtual files against the files they are made of, and a search of every served byte for what is hidden.

use super::*;
use crate::governed::{
    file_plan::{FilePlan, plan_file},
    fixtures::{Dice, SourceFile, declared, holds, read_back, source_file},
    plan::TablePlan,
};
use arrow::{
    array::{Array, AsArray, RecordBatch, StringArray},
    compute::{concat_batches, filter_record_batch},
};
use fondaco_core::policy::{
    filter::Filter,
    view::{Field, View},
};
use parquet::{
    arrow::{ArrowWriter, arrow_reader::ParquetRecordBatchReaderBuilder},
    file::{
        metadata::KeyValue,
        properties::{EnabledStatistics, WriterProperties},
    },
};

/// The bytes of a range, put together from pieces.
fn bytes(source: &[u8], file: &VirtualFile, range: Range<u64>) -> Vec<u8> {
    let mut out = Vec::new();
    for piece in file.slice(range) {
        match piece {
            Piece::Bytes(bytes) => out.extend_from_slice(&bytes),
            Piece::Source { start, length } => out.extend_from_slice(&source[clamp(start)..clamp(start + length)]),
        }
    }
    out
}

fn fields(names: &[&str]) -> Vec<Field> {
    names.iter().map(|n| Field::parse(n).expect("field")).collect()
}

fn planned(source: &SourceFile, view: &View) -> (TablePlan, FilePlan) {
    let plan = TablePlan::new(view, &source.schema, &[]).expect("plan");
    let planned = plan_file(&plan, &source.positioned(), &source.footer(), "test.parquet").expect("planned");
    (plan, planned)
}

/// What a plan shows of rows, by the expressions that are tested on their own.
fn expected(plan: &TablePlan, whole: &RecordBatch, view: &View) -> RecordBatch {
    let rows = match &view.row_filter {
        None => whole.clone(),
        Some(filter) => {
            let mask: Vec<bool> = (0..whole.num_rows()).map(|r| holds(filter, whole, r) == Some(true)).collect();
            filter_record_batch(whole, &mask.into()).expect("filtered")
        }
    };
    let schema = Arc::new(plan.shown_schema(&rows.schema()).expect("schema"));
    let exprs = plan.projection_exprs(&rows.schema()).expect("exprs");
    let arrays = exprs.iter().map(|e| {
        let physical = crate::governed::expr::physical(e, &rows.schema()).expect("physical");
        physical.evaluate(&rows).expect("evaluates").into_array(rows.num_rows()).expect("array")
    });
    let arrays = arrays.collect();
    RecordBatch::try_new(schema, arrays).expect("as declared")
}

#[test]
fn virtual_files_hold_what_is_shown() {
    let choices: [&[&str]; 8] = [
        &["id"],
        &["site", "price", "at"],
        &["who.age", "tags", "ok"],
        &["who.name", "score"],
        &["marks", "day", "clock", "small"],
        &["tags"],
        &["marks", "who"],
        &["id", "small", "price", "score", "site", "ok", "day", "at", "clock", "who", "tags", "marks.key", "marks.value"],
    ];
    let mut tried = 0;
    for seed in 0..120 {
        let mut dice = Dice::new(seed);
        let groups = 1 + i32::try_from(dice.below(4)).expect("small");
        let source = source_file(&mut dice, groups);
        let low = dice.below(5) * 100;
        let row_filter = dice.one_in(2).then(|| Filter::parse(&format!("id >= {low} AND id < {}", low + 200)).expect("filter"));
        let view = View { fields: Some(fields(choices[dice.small(8) as usize])), row_filter, ..View::default() };
        let whole = read_back(&source.bytes);
        let (plan, planned) = planned(&source, &view);
        let file = match planned {
            FilePlan::Virtual(file) => file,
            FilePlan::PassThrough => {
                assert!(plan.is_whole(), "seed {seed}");
                continue;
            }
            FilePlan::Empty => {
                assert_eq!(expected(&plan, &whole, &view).num_rows(), 0, "seed {seed}");
                continue;
            }
            FilePlan::Rewrite(_) => panic!("seed {seed}: the filter is on the borders of row groups"),
        };
        tried += 1;
        let all = bytes(&source.bytes, &file, 0..u64::MAX);
        assert_eq!(all.len() as u64, file.size(), "seed {seed}");
        let read = read_back(&all);
        assert_eq!(read.num_rows() as u64, file.rows());
        let expected = expected(&plan, &whole, &view);
        assert_eq!(read, expected.with_schema(read.schema()).expect("the same columns"), "seed {seed}");
        assert_eq!(declared(&read.schema()).delta_schema_string(), plan.schema().delta_schema_string(), "seed {seed}");
        // Also through the page index reader and row group by row group.
        let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(all.clone())).expect("readable");
        assert!(builder.metadata().file_metadata().key_value_metadata().is_none());
        assert_eq!(builder.metadata().file_metadata().created_by(), Some(created_by().as_str()));
        let groups = builder.metadata().num_row_groups();
        for (ordinal, group) in builder.metadata().row_groups().iter().enumerate() {
            assert_eq!(group.ordinal(), Some(i16::try_from(ordinal).expect("few")));
            assert!(group.sorting_columns().is_none());
            for column in group.columns() {
                assert!(
                    column.column_index_offset().is_none()
                        && column.offset_index_offset().is_none()
                        && column.bloom_filter_offset().is_none()
                );
            }
        }
        let parts: Vec<RecordBatch> = (0..groups)
            .flat_map(|g| {
                let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(all.clone())).expect("readable");
                builder.with_row_groups(vec![g]).build().expect("reader").collect::<Result<Vec<_>, _>>().expect("rows")
            })
            .collect();
        assert_eq!(concat_batches(&parts[0].schema(), &parts).expect("one").num_rows(), read.num_rows());
        // Any range is the same bytes.
        for _ in 0..40 {
            let (a, b) = (dice.below(file.size() + 3), dice.below(file.size() + 3));
            let (from, to) = (a.min(b), a.max(b));
            let slice = bytes(&source.bytes, &file, from..to);
            assert_eq!(slice, all[clamp(from).min(all.len())..clamp(to).min(all.len())], "seed {seed}: {from}..{to}");
            assert_eq!(file.slice(from..to).iter().map(Piece::length).sum::<u64>(), slice.len() as u64);
        }
        assert!(file.slice(file.size()..u64::MAX).is_empty() && file.slice(5..5).is_empty() && file.slice(0..0).is_empty());
    }
    assert!(tried > 60, "{tried}");
}

#[test]
fn statistics_are_sound_for_what_is_shown() {
    for seed in 0..60 {
        let mut dice = Dice::new(seed);
        let source = source_file(&mut dice, 4);
        let view = View {
            fields: Some(fields(&["id", "price", "site", "day", "score", "who.age"])),
            row_filter: Some(Filter::parse("id >= 200 AND id < 400").expect("filter")),
            ..View::default()
        };
        let (plan, FilePlan::Virtual(file)) = planned(&source, &view) else { panic!("seed {seed}") };
        let shown = expected(&plan, &read_back(&source.bytes), &view);
        let stats = file.stats();
        assert_eq!(stats.num_records, shown.num_rows() as u64);
        let ids = shown.column(0).as_primitive::<arrow::datatypes::Int32Type>();
        assert_eq!(stats.min_values["id"], arrow::compute::min(ids).expect("rows"), "seed {seed}");
        assert_eq!(stats.max_values["id"], arrow::compute::max(ids).expect("rows"));
        assert_eq!(stats.null_count["price"], shown.column(1).null_count());
        let sites = shown.column_by_name("site").expect("site").as_string::<i32>();
        if let Some(min) = stats.min_values.get("site") {
            assert_eq!(min.as_str(), arrow::compute::min_string(sites), "seed {seed}");
        }
        assert!(!stats.max_values.contains_key("score"), "a value that is no number may be above it");
        for hidden in ["small", "ok", "at", "clock", "who", "tags"] {
            assert!(!stats.min_values.contains_key(hidden) && !stats.null_count.contains_key(hidden), "{hidden}");
        }
    }
}

#[test]
fn no_served_byte_tells_what_is_hidden() {
    let rows = 300;
    let text = |name: &str, prefix: &'static str| {
        (name.to_owned(), Arc::new((0..rows).map(|i| Some(format!("{prefix}-{i}"))).collect::<StringArray>()) as arrow::array::ArrayRef)
    };
    let columns = [text("open_column", "open-value"), text("planted_name", "planted-value"), text("other", "fine")];
    let inner = arrow::array::StructArray::from(vec![
        (Arc::new(arrow::datatypes::Field::new("open_part", arrow::datatypes::DataType::Utf8, true)), text("", "open-part").1),
        (Arc::new(arrow::datatypes::Field::new("planted_part", arrow::datatypes::DataType::Utf8, true)), text("", "planted-inner").1),
    ]);
    let whole = RecordBatch::try_from_iter(
        columns.into_iter().chain([("nested".to_owned(), Arc::new(inner) as arrow::array::ArrayRef)]).collect::<Vec<_>>(),
    )
    .expect("batch");
    for dictionary in [true, false] {
        let properties = WriterProperties::builder()
            .set_dictionary_enabled(dictionary)
            .set_bloom_filter_enabled(true)
            .set_statistics_enabled(EnabledStatistics::Page)
            .set_max_row_group_row_count(Some(100))
            .set_created_by("planted writer".into())
            .set_key_value_metadata(Some(vec![KeyValue::new("planted_key".into(), "planted_meta".to_owned())]))
            .build();
        let mut bytes_of = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes_of, whole.schema(), Some(properties)).expect("writer");
        writer.write(&whole).expect("written");
        writer.append_key_value_metadata(KeyValue::new("org.apache.spark.sql.parquet.row.metadata".into(), "planted_spark".to_owned()));
        writer.close().expect("closed");
        let source = SourceFile { bytes: bytes_of, schema: declared(&whole.schema()) };
        let view = View {
            fields: Some(fields(&["open_column", "other", "nested.open_part"])),
            row_filter: Some(Filter::parse("open_column >= 'open-value-0'").expect("filter")),
            ..View::default()
        };
        let (_, FilePlan::Virtual(file)) = planned(&source, &view) else { panic!("virtual") };
        let served = bytes(&source.bytes, &file, 0..u64::MAX);
        let found = |needle: &str| served.windows(needle.len()).any(|w| w == needle.as_bytes());
        assert!(found("open-value-1") && found("open_part") && found("fine-17"));
        assert!(source.bytes.windows(7).filter(|w| w == b"planted").count() > 600);
        assert!(!found("planted"), "of names, values, statistics, metadata, bloom filters and indexes nothing is left");
        assert!(!found("ARROW:schema"));
        let json = serde_json::to_string(file.stats()).expect("json");
        assert!(!json.contains("planted"), "{json}");
    }
}

#[test]
fn rows_that_cannot_be_told_apart_by_row_groups_are_rewritten() {
    let source = source_file(&mut Dice::new(3), 2);
    let view = View { row_filter: Some(Filter::parse("id <> 1").expect("filter")), ..View::default() };
    assert!(matches!(planned(&source, &view).1, FilePlan::Rewrite(groups) if groups == [0, 1, 2]));
    let view = View { row_filter: Some(Filter::parse("id >= 50 AND id <> 101 AND id < 150").expect("filter")), ..View::default() };
    assert!(matches!(planned(&source, &view).1, FilePlan::Rewrite(groups) if groups == [1]), "others are not read");
    let view = View { row_filter: Some(Filter::parse("id > 1000").expect("filter")), ..View::default() };
    assert!(matches!(planned(&source, &view).1, FilePlan::Empty));
    assert!(matches!(planned(&source, &View::default()).1, FilePlan::PassThrough));
}

#[test]
fn forged_files_never_panic_and_nothing_outside_of_their_columns_is_served() {
    let source = source_file(&mut Dice::new(21), 1);
    let at = source.bytes.len() - 8;
    let footer = at - u32::from_le_bytes(source.bytes[at..at + 4].try_into().expect("four")) as usize;
    let view = |names: &[&str], filter: &str| View {
        fields: Some(fields(names)),
        row_filter: (!filter.is_empty()).then(|| Filter::parse(filter).expect("filter")),
        ..View::default()
    };
    let views =
        [view(&["id", "who.age", "tags"], "id >= 50"), view(&["marks", "price"], ""), view(&["site"], "price > 0 AND day IS NOT NULL")];
    let plans: Vec<TablePlan> = views.iter().map(|v| TablePlan::new(v, &source.schema, &[]).expect("plan")).collect();
    let dir = tempfile::tempdir().expect("dir");
    let (mut served, mut rewritten, mut refused) = (0, 0, 0);
    for at in (footer..source.bytes.len()).step_by(17).chain((4..footer).step_by(footer / 25)) {
        for flip in [0x02, 0x80] {
            let mut forged = SourceFile { bytes: source.bytes.clone(), schema: source.schema.clone() };
            forged.bytes[at] ^= flip;
            let file = forged.positioned();
            let Ok(read) = crate::governed::footer::Footer::read(&file, "test", &forged.schema) else {
                refused += 1;
                continue;
            };
            for plan in &plans {
                match plan_file(plan, &file, &read, "test") {
                    Ok(FilePlan::Virtual(planned)) => {
                        served += 1;
                        for piece in planned.slice(0..u64::MAX) {
                            if let Piece::Source { start, length } = piece {
                                assert!(start >= 4 && start + length <= footer as u64, "byte {at} ^ {flip:#x}");
                            }
                        }
                    }
                    Ok(FilePlan::Rewrite(groups)) => {
                        rewritten += 1;
                        let target = dir.path().join(format!("{rewritten}"));
                        // An error, or rows: of damaged pages nothing more can be asked.
                        let _ = crate::governed::rewrite::rewrite(plan, &file, &read, &groups, "test", &target, 1 << 24);
                    }
                    Ok(FilePlan::Empty | FilePlan::PassThrough) => (),
                    Err(_) => refused += 1,
                }
            }
        }
    }
    println!("{served} served, {rewritten} rewritten, {refused} refused");
    assert!(served > 100 && rewritten > 50 && refused > 50);
}
