//! A publication under way: where a source puts its files and what becomes of them.

use std::path::Path;

use super::{ColumnAccumulator, ColumnProfile, DataFile, PersonalDataHint, Progress, PublishLimits, PublishOptions, TableSchema};
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
    /// Instead of what the totals give.
    profile: Option<Vec<ColumnProfile>>,
    delta_version: Option<u64>,
}

/// What all sources together have given.
pub(super) struct Finished {
    pub(super) files: Vec<DataFile>,
    pub(super) schema: TableSchema,
    pub(super) profile: Vec<ColumnProfile>,
    pub(super) personal_data: Vec<PersonalDataHint>,
    pub(super) delta_version: Option<u64>,
}

impl<'a> Work<'a> {
    pub(super) fn new(dir: &'a Path, options: &'a PublishOptions, progress: &'a mut dyn FnMut(Progress)) -> Self {
        Self { dir, options, progress, files: Vec::new(), schema: None, totals: Vec::new(), profile: None, delta_version: None }
    }

    /// The directory to write into.
    pub(super) fn dir(&self) -> &'a Path {
        self.dir
    }

    /// What the caller wants.
    pub(super) fn options(&self) -> &'a PublishOptions {
        self.options
    }

    /// What the publication may take.
    pub(super) fn limits(&self) -> &'a PublishLimits {
        &self.options.limits
    }

    /// The number of the next file: what [`super::part_name`] takes.
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
        if self.totals.is_empty() {
            self.totals = columns.to_vec();
        } else {
            self.totals.iter_mut().zip(columns).for_each(|(total, column)| total.merge(column));
        }
        self.add_known(file)
    }

    /// Takes in the next file, whose columns [`carry`](Self::carry) tells about.
    pub(super) fn add_known(&mut self, file: DataFile) -> Result<(), TablesError> {
        if self.files.len() >= self.limits().max_files {
            return Err(TablesError::TooLarge {
                subject: "the product".into(),
                reason: format!("more than {} files", self.limits().max_files),
            });
        }
        self.files.push(file);
        Ok(())
    }

    /// Notes which version of a Delta table this is.
    pub(super) fn set_delta_version(&mut self, version: u64) {
        self.delta_version = Some(version);
    }

    /// Replaces the profile that follows from the columns' values, which are not all known.
    pub(super) fn set_profile(&mut self, profile: Vec<ColumnProfile>) {
        self.profile = Some(profile);
    }

    /// The files by now.
    pub(super) fn files(&self) -> &[DataFile] {
        &self.files
    }

    /// The schema as it is by now.
    pub(super) fn current_schema(&self) -> Option<&TableSchema> {
        self.schema.as_ref().map(|(_, schema)| schema)
    }

    /// What is known of the columns by now.
    pub(super) fn totals(&self) -> &[ColumnAccumulator] {
        &self.totals
    }

    /// Takes in what was learnt of columns before: of files that are not read again, or of none.
    pub(super) fn carry(&mut self, columns: Vec<ColumnAccumulator>) {
        if self.totals.is_empty() {
            self.totals = columns;
        } else {
            self.totals.iter_mut().zip(&columns).for_each(|(total, column)| total.merge(column));
        }
    }

    /// Everything, once all sources are done.
    pub(super) fn finish(self) -> Result<Finished, TablesError> {
        let (_, schema) = self.schema.ok_or_else(|| TablesError::Empty("no files".into()))?;
        let mut profile = self.profile.unwrap_or_else(|| self.totals.iter().map(ColumnAccumulator::profile).collect());
        let personal_data: Vec<_> = self.totals.iter().flat_map(ColumnAccumulator::personal_data).collect();
        withhold(&mut profile, &personal_data);
        Ok(Finished { files: self.files, schema, profile, personal_data, delta_version: self.delta_version })
    }
}

/// Takes the smallest and largest values of columns that may hold personal data out of the profile: each is somebody's,
/// and profiles are shown to whoever reads the catalogue.
fn withhold(profile: &mut [ColumnProfile], personal: &[PersonalDataHint]) {
    for column in profile {
        let within =
            |hint: &PersonalDataHint| hint.column.strip_prefix(&column.name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        if personal.iter().any(within) {
            (column.min, column.max) = (None, None);
        }
    }
}
