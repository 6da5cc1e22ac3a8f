//! The first rows of a table exactly as an agreement shows them.

use arrow::json::ArrayWriter;
use serde_json::{Map, Value};

use super::{
    governor::{Source, opened},
    plan::TablePlan,
    rewrite::Shown,
    rowgroups::{Decision, decide},
};
use crate::{TablesError, publish::guarded};

/// Most rows of a preview.
pub const PREVIEW_MAX_ROWS: usize = 100;
/// Most rows of a file looked at for it, so that a filter that few rows satisfy does not read a whole file for a page.
pub const PREVIEW_LOOKED_AT_ROWS: usize = 500_000;
/// Most characters of a text in it.
const TEXT_CHARS: usize = 200;
/// Most bytes of it as JSON before texts are cut: a row may hold long lists.
const PREVIEW_BYTES: usize = 4 * 1024 * 1024;

/// The first rows of a file that a plan shows, at most `rows` and [`PREVIEW_MAX_ROWS`], each as an object by column in
/// which missing values are missing. Fewer when few of the first rows are shown. None where the plan shows aggregates alone.
///
/// # Errors
/// When the file cannot be read or is not what was published.
pub fn first_rows(plan: &TablePlan, source: &Source, rows: usize) -> Result<Vec<Map<String, Value>>, TablesError> {
    let mut wanted = rows.min(PREVIEW_MAX_ROWS);
    if plan.min_group_size().is_some() || wanted == 0 {
        return Ok(Vec::new());
    }
    let name = source.name.clone();
    let failed = |e: &dyn std::fmt::Display| TablesError::MalformedParquet { file: name.clone(), reason: e.to_string() };
    let (file, footer) = opened(plan, source)?;
    let shown = guarded(&name, || {
        let schema = footer.arrow.schema();
        let condition = plan.condition(schema).map_err(|e| failed(&e))?;
        let decisions = decide(condition.as_ref(), plan, footer.metadata(), schema);
        let groups: Vec<usize> = decisions.iter().enumerate().filter_map(|(i, d)| (*d != Decision::None).then_some(i)).collect();
        let mut shown = Shown::new(plan, &file, &footer, &groups, &name)?;
        let mut out = Vec::new();
        let mut looked = 0;
        while wanted > 0
            && looked < PREVIEW_LOOKED_AT_ROWS
            && let Some((batch, read)) = shown.next_counted().map_err(|e| failed(&e))?
        {
            looked += read;
            let batch = batch.slice(0, batch.num_rows().min(wanted));
            wanted -= batch.num_rows();
            let mut writer = ArrayWriter::new(Vec::new());
            writer.write(&batch).and_then(|()| writer.finish()).map_err(|e| failed(&e))?;
            let text = writer.into_inner();
            if text.len() > PREVIEW_BYTES {
                return Err(TablesError::TooLarge { subject: name.clone(), reason: "rows too long for a preview".into() });
            }
            if !text.is_empty() {
                out.extend(serde_json::from_slice::<Vec<Map<String, Value>>>(&text).map_err(|e| failed(&e))?);
            }
        }
        out.iter_mut().flat_map(|row| row.values_mut()).for_each(cut);
        Ok(out)
    });
    source.sealed(shown)
}

/// Cuts long texts, at any depth.
fn cut(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some((end, _)) = text.char_indices().nth(TEXT_CHARS) {
                text.truncate(end);
                text.push('…');
            }
        }
        Value::Array(items) => items.iter_mut().for_each(cut),
        Value::Object(map) => map.values_mut().for_each(cut),
        _ => (),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        governed::fixtures::{Dice, source_file},
        publish::FileStats,
    };
    use fondaco_core::policy::{
        filter::Filter,
        view::{Field, Mask, View},
    };

    #[test]
    fn the_first_rows_are_those_that_are_shown() {
        let file = source_file(&mut Dice::new(4), 3);
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("part.parquet");
        std::fs::write(&path, &file.bytes).expect("written");
        let source = Source {
            name: "part.parquet".into(),
            file: std::sync::Arc::new(crate::governed::open(&path).expect("open")),
            still_same: std::sync::Arc::new(|_| Ok(())),
            sha256: String::new(),
            size: file.bytes.len() as u64,
            rows: 0,
            stats: FileStats::default(),
        };
        let view = View {
            fields: Some(vec![Field::parse("id").expect("field"), Field::parse("who.name").expect("field")]),
            row_filter: Some(Filter::parse("id >= 101 AND id <> 102").expect("filter")),
            masks: vec![Mask::parse("hash(who.name)").expect("mask")],
            ..View::default()
        };
        let plan = TablePlan::new(&view, &file.schema, b"a secret of the agreement").expect("plan");
        let rows = first_rows(&plan, &source, 5).expect("rows");
        assert_eq!(rows.len(), 5);
        assert_eq!((&rows[0]["id"], &rows[1]["id"]), (&101.into(), &103.into()));
        for row in &rows {
            assert!(row.keys().all(|k| k == "id" || k == "who"), "{row:?}");
            if let Some(name) = row.get("who").and_then(|w| w["name"].as_str()) {
                assert_eq!(name.len(), 32);
            }
        }
        assert!(first_rows(&plan, &source, 10_000).expect("rows").len() <= PREVIEW_MAX_ROWS);
        assert!(first_rows(&plan, &source, 0).expect("rows").is_empty());
        let grouped = TablePlan::new(&View { min_group_size: Some(3), ..View::default() }, &file.schema, &[]).expect("plan");
        assert!(first_rows(&grouped, &source, 5).expect("rows").is_empty());
        let mut long = Value::from(vec!["水".repeat(500)]);
        cut(&mut long);
        assert_eq!(long[0].as_str().map(|t| t.chars().count()), Some(201));
    }
}
