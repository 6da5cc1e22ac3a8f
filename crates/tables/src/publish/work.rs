//! A publication under way: where a source puts its files and what becomes of them.

use std::path::Path;

use super::{ColumnAccumulator, DataFile, Progress, PublishLimits, PublishOptions, TableSchema, part_name};
use crate::TablesError;

/// How a part of the work tells how far it is. An error means: stop.
pub(super) type Report<'a> = dyn FnMut(Progress) -> Result<(), TablesError> + 'a;

/// A publication under way.
pub(super) struct Work<'a> {
    dir: &'a Path,
    options: &'a PublishOptions,
    progress: &'a mut dyn FnMut(Progress),
    files: Vec<DataFile>,
    /// With the name of the source it was first seen in.
    schema: Option<(String, TableSchema)>,
    totals: Vec<ColumnAccumulator>,
}

/// What all sources together have given.
pub(super) struct Finished {
    pub(super) files: Vec<DataFile>,
    pub(super) schema: TableSchema,
    pub(super) totals: Vec<ColumnAccumulator>,
}

impl<'a> Work<'a> {
    pub(super) fn new(dir: &'a Path, options: &'a PublishOptions, progress: &'a mut dyn FnMut(Progress)) -> Self {
        Self { dir, options, progress, files: Vec::new(), schema: None, totals: Vec::new() }
    }

    /// The directory to write into.
    pub(super) fn dir(&self) -> &'a Path {
        self.dir
    }

    /// What the publication may take.
    pub(super) fn limits(&self) -> &'a PublishLimits {
        &self.options.limits
    }

    /// The number of the next file: what [`part_name`] takes.
    pub(super) fn next_number(&self) -> usize {
        self.files.len()
    }

    /// Tells the caller how far the work is. Sources call it at least once per batch, since it is here
    /// that a publication is cancelled.
    pub(super) fn report(&mut self, progress: Progress) -> Result<(), TablesError> {
        self.options.check_cancelled()?;
        (self.progress)(progress);
        Ok(())
    }

    /// Takes in the schema of a source or of one of its files: all of a product have the same.
    pub(super) fn schema(&mut self, source: &str, schema: TableSchema) -> Result<(), TablesError> {
        match &mut self.schema {
            None => self.schema = Some((source.into(), schema)),
            Some((first, mine)) => mine.merge(first, &schema, source)?,
        }
        Ok(())
    }

    /// Takes in the next file, with what is known of each of its columns.
    pub(super) fn add(&mut self, file: DataFile, columns: &[ColumnAccumulator]) -> Result<(), TablesError> {
        if self.files.len() >= self.limits().max_files {
            return Err(TablesError::TooLarge {
                subject: "the product".into(),
                reason: format!("more than {} files", self.limits().max_files),
            });
        }
        debug_assert!(file.name == part_name(self.next_number()), "files are named in order");
        if self.totals.is_empty() {
            self.totals = columns.to_vec();
        } else {
            self.totals.iter_mut().zip(columns).for_each(|(total, column)| total.merge(column));
        }
        self.files.push(file);
        Ok(())
    }

    /// Everything, once all sources are done.
    pub(super) fn finish(self) -> Result<Finished, TablesError> {
        let (_, schema) = self.schema.ok_or_else(|| TablesError::Empty("no files".into()))?;
        Ok(Finished { files: self.files, schema, totals: self.totals })
    }
}
