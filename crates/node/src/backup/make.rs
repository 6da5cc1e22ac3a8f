//! Makes a backup.

use super::{
    OnProgress, Progress,
    archive::{DATA, DATABASE, FORMAT, HEAD, Hashing, Head, Manifest, NODE, VERSION, Writer},
    unusable,
};
use crate::{
    config::{Config, FILE_NAME},
    init::{PASSWORD_FILE, TOKEN_FILE},
    secrets::seal::KEY_FILE,
};
use fondaco_core::{Error, Result, time::Timestamp};
use fondaco_store::backup::{StoredFile, export};
use std::{
    fs::File,
    io::{self, Read, Seek, Write},
    path::Path,
};

/// Rows are gathered in memory up to this size, because an entry says its size before its bytes.
const CHUNK_BYTES: usize = 4 * 1024 * 1024;
/// How often progress is told while a large file is read.
const TOLD_EVERY_BYTES: u64 = 8 * 1024 * 1024;

/// What to back up.
#[derive(Clone, Debug)]
pub struct MakeOptions {
    /// The node's configuration.
    pub config: Config,
    /// Go on without data files that are missing or changed, and list them.
    pub allow_missing: bool,
    /// When.
    pub now: Timestamp,
}

/// What was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// What it holds.
    pub manifest: Manifest,
    /// The size of the file.
    pub size_bytes: u64,
}

/// Writes a backup of a node, running or not, to `out`. Blocks; call it on a thread that may.
///
/// # Errors
/// [`fondaco_core::Code::BackupUnusable`] when a data file is missing or changed (it is named), and whatever the
/// database or `out` says.
pub fn make(options: &MakeOptions, out: impl Write, progress: OnProgress<'_>) -> Result<Made> {
    let config = &options.config;
    let failed = |e: io::Error| unusable(format!("The backup cannot be written: {e}."));
    let at_seconds = u64::try_from(options.now.as_micros() / 1_000_000).unwrap_or(0);
    let mut writer = Writer::new(out, at_seconds)?;
    let head = Head {
        format: FORMAT.into(),
        version: VERSION,
        program: env!("CARGO_PKG_VERSION").into(),
        made_at: options.now.to_rfc3339(),
        public_url: config.public.url.to_string(),
    };
    let head = serde_json::to_vec(&head).map_err(Error::internal_failure)?;
    writer.add(HEAD, head.len() as u64, &mut head.as_slice()).map_err(failed)?;
    for name in [FILE_NAME, KEY_FILE, TOKEN_FILE, PASSWORD_FILE] {
        let path = config.dir.join(name);
        match std::fs::read(&path) {
            Ok(bytes) => drop(writer.add(&format!("{NODE}{name}"), bytes.len() as u64, &mut bytes.as_slice()).map_err(failed)?),
            // The first password and the token may be kept elsewhere; without the other two there is no node.
            Err(e) if e.kind() == io::ErrorKind::NotFound && [TOKEN_FILE, PASSWORD_FILE].contains(&name) => {}
            Err(e) => return Err(unusable(format!("{} cannot be read: {e}.", path.display()))),
        }
    }
    // Without the certificates that it names beside it, the configuration would be refused.
    if let Some(name) = config.network.ca_file.as_deref().and_then(certificates_name) {
        let path = config.dir.join(name);
        let bytes = std::fs::read(&path).map_err(|e| unusable(format!("{} cannot be read: {e}.", path.display())))?;
        writer.add(&format!("{NODE}{name}"), bytes.len() as u64, &mut bytes.as_slice()).map_err(failed)?;
    }
    progress(Progress { what: "database".into(), done_bytes: 0, total_bytes: 0 });
    let mut chunks = Chunks { writer: &mut writer, buffer: Vec::new(), number: 0 };
    let exported = export(&config.database_url(), &mut chunks)?;
    chunks.put().map_err(failed)?;

    let total = exported.files.iter().map(|f| f.size_bytes).sum();
    let (mut done, mut missing) = (0, Vec::new());
    for file in &exported.files {
        let mut tell = |bytes: u64| progress(Progress { what: file.path.clone(), done_bytes: done + bytes, total_bytes: total });
        tell(0);
        if let Err(why) = data_file(&mut writer, &config.data_dir(), file, options.allow_missing, &mut tell) {
            let why = match why {
                Trouble::Output(e) => return Err(failed(e)),
                Trouble::File(why) => format!("{} {why}", file.path),
            };
            if !options.allow_missing {
                return Err(unusable(format!(
                    "A data file that the database names cannot be backed up: {why}. Put it back, or go on without with --allow-missing."
                )));
            }
            missing.push(why);
        }
        done += file.size_bytes;
    }
    let manifest = Manifest { schema: exported.schema, rows: exported.rows, entries: Vec::new(), missing, in_place: exported.in_place };
    let (_, manifest, size_bytes) = writer.finish(manifest).map_err(failed)?;
    Ok(Made { manifest, size_bytes })
}

/// A file of certificates that lies in the node's folder itself: `NAME.pem`.
pub(super) fn certificates_name(path: &Path) -> Option<&str> {
    let name = path.to_str()?;
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) && !name.starts_with('.');
    (plain && name.len() > 4 && path.extension().is_some_and(|e| e == "pem")).then_some(name)
}

/// Where a data file failed.
enum Trouble {
    /// The file itself: why.
    File(String),
    /// The backup.
    Output(io::Error),
}

fn data_file<W: Write>(
    writer: &mut Writer<W>,
    data: &Path,
    file: &StoredFile,
    look_first: bool,
    tell: &mut dyn FnMut(u64),
) -> Result<(), Trouble> {
    const CHANGED: &str = "has changed since it was published";
    let path = data.join(&file.path);
    let unreadable = |e: io::Error| Trouble::File(format!("cannot be read: {e}"));
    let mut opened = File::open(&path).map_err(unreadable)?;
    let size = opened.metadata().map_err(unreadable)?.len();
    if size != file.size_bytes {
        return Err(Trouble::File(format!("has {size} bytes instead of {}", file.size_bytes)));
    }
    if look_first {
        // In a pass of its own, so that an archive that does without the file does not hold half of it.
        let mut hashing = Hashing::new(&mut opened);
        io::copy(&mut hashing, &mut io::sink()).map_err(unreadable)?;
        if hex::encode(hashing.digest()) != file.sha256 {
            return Err(Trouble::File(CHANGED.into()));
        }
        opened.rewind().map_err(unreadable)?;
    }
    let mut source = Telling { inner: opened, done: 0, told: 0, tell };
    let written = writer.add(&format!("{DATA}{}", file.path), size, &mut source).map_err(Trouble::Output)?;
    match (written == file.sha256, look_first) {
        (true, _) => Ok(()),
        (false, false) => Err(Trouble::File(CHANGED.into())),
        // It is in the archive already, so the archive is of no use.
        (false, true) => Err(Trouble::Output(io::Error::other(format!("{} changed while it was read", file.path)))),
    }
}

/// Reads, and says how far it is.
struct Telling<'a> {
    inner: File,
    done: u64,
    told: u64,
    tell: &'a mut dyn FnMut(u64),
}

impl Read for Telling<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.done += n as u64;
        if self.done - self.told >= TOLD_EVERY_BYTES {
            self.told = self.done;
            (self.tell)(self.done);
        }
        Ok(n)
    }
}

/// Makes entries of the database's text.
struct Chunks<'a, W: Write> {
    writer: &'a mut Writer<W>,
    buffer: Vec<u8>,
    number: u32,
}

impl<W: Write> Chunks<'_, W> {
    fn put(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            let path = format!("{DATABASE}{:05}.jsonl", self.number);
            self.writer.add(&path, self.buffer.len() as u64, &mut self.buffer.as_slice())?;
            self.buffer.clear();
            self.number += 1;
        }
        Ok(())
    }
}

impl<W: Write> Write for Chunks<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK_BYTES {
            self.put()?;
        }
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
