//! Where tables come from. One file per kind of source, all behind [`Source`]; a new kind of file adds a
//! file here and an arm in [`expand`].

mod csv;
mod delta;
mod excel;
mod footer;
mod infer;
mod int96;
mod jsonl;
mod parquet;
mod part;
pub(super) mod postgres;
mod workbook_bounds;
mod xlsb;

use std::{
    collections::HashSet,
    fs,
    io::Read,
    path::{Path, PathBuf},
};

pub(super) use self::delta::{DeltaSource, RemoteTable, newest_of, newest_version};
use self::{csv::CsvSource, excel::ExcelSource, jsonl::JsonLinesSource, parquet::ParquetSource};
pub use self::{
    excel::InferredWorkbook,
    infer::{InferredColumn, InferredCsv},
};
pub(crate) use self::{
    footer::check_footer,
    int96::arrow_metadata,
    parquet::{guarded, source_types},
};
use super::{PublishLimits, Work};
use crate::TablesError;

/// Something that can be published as Parquet files of one schema.
pub(super) trait Source {
    /// Writes checked Parquet into the work's directory: tells it the schema, then adds file after file,
    /// and reports at least once per batch.
    fn publish(&mut self, work: &mut Work<'_>) -> Result<(), TablesError>;

    /// How text was understood, once published; none for sources that say what they hold.
    fn inferred(&mut self) -> Option<Inferred> {
        None
    }
}

/// How a source without types of its own was understood.
pub(super) enum Inferred {
    Csv(InferredCsv),
    Workbook(InferredWorkbook),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Parquet,
    Csv,
    Excel,
    JsonLines,
}

/// A file to publish, looked at once.
#[derive(Debug)]
pub(super) struct SourceFile {
    path: PathBuf,
    kind: Kind,
    size: u64,
    /// What to call it, when its own name is not the publisher's: the key of a fetched object.
    label: Option<String>,
}

impl SourceFile {
    /// Whether it was fetched for this publication, so that it can be moved instead of copied.
    fn is_fetched(&self) -> bool {
        self.label.is_some()
    }

    fn name(&self) -> String {
        if let Some(label) = &self.label {
            return label.clone();
        }
        self.path.file_name().map_or_else(|| self.path.display().to_string(), |n| n.to_string_lossy().into_owned())
    }
}

/// What the publisher's paths stand for, in the order of publication.
pub(super) fn expand(paths: &[PathBuf], limits: &PublishLimits) -> Result<Vec<Box<dyn Source>>, TablesError> {
    if let Some(table) = paths.iter().find(|p| delta::is_table(p)) {
        return match paths {
            [only] => Ok(vec![Box::new(DeltaSource::local(only)?)]),
            _ => Err(bad(table, "a Delta table is a product of its own; name nothing beside it")),
        };
    }
    Ok(by_kind(files(paths, limits)?))
}

/// Files that were fetched for this publication, with what to call them.
pub(super) fn fetched(paths: Vec<(PathBuf, String)>, limits: &PublishLimits) -> Result<Vec<Box<dyn Source>>, TablesError> {
    let mut all = Vec::with_capacity(paths.len());
    for (path, label) in paths {
        // Errors would name a folder that nobody knows.
        let found = files(std::slice::from_ref(&path), limits).map_err(|e| match e {
            TablesError::BadSource { reason, .. } => TablesError::BadSource { path: label.clone().into(), reason },
            other => other,
        })?;
        all.extend(found.into_iter().map(|file| SourceFile { label: Some(label.clone()), ..file }));
    }
    Ok(by_kind(all))
}

/// Whether a file of this name can be published.
pub(super) fn kind_of_name(name: &str) -> bool {
    kind_by_name(Path::new(name)).is_some()
}

fn by_kind(files: Vec<SourceFile>) -> Vec<Box<dyn Source>> {
    let (mut parquet, mut csv, mut excel, mut json_lines) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for file in files {
        match file.kind {
            Kind::Parquet => parquet.push(file),
            Kind::Csv => csv.push(file),
            Kind::Excel => excel.push(file),
            Kind::JsonLines => json_lines.push(file),
        }
    }
    let mut sources: Vec<Box<dyn Source>> = Vec::new();
    if !csv.is_empty() {
        sources.push(Box::new(CsvSource::new(csv)));
    }
    if !excel.is_empty() {
        sources.push(Box::new(ExcelSource::new(excel)));
    }
    if !json_lines.is_empty() {
        sources.push(Box::new(JsonLinesSource::new(json_lines)));
    }
    if !parquet.is_empty() {
        sources.push(Box::new(ParquetSource::new(parquet)));
    }
    sources
}

/// The files that paths stand for: files as they are, directories as the tables of any kind directly in them,
/// by name. JSON is a table when it is named: in a directory it may as well describe the others.
fn files(sources: &[PathBuf], limits: &PublishLimits) -> Result<Vec<SourceFile>, TablesError> {
    if sources.is_empty() {
        return Err(TablesError::Empty("name at least one Parquet, CSV, JSON Lines or Excel file, or a directory of them".into()));
    }
    let mut files = Vec::new();
    for path in sources {
        let meta = fs::metadata(path).map_err(TablesError::io("reading", path))?;
        if meta.is_dir() {
            expand_directory(path, limits, &mut files)?;
        } else {
            let kind = match kind_by_name(path) {
                Some(kind) => kind,
                None if starts_like_parquet(path)? => Kind::Parquet,
                None if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json")) => Kind::JsonLines,
                None => {
                    return Err(bad(
                        path,
                        "not a kind of file that can be published; use .parquet, .csv, .tsv, .jsonl, .ndjson, .json, .xlsx, .xlsb, .xls or .ods",
                    ));
                }
            };
            push(path.clone(), kind, limits, &mut files)?;
        }
    }
    let mut seen = HashSet::new();
    for file in &files {
        let real = fs::canonicalize(&file.path).map_err(TablesError::io("reading", &file.path))?;
        if !seen.insert(real) {
            return Err(bad(&file.path, "named twice; its rows would be counted twice"));
        }
    }
    Ok(files)
}

fn expand_directory(dir: &Path, limits: &PublishLimits, files: &mut Vec<SourceFile>) -> Result<(), TablesError> {
    let root = fs::canonicalize(dir).map_err(TablesError::io("reading", dir))?;
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(TablesError::io("reading", dir))? {
        let path = entry.map_err(TablesError::io("reading", dir))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // Checksums, markers, locks and the like of other tools: .part-0.crc, _SUCCESS, ~$book.xlsx.
        let hidden = name.starts_with(['.', '_', '~']);
        if path.is_dir() {
            return Err(bad(&path, "a directory inside the directory to publish; name the files, or one flat directory"));
        }
        let Some(kind) = kind_by_name(&path) else { continue };
        if hidden {
            continue;
        }
        let real = fs::canonicalize(&path).map_err(TablesError::io("reading", &path))?;
        if !real.starts_with(&root) {
            return Err(bad(&path, "a symbolic link that leaves the directory; copy the file or name it directly"));
        }
        found.push((path, kind));
        if found.len() > limits.max_files {
            break;
        }
    }
    if found.is_empty() {
        return Err(TablesError::Empty(format!("{} holds no .parquet, .csv, .tsv, .jsonl, .ndjson or workbook file", dir.display())));
    }
    found.sort();
    found.into_iter().try_for_each(|(path, kind)| push(path, kind, limits, files))
}

fn push(path: PathBuf, kind: Kind, limits: &PublishLimits, files: &mut Vec<SourceFile>) -> Result<(), TablesError> {
    let meta = fs::metadata(&path).map_err(TablesError::io("reading", &path))?;
    if !meta.is_file() {
        return Err(bad(&path, "not a regular file"));
    }
    if meta.len() > limits.max_file_bytes {
        return Err(TablesError::TooLarge {
            subject: path.display().to_string(),
            reason: format!("{} bytes; at most {}", meta.len(), limits.max_file_bytes),
        });
    }
    if files.len() >= limits.max_files {
        return Err(TablesError::TooLarge { subject: "the product".into(), reason: format!("more than {} files", limits.max_files) });
    }
    files.push(SourceFile { path, kind, size: meta.len(), label: None });
    Ok(())
}

fn kind_by_name(path: &Path) -> Option<Kind> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "parquet" | "pq" => Some(Kind::Parquet),
        "csv" | "tsv" => Some(Kind::Csv),
        "xlsx" | "xlsm" | "xlsb" | "xls" | "ods" => Some(Kind::Excel),
        "jsonl" | "ndjson" => Some(Kind::JsonLines),
        _ => None,
    }
}

fn starts_like_parquet(path: &Path) -> Result<bool, TablesError> {
    let mut magic = Vec::new();
    fs::File::open(path).and_then(|f| f.take(4).read_to_end(&mut magic)).map_err(TablesError::io("reading", path))?;
    Ok(magic == b"PAR1")
}

fn bad(path: &Path, reason: &str) -> TablesError {
    TablesError::BadSource { path: path.into(), reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Result<Vec<String>, TablesError> {
        Ok(files(&[dir.to_owned()], &PublishLimits::default())?.iter().map(SourceFile::name).collect())
    }

    #[test]
    fn a_directory_stands_for_its_files_in_order() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.parquet", "a.CSV", "_SUCCESS", ".hidden.csv", "README.md"] {
            fs::write(dir.path().join(name), "x").unwrap();
        }
        assert_eq!(names(dir.path()).unwrap(), ["a.CSV", "b.parquet"]);
        fs::create_dir(dir.path().join("year=2024")).unwrap();
        assert_eq!(names(dir.path()).unwrap_err().kind(), "bad-source");
    }

    #[test]
    fn what_cannot_be_a_source_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(names(dir.path()).unwrap_err().kind(), "empty");
        assert_eq!(files(&[], &PublishLimits::default()).unwrap_err().kind(), "empty");
        let text = dir.path().join("notes.txt");
        fs::write(&text, "hello").unwrap();
        assert_eq!(files(&[text], &PublishLimits::default()).unwrap_err().kind(), "bad-source");
        let twice = dir.path().join("twice.csv");
        fs::write(&twice, "a\n1\n").unwrap();
        let again = dir.path().join(".").join("twice.csv");
        assert_eq!(files(&[twice, again], &PublishLimits::default()).unwrap_err().kind(), "bad-source");
        let missing = dir.path().join("none.csv");
        assert_eq!(files(&[missing], &PublishLimits::default()).unwrap_err().kind(), "io");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_out_of_the_directory_is_refused() {
        let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let secret = outside.path().join("secret.csv");
        fs::write(&secret, "a\n1\n").unwrap();
        std::os::unix::fs::symlink(&secret, dir.path().join("x.csv")).unwrap();
        assert_eq!(names(dir.path()).unwrap_err().kind(), "bad-source");
    }
}
