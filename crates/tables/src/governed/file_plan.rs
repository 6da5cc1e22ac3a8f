//! How one file is served under a plan: as it is, as a virtual file, rewritten, or not at all.

use std::sync::Arc;

use super::{
    dictionary,
    footer::{Footer, Positioned},
    plan::TablePlan,
    rowgroups::{Decision, decide},
    stats::file_stats,
    virtual_parquet::{self, VirtualFile},
};
use crate::{
    TablesError,
    publish::{PublishLimits, TableSchema, guarded},
};

/// How a file is served.
#[derive(Clone, Debug)]
pub(super) enum FilePlan {
    /// Its bytes as they are: the plan hides nothing.
    PassThrough,
    /// Ranges of its bytes under a footer of their own.
    Virtual(Arc<VirtualFile>),
    /// Decoded, and written again: of these row groups, which are not known to hold no row that is shown.
    Rewrite(Vec<usize>),
    /// Not at all: it holds no row that is shown.
    Empty,
}

/// Decides how a file is served, from its footer, and where rows are hidden from its dictionaries' indices. `name` stands
/// for it in messages.
pub(super) fn plan_file(plan: &TablePlan, file: &Positioned, footer: &Footer, name: &str) -> Result<FilePlan, TablesError> {
    if plan.is_whole() {
        return Ok(FilePlan::PassThrough);
    }
    let failed = |reason: String| TablesError::MalformedParquet { file: name.into(), reason };
    let (metadata, schema) = (footer.metadata(), footer.arrow.schema());
    guarded(name, || {
        let condition = plan.condition(schema).map_err(|e| failed(e.to_string()))?;
        let decisions = decide(condition.as_ref(), plan, metadata, schema);
        let groups: Vec<usize> = decisions.iter().enumerate().filter_map(|(i, d)| (*d != Decision::None).then_some(i)).collect();
        if groups.is_empty() {
            return Ok(FilePlan::Empty);
        }
        if plan.masks() || decisions.contains(&Decision::Mixed) {
            return Ok(FilePlan::Rewrite(groups));
        }
        let shown = plan.shown_leaves();
        // A list of groups, as old writers wrote it, may read as another type once parts of the groups are left out.
        let visible = virtual_parquet::visible_schema(metadata, &shown).map_err(|e| failed(e.to_string()))?;
        if !reads_as(&visible, footer, plan, name) {
            return Ok(FilePlan::Rewrite(groups));
        }
        if plan.filter().is_some() && !uses_its_dictionaries(file, footer, &shown, &groups) {
            return Ok(FilePlan::Rewrite(groups));
        }
        let stats = file_stats(plan, metadata, schema, &groups, false);
        virtual_parquet::build(metadata, &shown, &groups, stats).map(|f| FilePlan::Virtual(Arc::new(f))).map_err(|e| failed(e.to_string()))
    })
}

/// Whether the shown chunks are known to hold no value that is of none of their rows: it may be of a hidden one.
fn uses_its_dictionaries(file: &Positioned, footer: &Footer, shown: &[bool], groups: &[usize]) -> bool {
    let file = Arc::new(file.clone());
    groups.iter().map(|group| footer.metadata().row_group(*group)).all(|group| {
        let mut chunks = group.columns().iter().zip(shown).filter_map(|(chunk, shown)| shown.then_some(chunk));
        chunks.all(|chunk| dictionary::is_used(&file, chunk, group.num_rows()).unwrap_or(false))
    })
}

/// Whether columns read from a file are those that the plan shows.
fn reads_as(visible: &arrow::datatypes::Schema, footer: &Footer, plan: &TablePlan, name: &str) -> bool {
    // The physical types say which times are points in time.
    let sources = crate::publish::source_types(footer.metadata());
    let shown = plan.source().columns.iter().zip(plan.shapes()).zip(sources);
    let sources: Vec<String> = shown.filter_map(|((_, shape), source)| shape.is_some().then_some(source)).collect();
    let Ok(read) = TableSchema::from_arrow(name, visible, &sources, &PublishLimits::default()) else { return false };
    plan.schema().clone().merge("its product", &read, name).is_ok()
}
