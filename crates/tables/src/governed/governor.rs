//! Files as agreements show them: planned once, remembered, and written again where they must be.

use std::{
    fmt,
    fs::File,
    future::{Future, ready},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use aws_lc_rs::digest;
use parquet::file::metadata::ParquetMetaData;

use super::{
    cache::{Cache, CachedFile},
    file_plan::{FilePlan, plan_file},
    footer::{Footer, Positioned, paged_metadata},
    plan::TablePlan,
    rewrite::{Rewritten, rewrite},
    virtual_parquet::{Piece, VirtualFile},
};
use crate::{TablesError, publish::FileStats};

/// Memory for plans of files: footers of virtual files, some kilobytes each.
const PLANS_BYTES: u64 = 64 * 1024 * 1024;
/// Memory for footers of files that were written again, with what their pages hold.
const FOOTERS_BYTES: u64 = 16 * 1024 * 1024;
/// What a plan takes beside its footer.
const PLAN_BYTES: usize = 512;
/// Plans of which it is remembered how often their files were asked.
const ASKED_PLANS: u64 = 10_000;
/// How often files are asked before they are written again for it.
const ASKED_BEFORE_COPIES: u32 = 2;
/// What part of the cache the source of such files may be, at most: one in so many.
const COPIES_SHARE: u64 = 4;
/// Bytes of a file's id, which is shown as hexadecimal digits.
const ID_BYTES: usize = 16;

/// Looks whether an open file is still the one that was checked: after it was read, and before anything is made of it.
pub type StillSame = Arc<dyn Fn(&File) -> io::Result<()> + Send + Sync>;

/// A file of a table, open, and found to be the one that was published.
#[derive(Clone)]
pub struct Source {
    /// What it is called in messages: its name alone, since where it lies is a secret of the machine.
    pub name: String,
    /// The open file.
    pub file: Arc<File>,
    /// Whether it is still what it was found to be.
    pub still_same: StillSame,
    /// SHA-256 of its bytes, lower-case hex.
    pub sha256: String,
    /// Its exact size in bytes.
    pub size: u64,
    /// Its rows.
    pub rows: u64,
    /// Its statistics.
    pub stats: FileStats,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("name", &self.name).field("sha256", &self.sha256).finish_non_exhaustive()
    }
}

impl Source {
    /// What was made of it, if it was the published file all the while.
    pub(super) fn sealed<T>(&self, made: Result<T, TablesError>) -> Result<T, TablesError> {
        (self.still_same)(&self.file).map_err(|_| changed(self))?;
        made
    }
}

/// A file as an agreement shows it.
#[derive(Clone, Debug)]
pub struct GovernedFile {
    /// 32 hexadecimal digits that name its bytes: of the source file and the plan. Also its entity tag.
    pub id: String,
    /// The exact size in bytes.
    pub size: u64,
    /// Its rows.
    pub rows: u64,
    /// Statistics of visible columns and rows alone.
    pub stats: FileStats,
    /// Its bytes.
    pub content: Content,
}

/// Where the bytes of a governed file are.
#[derive(Clone, Debug)]
pub enum Content {
    /// In the source, as they are.
    Source,
    /// In the source, in parts, and in memory.
    Virtual(Arc<VirtualFile>),
    /// In a file of their own.
    Cached(Arc<CachedFile>),
}

impl GovernedFile {
    /// The pieces that make up a range of it; what lies beyond its end is left out. [`Piece::Source`] is a range of
    /// [`GovernedFile::cached`] if there is one, else of the source file.
    pub fn slice(&self, range: std::ops::Range<u64>) -> Vec<Piece> {
        match &self.content {
            Content::Virtual(file) => file.slice(range),
            Content::Source | Content::Cached(_) => {
                let end = range.end.min(self.size);
                let length = end.saturating_sub(range.start);
                if length == 0 { Vec::new() } else { vec![Piece::Source { start: range.start, length }] }
            }
        }
    }

    /// The open file that pieces are ranges of, where it is not the source.
    pub fn cached(&self) -> Option<&File> {
        match &self.content {
            Content::Cached(cached) => cached.file().map(Arc::as_ref),
            Content::Source | Content::Virtual(_) => None,
        }
    }
}

/// A file that was written as a plan shows it.
#[derive(Clone, Debug)]
pub struct Written {
    cached: Arc<CachedFile>,
    footer: Option<Arc<ParquetMetaData>>,
}

impl Written {
    /// The open file and what its footer says; none where there are no rows.
    pub fn open(&self) -> Option<(&Arc<File>, &Arc<ParquetMetaData>)> {
        self.cached.file().zip(self.footer.as_ref())
    }

    /// Its exact size in bytes.
    pub fn size(&self) -> u64 {
        self.cached.size()
    }
}

/// A file's plan, as it is remembered.
#[derive(Clone, Debug)]
enum Planned {
    PassThrough,
    Virtual(Arc<VirtualFile>),
    Rewrite(Arc<[usize]>),
    Empty,
}

/// Governs files.
#[derive(Clone, Debug)]
pub struct Governor {
    cache: Cache,
    plans: moka::future::Cache<String, Planned>,
    /// How often the files of a plan were asked since they were last written again, by the plan's digest.
    asked: moka::future::Cache<String, u32>,
    /// The footers of files that were written again: the same id is the same bytes.
    footers: moka::future::Cache<String, Arc<ParquetMetaData>>,
}

impl Governor {
    /// With this place for files that are written again.
    pub fn new(cache: Cache) -> Self {
        let weigh = |id: &String, planned: &Planned| {
            let weight = match planned {
                Planned::Virtual(file) => file.weight(),
                Planned::Rewrite(groups) => size_of_val(&**groups),
                Planned::PassThrough | Planned::Empty => 0,
            };
            u32::try_from(weight + id.len() + PLAN_BYTES).unwrap_or(u32::MAX)
        };
        let plans = moka::future::Cache::builder().max_capacity(PLANS_BYTES).weigher(weigh).build();
        let memory = |id: &String, footer: &Arc<ParquetMetaData>| u32::try_from(footer.memory_size() + id.len()).unwrap_or(u32::MAX);
        let footers = moka::future::Cache::builder().max_capacity(FOOTERS_BYTES).weigher(memory).build();
        Self { cache, plans, asked: moka::future::Cache::new(ASKED_PLANS), footers }
    }

    /// A file as a plan shows it; `None` when the plan shows no row of it, or no rows at all but aggregates. Writing it
    /// again, if that is needed, takes as long as it takes, and goes on when the caller does not wait for it.
    ///
    /// # Errors
    /// When the file cannot be read or is not what was published.
    pub async fn file(&self, plan: &Arc<TablePlan>, source: &Source) -> Result<Option<GovernedFile>, TablesError> {
        if plan.min_group_size().is_some() {
            return Ok(None);
        }
        let id = id(plan, source);
        Ok(match self.planned(&id, plan, source).await? {
            Planned::Empty => None,
            Planned::PassThrough => {
                Some(GovernedFile { id, size: source.size, rows: source.rows, stats: source.stats.clone(), content: Content::Source })
            }
            Planned::Virtual(file) => Some(GovernedFile {
                id,
                size: file.size(),
                rows: file.rows(),
                stats: file.stats().clone(),
                content: Content::Virtual(file),
            }),
            Planned::Rewrite(groups) => {
                let (plan, from, limit) = (Arc::clone(plan), source.clone(), self.cache.max_bytes());
                let make = move |target: &Path| made(&plan, &from, &groups, target, limit);
                let cached = self.cache.get_or_make(&id, make).await?;
                (cached.rows() > 0).then(|| GovernedFile {
                    id,
                    size: cached.size(),
                    rows: cached.rows(),
                    stats: cached.stats().clone(),
                    content: Content::Cached(cached),
                })
            }
        })
    }

    /// Whether [`Governor::file`] would have to write the file again first.
    ///
    /// # Errors
    /// As there.
    pub async fn needs_rewriting(&self, plan: &Arc<TablePlan>, source: &Source) -> Result<bool, TablesError> {
        if plan.min_group_size().is_some() {
            return Ok(false);
        }
        let id = id(plan, source);
        Ok(matches!(self.planned(&id, plan, source).await?, Planned::Rewrite(_)) && !self.cache.has(&id))
    }

    /// The file as it was written again for this plan, if it was.
    ///
    /// # Errors
    /// [`TablesError::Cancelled`] when the process ends.
    pub async fn written(&self, plan: &TablePlan, source: &Source) -> Result<Option<Written>, TablesError> {
        let id = id(plan, source);
        let Some(cached) = self.cache.get(&id).await? else { return Ok(None) };
        let Some(open) = cached.file() else { return Ok(Some(Written { cached, footer: None })) };
        let footer = match self.footers.get(&id).await {
            Some(known) => known,
            None => {
                let file = Positioned::of_size(Arc::clone(open), cached.size());
                let read = tokio::task::spawn_blocking(move || paged_metadata(&file, "a file that was written"));
                let footer = Arc::new(read.await.unwrap_or(Err(TablesError::Cancelled))?);
                self.footers.insert(id, Arc::clone(&footer)).await;
                footer
            }
        };
        Ok(Some(Written { cached, footer: Some(footer) }))
    }

    /// That all files of a table were asked, and some had to be read as they are stored: every row was filtered and masked
    /// for one answer. Who asks a second time will ask again: then this answers with the work of writing the files as the
    /// plan shows them, one after the other, for the answers after this one. Not where a plan shows whole columns and row
    /// groups, nor where that would drive most of the others out of the cache.
    pub async fn asked(
        &self,
        plan: &Arc<TablePlan>,
        sources: Vec<Source>,
    ) -> Option<impl Future<Output = Result<(), TablesError>> + Send + use<>> {
        let bytes: u64 = sources.iter().map(|source| source.size).sum();
        if plan.min_group_size().is_some() || (plan.filter().is_none() && !plan.masks()) || bytes > self.cache.max_bytes() / COPIES_SHARE {
            return None;
        }
        let more = |before: Option<moka::Entry<String, u32>>| ready(before.map_or(1, |n| n.into_value().saturating_add(1)));
        let times = self.asked.entry(plan.digest().to_owned()).and_upsert_with(more).await;
        if times.into_value() != ASKED_BEFORE_COPIES {
            return None;
        }
        let (governor, plan) = (self.clone(), Arc::clone(plan));
        Some(async move {
            let mut done = Ok(());
            for source in &sources {
                done = governor.file(&plan, source).await.map(drop);
                if done.is_err() {
                    break;
                }
            }
            // What is removed from the cache is written again when it is asked as often again.
            governor.asked.invalidate(plan.digest()).await;
            done
        })
    }

    async fn planned(&self, id: &str, plan: &Arc<TablePlan>, source: &Source) -> Result<Planned, TablesError> {
        if plan.is_whole() {
            return Ok(Planned::PassThrough);
        }
        if let Some(planned) = self.plans.get(id).await {
            return Ok(planned);
        }
        let (plan, from) = (Arc::clone(plan), source.clone());
        let work = move || {
            let make = || {
                let (file, footer) = opened(&plan, &from)?;
                plan_file(&plan, &file, &footer, &from.name)
            };
            Ok(match from.sealed(make())? {
                FilePlan::PassThrough => Planned::PassThrough,
                FilePlan::Virtual(file) => Planned::Virtual(file),
                FilePlan::Rewrite(groups) => Planned::Rewrite(groups.into()),
                FilePlan::Empty => Planned::Empty,
            })
        };
        let planned = tokio::task::spawn_blocking(work).await.unwrap_or(Err(TablesError::Cancelled))?;
        self.plans.insert(id.to_owned(), planned.clone()).await;
        Ok(planned)
    }
}

/// Names the bytes of a file under a plan.
fn id(plan: &TablePlan, source: &Source) -> String {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(source.sha256.as_bytes());
    hash.update(&[0]);
    hash.update(plan.digest().as_bytes());
    hex::encode(&hash.finish().as_ref()[..ID_BYTES])
}

/// What a file is called in messages: by its name alone.
pub fn name(path: &Path) -> String {
    path.file_name().map_or_else(|| "a file".into(), |n| n.to_string_lossy().into_owned())
}

/// Reads the footer of a file.
pub(super) fn opened(plan: &TablePlan, source: &Source) -> Result<(Positioned, Footer), TablesError> {
    let file = Positioned::new(Arc::clone(&source.file)).map_err(TablesError::io("reading", PathBuf::from(&source.name)))?;
    if parquet::file::reader::Length::len(&file) != source.size {
        return Err(changed(source));
    }
    let footer = Footer::read(&file, &source.name, plan.source())?;
    Ok((file, footer))
}

fn changed(source: &Source) -> TablesError {
    TablesError::MalformedParquet { file: source.name.clone(), reason: "it is not the file that was published".into() }
}

/// Writes a file again.
fn made(plan: &TablePlan, source: &Source, groups: &[usize], target: &Path, limit: u64) -> Result<Rewritten, TablesError> {
    source.sealed(Ok(()))?;
    let make = || {
        let (file, footer) = opened(plan, source)?;
        rewrite(plan, &file, &footer, groups, &source.name, target, limit)
    };
    source.sealed(make())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::governed::fixtures::{Dice, SourceFile, read_back, source_file};
    use fondaco_core::policy::{
        filter::Filter,
        view::{Field, Mask, View},
    };
    use std::sync::atomic::{AtomicUsize, Ordering};

    struct Place {
        dir: tempfile::TempDir,
        source: Source,
        /// How often it is still the same file.
        same: Arc<AtomicUsize>,
        file: SourceFile,
        governor: Governor,
    }

    fn place() -> Place {
        let dir = tempfile::tempdir().expect("dir");
        let file = source_file(&mut Dice::new(11), 3);
        let path = dir.path().join("part-00000.parquet");
        std::fs::write(&path, &file.bytes).expect("written");
        let sha256 = hex::encode(digest::digest(&digest::SHA256, &file.bytes));
        let same = Arc::new(AtomicUsize::new(usize::MAX));
        let left = Arc::clone(&same);
        let still_same: StillSame = Arc::new(move |_| {
            let looked = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
            looked.map(drop).map_err(|_| io::Error::other("changed"))
        });
        let open = Arc::new(crate::governed::open(&path).expect("open"));
        let size = file.bytes.len() as u64;
        let source = Source { name: name(&path), file: open, still_same, sha256, size, rows: 100, stats: FileStats::default() };
        let governor = Governor::new(Cache::open(&dir.path().join("cache"), 1 << 24).expect("cache"));
        Place { dir, source, same, file, governor }
    }

    impl Place {
        fn plan(&self, view: &View) -> Arc<TablePlan> {
            Arc::new(TablePlan::new(view, &self.file.schema, b"a secret of the agreement").expect("plan"))
        }

        /// The bytes as a server would send them.
        fn bytes(&self, file: &GovernedFile) -> Vec<u8> {
            use std::os::unix::fs::FileExt;
            let mut out = Vec::new();
            for piece in file.slice(0..u64::MAX) {
                match piece {
                    Piece::Bytes(bytes) => out.extend_from_slice(&bytes),
                    Piece::Source { start, length } => {
                        let mut buffer = vec![0; usize::try_from(length).expect("small")];
                        file.cached().unwrap_or(&self.source.file).read_exact_at(&mut buffer, start).expect("read");
                        out.extend_from_slice(&buffer);
                    }
                }
            }
            out
        }
    }

    fn fields(names: &[&str]) -> Vec<Field> {
        names.iter().map(|n| Field::parse(n).expect("field")).collect()
    }

    #[tokio::test]
    async fn each_file_is_served_in_the_cheapest_way_that_keeps_to_the_plan() {
        let place = place();
        let filter = |text: &str| Some(Filter::parse(text).expect("filter"));
        let whole = place.governor.file(&place.plan(&View::default()), &place.source).await.expect("file").expect("rows");
        assert!(matches!(whole.content, Content::Source));
        assert_eq!(place.bytes(&whole), place.file.bytes);
        let columns = place.plan(&View { fields: Some(fields(&["id", "who.age"])), ..View::default() });
        assert!(!place.governor.needs_rewriting(&columns, &place.source).await.expect("known"));
        let few = place.governor.file(&columns, &place.source).await.expect("file").expect("rows");
        assert!(matches!(few.content, Content::Virtual(_)));
        assert_eq!(place.bytes(&few).len() as u64, few.size);
        assert_eq!(read_back(&place.bytes(&few)).num_columns(), 2);
        let mixed =
            place.plan(&View { row_filter: filter("id <> 1"), masks: vec![Mask::parse("hash(site)").expect("mask")], ..View::default() });
        assert!(place.governor.needs_rewriting(&mixed, &place.source).await.expect("known"));
        let written = place.governor.file(&mixed, &place.source).await.expect("file").expect("rows");
        assert!(matches!(written.content, Content::Cached(_)));
        assert!(!place.governor.needs_rewriting(&mixed, &place.source).await.expect("known"));
        assert_eq!(read_back(&place.bytes(&written)).num_rows() as u64, written.rows);
        let nothing = place.plan(&View { row_filter: filter("id > 100000"), ..View::default() });
        assert!(place.governor.file(&nothing, &place.source).await.expect("file").is_none());
        let nothing = place.plan(&View { row_filter: filter("site = 'Nowhere' AND id <> 5"), ..View::default() });
        assert!(place.governor.file(&nothing, &place.source).await.expect("file").is_none(), "known only after a look at the rows");
        let aggregates = place.plan(&View { min_group_size: Some(5), ..View::default() });
        assert!(place.governor.file(&aggregates, &place.source).await.expect("file").is_none());
        let ids = [&whole.id, &few.id, &written.id];
        assert!(ids.iter().all(|id| id.len() == 32) && ids[0] != ids[1] && ids[1] != ids[2]);
    }

    #[tokio::test]
    async fn rewritten_files_come_back_after_the_cache_is_deleted() {
        let place = place();
        let plan = place.plan(&View { masks: vec![Mask::parse("null(site)").expect("mask")], ..View::default() });
        let first = place.governor.file(&plan, &place.source).await.expect("file").expect("rows");
        let bytes = place.bytes(&first);
        std::fs::remove_dir_all(place.dir.path().join("cache")).expect("removed");
        assert_eq!(place.bytes(&first), bytes, "still open");
        let again = place.governor.file(&plan, &place.source).await.expect("file").expect("rows");
        assert_eq!(place.bytes(&again), bytes);
        assert_eq!((again.id, again.size), (first.id, first.size));
    }

    #[tokio::test]
    async fn a_source_of_another_size_is_refused() {
        let mut place = place();
        let plan = place.plan(&View { fields: Some(fields(&["id"])), ..View::default() });
        place.source.size += 1;
        let error = place.governor.file(&plan, &place.source).await.expect_err("another size");
        assert!(error.to_string().contains("not the file that was published"), "{error}");
        assert!(!error.to_string().contains(place.dir.path().to_str().expect("text")), "{error}");
    }

    #[tokio::test]
    async fn nothing_that_was_made_of_a_changed_file_is_kept() {
        let place = place();
        let columns = place.plan(&View { fields: Some(fields(&["id"])), ..View::default() });
        let masked = place.plan(&View { masks: vec![Mask::parse("null(site)").expect("mask")], ..View::default() });
        let another = |error: TablesError| assert!(error.to_string().contains("not the file that was published"), "{error}");
        // Overwritten in place while it was planned, with another file of the same size and columns.
        let other = source_file(&mut Dice::new(11), 3);
        place.same.store(0, Ordering::SeqCst);
        another(place.governor.file(&columns, &place.source).await.expect_err("changed"));
        assert_eq!(place.governor.plans.iter().count(), 0);
        place.same.store(usize::MAX, Ordering::SeqCst);
        let shown = place.governor.file(&columns, &place.source).await.expect("file").expect("rows");
        assert_eq!(read_back(&place.bytes(&shown)).num_rows(), read_back(&other.bytes).num_rows());
        // Planned, and changed before it is written again, or while it is.
        for looks in [1, 2] {
            place.same.store(looks, Ordering::SeqCst);
            another(place.governor.file(&masked, &place.source).await.expect_err("changed"));
            assert!(!place.governor.cache.has(&id(&masked, &place.source)), "{looks}");
            assert_eq!(place.same.load(Ordering::SeqCst), 0);
            place.governor.plans.invalidate_all();
            place.governor.plans.run_pending_tasks().await;
        }
        place.same.store(usize::MAX, Ordering::SeqCst);
        assert!(place.governor.file(&masked, &place.source).await.expect("file").is_some());
    }
}
