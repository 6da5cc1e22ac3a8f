//! The form of the file: entries in, entries out, and the seal behind them.

use super::unusable;
use fondaco_core::{Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    cell::Cell,
    collections::BTreeMap,
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom, Write},
    path::{Component, Path},
};

/// The name of the form.
pub(super) const FORMAT: &str = "fondaco-backup";
/// Its version; a reader refuses newer ones.
pub(super) const VERSION: u32 = 1;
/// The first entry.
pub(super) const HEAD: &str = "backup.json";
/// The last entry.
pub(super) const MANIFEST: &str = "manifest.json";
/// Where the node's own files are.
pub(super) const NODE: &str = "node/";
/// Where the database's text is.
pub(super) const DATABASE: &str = "database/";
/// Where the data files are.
pub(super) const DATA: &str = "data/";
/// Largest head: a few short members.
const HEAD_MAX_BYTES: u64 = 64 * 1024;
/// Largest manifest: a million files at 250 bytes each.
const MANIFEST_MAX_BYTES: u64 = 256 * 1024 * 1024;
/// Largest file of the node itself: a configuration or a key.
const NODE_FILE_MAX_BYTES: u64 = 1024 * 1024;
/// Longest path of an entry: what file systems allow.
const PATH_MAX_BYTES: usize = 4_096;
/// Zstandard's own default: data files are compressed already, and rows compress well at any level.
const LEVEL: i32 = 3;
/// Largest window a reader allocates (2^27 = 128 MiB), Zstandard's default limit for strange files.
const WINDOW_LOG_MAX: u32 = 27;
/// How much is read from the file at once: fewer calls than Zstandard's own 128 KiB.
const READ_BYTES: usize = 1024 * 1024;
/// How often progress is told within a large entry.
const TOLD_EVERY_BYTES: u64 = 8 * 1024 * 1024;
/// The head of a skippable frame (RFC 8878, 3.1.2) with 40 bytes: eight that say whose it is, and a SHA-256.
const SEAL_HEAD: [u8; 16] = *b"\x50\x2a\x4d\x18\x28\x00\x00\x00fondaco1";
/// The whole seal.
const SEAL_BYTES: usize = SEAL_HEAD.len() + 32;

/// What the file says of itself first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    /// `fondaco-backup`.
    pub format: String,
    /// The version of the form.
    pub version: u32,
    /// The program that made it.
    pub program: String,
    /// When: RFC 3339.
    pub made_at: String,
    /// The node's public address.
    pub public_url: String,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Entry {
    /// Its path in the archive.
    pub path: String,
    /// Its size.
    pub size_bytes: u64,
    /// Its SHA-256 in lower-case hex.
    pub sha256: String,
}

/// What the file says of itself last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// The schema of the database.
    pub schema: u32,
    /// How many rows.
    pub rows: u64,
    /// Every other entry.
    pub entries: Vec<Entry>,
    /// Data files that were missing or changed when it was made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Products whose data is not in it, because it stays where its publisher keeps it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub in_place: Vec<String>,
}

impl Manifest {
    /// How many data files.
    pub fn data_files(&self) -> usize {
        self.entries.iter().filter(|e| e.path.starts_with(DATA)).count()
    }
    /// Their bytes.
    pub fn data_bytes(&self) -> u64 {
        self.entries.iter().filter(|e| e.path.starts_with(DATA)).map(|e| e.size_bytes).sum()
    }
}

/// Hashes and counts what goes through.
pub(crate) struct Hashing<T> {
    pub(crate) inner: T,
    hash: Sha256,
    pub(crate) bytes: u64,
}

impl<T> Hashing<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self { inner, hash: Sha256::new(), bytes: 0 }
    }
    /// The hash of everything so far.
    pub(crate) fn digest(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.hash.update(&bytes[..n]);
        self.bytes += n as u64;
        Ok(n)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.hash.update(&buffer[..n]);
        self.bytes += n as u64;
        Ok(n)
    }
}

/// Writes entries, then the manifest and the seal.
pub(super) struct Writer<W: Write> {
    tar: tar::Builder<zstd::Encoder<'static, Hashing<W>>>,
    entries: Vec<Entry>,
    at_seconds: u64,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(out: W, at_seconds: u64) -> Result<Self> {
        let mut encoder = zstd::Encoder::new(Hashing::new(out), LEVEL).map_err(Error::internal_failure)?;
        encoder.include_checksum(true).map_err(Error::internal_failure)?;
        Ok(Self { tar: tar::Builder::new(encoder), entries: Vec::new(), at_seconds })
    }

    /// Adds an entry of exactly `size` bytes and gives its hash. When the source has another length the archive is of
    /// no more use.
    pub(super) fn add(&mut self, path: &str, size: u64, from: &mut dyn Read) -> io::Result<String> {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_size(size);
        header.set_mode(0o600);
        header.set_mtime(self.at_seconds);
        let mut source = Hashing::new(from.take(size));
        self.tar.append_data(&mut header, path, &mut source)?;
        if source.bytes != size {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it became shorter while it was read"));
        }
        let sha256 = hex::encode(source.digest());
        self.entries.push(Entry { path: path.to_owned(), size_bytes: size, sha256: sha256.clone() });
        Ok(sha256)
    }

    /// Writes the manifest and the seal; gives the output and the size of the file.
    pub(super) fn finish(mut self, mut manifest: Manifest) -> io::Result<(W, Manifest, u64)> {
        manifest.entries = std::mem::take(&mut self.entries);
        let text = serde_json::to_vec(&manifest).map_err(io::Error::other)?;
        self.add(MANIFEST, text.len() as u64, &mut text.as_slice())?;
        let mut out = self.tar.into_inner()?.finish()?;
        let seal = out.digest();
        out.write_all(&SEAL_HEAD)?;
        out.write_all(&seal)?;
        out.flush()?;
        Ok((out.inner, manifest, out.bytes))
    }
}

/// Counts what goes through, for whoever does not hold the reader.
struct Counted<'a, R> {
    inner: R,
    bytes: &'a Cell<u64>,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.bytes.set(self.bytes.get() + n as u64);
        Ok(n)
    }
}

/// Takes the entries of an archive one by one.
pub(super) trait Sink {
    /// Where the bytes of an entry go. Its path is checked: relative, plain, below one of the known folders.
    fn entry(&mut self, path: &str) -> Result<Box<dyn Write>>;
    /// How many compressed bytes were read.
    fn read_bytes(&mut self, done: u64, total: u64);
}

/// Reads a whole archive: its seal, its entries, and its manifest agree, or it is refused. What the sink was given
/// counts only when this returns.
pub(super) fn read(file: &File, sink: &mut dyn Sink) -> Result<(Head, Manifest)> {
    let damaged = |e: &dyn std::fmt::Display| unusable(format!("The backup is damaged: {e}."));
    let seal = seal(file)?;
    let length = file.metadata().map_err(|e| damaged(&e))?.len() - SEAL_BYTES as u64;
    let mut start = file;
    start.seek(SeekFrom::Start(0)).map_err(|e| damaged(&e))?;
    let read_bytes = Cell::new(0);
    let counted = Counted { inner: file.take(length), bytes: &read_bytes };
    let mut packed = Hashing::new(BufReader::with_capacity(READ_BYTES, counted));
    let (mut head, mut manifest) = (None, None);
    let mut seen: BTreeMap<String, Entry> = BTreeMap::new();
    {
        let mut decoder = zstd::Decoder::with_buffer(BufReader::new(&mut packed)).map_err(|e| damaged(&e))?.single_frame();
        decoder.window_log_max(WINDOW_LOG_MAX).map_err(|e| damaged(&e))?;
        let mut archive = tar::Archive::new(&mut decoder);
        for entry in archive.entries().map_err(|e| damaged(&e))? {
            let mut entry = entry.map_err(|e| damaged(&e))?;
            let path = checked_path(&entry)?;
            let size = entry.size();
            if manifest.is_some() {
                return Err(unusable("The backup is damaged: something follows its manifest."));
            }
            if (path == HEAD) != (head.is_none()) {
                return Err(unusable("This is not a backup of a node: it does not begin with backup.json."));
            }
            if path == HEAD {
                let text = small(&mut entry, HEAD_MAX_BYTES)?;
                let found: Head = serde_json::from_slice(&text).map_err(|e| damaged(&e))?;
                if found.format != FORMAT {
                    return Err(unusable("This is not a backup of a node."));
                }
                if found.version > VERSION {
                    return Err(unusable(format!(
                        "The backup was made by a newer fondaco ({}); restore it with that version.",
                        found.program
                    )));
                }
                seen.insert(path.clone(), of_bytes(&path, &text));
                head = Some(found);
            } else if path == MANIFEST {
                let text = small(&mut entry, MANIFEST_MAX_BYTES)?;
                manifest = Some(serde_json::from_slice::<Manifest>(&text).map_err(|e| damaged(&e))?);
            } else {
                if path.starts_with(NODE) && size > NODE_FILE_MAX_BYTES {
                    return Err(unusable(format!("The backup is damaged: {path} is too large.")));
                }
                let mut source = Hashing::new(&mut entry);
                let mut out = sink.entry(&path)?;
                while io::copy(&mut (&mut source).take(TOLD_EVERY_BYTES), &mut out).map_err(|e| damaged(&e))? > 0 {
                    sink.read_bytes(read_bytes.get(), length);
                }
                out.flush().map_err(|e| damaged(&e))?;
                let found = Entry { path: path.clone(), size_bytes: source.bytes, sha256: hex::encode(source.digest()) };
                if found.size_bytes != size || seen.insert(path.clone(), found).is_some() {
                    return Err(unusable(format!("The backup is damaged: {path} is cut short, or there twice.")));
                }
            }
        }
        // To the end of the frame, its checksum included.
        io::copy(&mut decoder, &mut io::sink()).map_err(|e| damaged(&e))?;
    }
    io::copy(&mut packed, &mut io::sink()).map_err(|e| damaged(&e))?;
    if packed.bytes != length || packed.digest() != seal {
        return Err(unusable("The backup is damaged: its checksum does not match."));
    }
    let (Some(head), Some(manifest)) = (head, manifest) else {
        return Err(unusable("The backup is damaged: it is not whole."));
    };
    let listed: BTreeMap<String, Entry> = manifest.entries.iter().map(|e| (e.path.clone(), e.clone())).collect();
    if listed != seen || listed.len() != manifest.entries.len() {
        return Err(unusable("The backup is damaged: it does not hold what its manifest lists."));
    }
    sink.read_bytes(length, length);
    Ok((head, manifest))
}

/// The hash at the end of the file.
fn seal(mut file: &File) -> Result<[u8; 32]> {
    let none = || unusable("This is not a whole backup: its end is missing. Was it cut short when it was copied?");
    let back = i64::try_from(SEAL_BYTES).map_err(Error::internal_failure)?;
    file.seek(SeekFrom::End(-back)).map_err(|_| none())?;
    let mut end = [0_u8; SEAL_BYTES];
    file.read_exact(&mut end).map_err(|_| none())?;
    let (head, hash) = end.split_at(SEAL_HEAD.len());
    if head == SEAL_HEAD { hash.try_into().map_err(Error::internal_failure) } else { Err(none()) }
}

/// A path that names a file below one of the known folders, and an entry that is a plain file.
fn checked_path<R: Read>(entry: &tar::Entry<'_, R>) -> Result<String> {
    let strange = || unusable("The backup is damaged: it holds something that no backup holds.");
    if entry.header().entry_type() != tar::EntryType::Regular {
        return Err(strange());
    }
    let bytes = entry.path_bytes();
    let path = std::str::from_utf8(&bytes).map_err(|_| strange())?;
    let plain = path.len() <= PATH_MAX_BYTES
        && !path.contains('\0')
        && Path::new(path).components().all(|c| matches!(c, Component::Normal(_)))
        && path.split('/').all(|part| !part.is_empty() && part != ".");
    let known = path == HEAD || path == MANIFEST || [NODE, DATABASE, DATA].iter().any(|folder| path.starts_with(folder));
    if plain && known { Ok(path.to_owned()) } else { Err(strange()) }
}

fn small(from: &mut dyn Read, max: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(max + 1).read_to_end(&mut bytes).map_err(|e| unusable(format!("The backup is damaged: {e}.")))?;
    if bytes.len() as u64 > max { Err(unusable("The backup is damaged: its description is too large.")) } else { Ok(bytes) }
}

fn of_bytes(path: &str, bytes: &[u8]) -> Entry {
    Entry { path: path.to_owned(), size_bytes: bytes.len() as u64, sha256: hex::encode(Sha256::digest(bytes)) }
}
