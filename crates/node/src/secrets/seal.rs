//! The node's master key, secrets sealed with it, and keys derived from it.
//!
//! Signing keys and peers' credentials lie in the database only sealed, so a copy of the database alone is worth
//! nothing. The master key is one file, `DIR/node.key`; whoever backs up the database must back it up too, elsewhere.
//!
//! Sealed form: version (1 byte, `1`), nonce (12 bytes), ciphertext and tag (AES-256-GCM, NIST SP 800-38D). The context
//! ("what is this secret, whose is it") is authenticated, so a sealed value cannot be moved to another row. Keys come
//! from the master key by HKDF-SHA256 (RFC 5869), one per label, and never serve two purposes.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use fondaco_core::{
    entropy::Entropy,
    error::{Code, Error, Result},
};
use std::{
    fs,
    io::{self, Read, Write},
    path::Path,
};
use zeroize::Zeroizing;

/// The master key's file below the node's directory.
pub const KEY_FILE: &str = "node.key";
/// Bytes of the master key and of every derived key: 256 bits.
pub const KEY_BYTES: usize = 32;
/// Largest key file read: the key in base64 is 44 characters, with room for a line break.
const KEY_FILE_MAX_BYTES: u64 = 128;
/// Largest secret sealed: keys and tokens, never data.
pub const PLAINTEXT_MAX_BYTES: usize = 64 * 1024;
/// The first byte of everything sealed.
const VERSION: u8 = 1;
/// The label of the key that seals.
const SEAL_LABEL: &str = "fondaco seal v1";

/// A key derived for one purpose, wiped when dropped.
pub type DerivedKey = Zeroizing<[u8; KEY_BYTES]>;

/// Seals and opens secrets, and derives keys, from the node's master key.
pub struct Sealer {
    master: Zeroizing<[u8; KEY_BYTES]>,
    aead: LessSafeKey,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(..)")
    }
}

impl Sealer {
    /// Reads the master key of the node in `dir`, or creates it there.
    ///
    /// The key is written to a temporary file, synced, and then linked to its name, which fails if the name exists: a
    /// crash leaves the whole key or none, and two processes starting at once agree on one.
    ///
    /// # Errors
    /// [`Code::ConfigInvalid`] when the file is not a key or others may read it; an internal failure when it cannot be
    /// read or written.
    pub fn load_or_create(dir: &Path, entropy: &dyn Entropy) -> Result<Self> {
        let path = dir.join(KEY_FILE);
        match Self::load(dir) {
            Ok(Some(sealer)) => return Ok(sealer),
            Ok(None) => {}
            Err(e) => return Err(e),
        }
        let mut master = Zeroizing::new([0u8; KEY_BYTES]);
        entropy.fill(master.as_mut());
        let temporary = dir.join(format!("{KEY_FILE}.{}.tmp", super::entropy::random_text::<12>(entropy)));
        let linked = write_private(&temporary, &master).and_then(|()| fs::hard_link(&temporary, &path));
        let removed = fs::remove_file(&temporary);
        match linked {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(failure("create", &e)),
        }
        removed.map_err(|e| failure("create", &e))?;
        sync_dir(dir).map_err(|e| failure("create", &e))?;
        Self::load(dir)?.ok_or_else(|| Error::internal_failure("node.key vanished while it was created"))
    }

    /// Reads the master key of the node in `dir`; `None` when there is none.
    ///
    /// # Errors
    /// As [`Sealer::load_or_create`].
    pub fn load(dir: &Path) -> Result<Option<Self>> {
        let path = dir.join(KEY_FILE);
        let file = match fs::File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(failure("read", &e)),
        };
        check_mode(&file)?;
        let mut text = Zeroizing::new(String::new());
        file.take(KEY_FILE_MAX_BYTES).read_to_string(&mut text).map_err(|e| failure("read", &e))?;
        let bytes = Zeroizing::new(STANDARD.decode(text.trim()).unwrap_or_default());
        let master: [u8; KEY_BYTES] = bytes.as_slice().try_into().map_err(|_| {
            Error::new(
                Code::ConfigInvalid,
                "The file node.key is damaged: it must hold 32 bytes in base64. Restore it from a backup; without it the sealed keys in the database are lost.",
            )
        })?;
        Ok(Some(Self::from_master(Zeroizing::new(master))))
    }

    /// A sealer of the given master key.
    pub fn from_master(master: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        let key = derive(&master, SEAL_LABEL);
        let unbound = UnboundKey::new(&AES_256_GCM, key.as_ref()).expect("an AES-256 key has 32 bytes");
        Self { master, aead: LessSafeKey::new(unbound) }
    }

    /// The key for one purpose. Labels are constants of the code; each names exactly one use.
    pub fn derive(&self, label: &str) -> DerivedKey {
        derive(&self.master, label)
    }

    /// Encrypts a secret for one context.
    ///
    /// Nonces are random: with 96 bits, a node may seal 2^32 secrets before a repetition gets likelier than 2^-32.
    ///
    /// # Errors
    /// [`Code::TooLarge`] above [`PLAINTEXT_MAX_BYTES`].
    pub fn seal(&self, context: &str, plaintext: &[u8], entropy: &dyn Entropy) -> Result<Vec<u8>> {
        let mut nonce = [0u8; NONCE_LEN];
        entropy.fill(&mut nonce);
        self.seal_with_nonce(context, plaintext, nonce)
    }

    fn seal_with_nonce(&self, context: &str, plaintext: &[u8], nonce: [u8; NONCE_LEN]) -> Result<Vec<u8>> {
        if plaintext.len() > PLAINTEXT_MAX_BYTES {
            return Err(Error::new(Code::TooLarge, "A secret of this size is not sealed."));
        }
        let mut sealed = Vec::with_capacity(1 + NONCE_LEN + plaintext.len() + AES_256_GCM.tag_len());
        sealed.push(VERSION);
        sealed.extend_from_slice(&nonce);
        // Room for the tag is reserved, so the buffer holding the plaintext is encrypted where it is, never moved.
        sealed.extend_from_slice(plaintext);
        let start = 1 + NONCE_LEN;
        let tag = self
            .aead
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context.as_bytes()), &mut sealed[start..])
            .map_err(|_| Error::internal_failure("sealing failed"))?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Decrypts what [`Sealer::seal`] made for the same context.
    ///
    /// # Errors
    /// An internal failure when it was made by another key, for another context, or was changed: all three mean that
    /// key file and database do not belong together, which is the operator's to mend.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let wrong =
            || Error::internal_failure(format!("a sealed secret cannot be opened: {context}; does node.key belong to this database?"));
        let (version, rest) = sealed.split_first().ok_or_else(wrong)?;
        if *version != VERSION
            || rest.len() < NONCE_LEN + AES_256_GCM.tag_len()
            || rest.len() > NONCE_LEN + PLAINTEXT_MAX_BYTES + AES_256_GCM.tag_len()
        {
            return Err(wrong());
        }
        let (nonce, ciphertext) = rest.split_at(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| wrong())?;
        let mut buffer = Zeroizing::new(ciphertext.to_vec());
        let length = self.aead.open_in_place(nonce, Aad::from(context.as_bytes()), &mut buffer).map_err(|_| wrong())?.len();
        buffer.truncate(length);
        Ok(buffer)
    }
}

fn derive(master: &[u8; KEY_BYTES], label: &str) -> DerivedKey {
    let mut key = Zeroizing::new([0u8; KEY_BYTES]);
    hkdf::Salt::new(hkdf::HKDF_SHA256, &[])
        .extract(master)
        .expand(&[label.as_bytes()], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(key.as_mut()))
        .expect("32 bytes is a valid HKDF-SHA256 output length");
    key
}

fn write_private(path: &Path, master: &[u8; KEY_BYTES]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let text = Zeroizing::new(format!("{}\n", STANDARD.encode(master)));
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Makes the new name itself durable. Only Unix can sync a directory; elsewhere the file system does it alone.
fn sync_dir(dir: &Path) -> io::Result<()> {
    if cfg!(unix) { fs::File::open(dir)?.sync_all() } else { Ok(()) }
}

#[cfg(unix)]
fn check_mode(file: &fs::File) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = file.metadata().map_err(|e| failure("read", &e))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(Error::new(
            Code::ConfigInvalid,
            format!("The file node.key may be read by others (mode {:04o}). Run: chmod 600 node.key", mode & 0o7777),
        ));
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_mode(_: &fs::File) -> Result<()> {
    Ok(())
}

fn failure(verb: &str, cause: &io::Error) -> Error {
    Error::new(Code::ConfigInvalid, format!("Cannot {verb} the file node.key in the node's directory: {cause}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::OsEntropy;

    fn fixed() -> Sealer {
        Sealer::from_master(Zeroizing::new(std::array::from_fn(|i| u8::try_from(i).expect("small"))))
    }

    #[test]
    fn sealed_form_is_fixed() {
        let sealed = fixed().seal_with_nonce("key acme", b"secret", [7; NONCE_LEN]).expect("seal");
        // Made once by an independent implementation (Python's `cryptography`): HKDF-SHA256 and AES-256-GCM.
        assert_eq!(hex::encode(&sealed), "01070707070707070707070707bd537d952e7ca99f561a7cfe2da921be998d88405c5d");
        assert_eq!(hex::encode(fixed().derive("url signing").as_ref()), "30549b9dbec84a2be8074826bacdfa514a37e55b983cc15d2e51be9752ec5fe7");
        assert_eq!(fixed().open("key acme", &sealed).expect("open").as_slice(), b"secret");
    }

    #[test]
    fn nothing_else_opens() {
        let node = fixed();
        let sealed = node.seal("a", b"secret", &OsEntropy).expect("seal");
        assert_eq!(node.open("a", &sealed).expect("open").as_slice(), b"secret");
        assert!(node.open("b", &sealed).is_err(), "another context");
        assert!(Sealer::from_master(Zeroizing::new([9; KEY_BYTES])).open("a", &sealed).is_err(), "another key");
        for i in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[i] ^= 1;
            assert!(node.open("a", &changed).is_err(), "byte {i} changed");
            assert!(node.open("a", &sealed[..i]).is_err(), "cut at {i}");
        }
        let again = node.seal("a", b"secret", &OsEntropy).expect("seal");
        assert_ne!(again, sealed, "each sealing has its own nonce");
        assert_eq!(node.seal("a", &vec![0; PLAINTEXT_MAX_BYTES + 1], &OsEntropy).expect_err("too large").code(), Code::TooLarge);
        assert!(node.open("a", &node.seal("a", b"", &OsEntropy).expect("seal")).expect("open").is_empty());
    }

    #[test]
    fn derived_keys_differ_by_label_and_master() {
        let sealer = fixed();
        assert_ne!(sealer.derive("a"), sealer.derive("b"));
        assert_eq!(sealer.derive("a"), sealer.derive("a"));
        assert_ne!(sealer.derive("a"), Sealer::from_master(Zeroizing::new([9; KEY_BYTES])).derive("a"));
    }

    #[test]
    fn key_file_is_private_and_stays() {
        let dir = tempfile::tempdir().expect("dir");
        assert!(Sealer::load(dir.path()).expect("load").is_none());
        let first = Sealer::load_or_create(dir.path(), &OsEntropy).expect("create");
        let again = Sealer::load_or_create(dir.path(), &OsEntropy).expect("load");
        assert_eq!(first.derive("x"), again.derive("x"));
        let names: Vec<_> = fs::read_dir(dir.path()).expect("list").map(|e| e.expect("entry").file_name()).collect();
        assert_eq!(names, [KEY_FILE], "no temporary file is left");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let path = dir.path().join(KEY_FILE);
            assert_eq!(fs::metadata(&path).expect("meta").permissions().mode() & 0o7777, 0o600);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("chmod");
            let refusal = Sealer::load_or_create(dir.path(), &OsEntropy).expect_err("readable by others");
            assert_eq!(refusal.code(), Code::ConfigInvalid);
        }
    }

    #[test]
    fn two_starts_at_once_agree() {
        let dir = tempfile::tempdir().expect("dir");
        let keys: Vec<DerivedKey> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| Sealer::load_or_create(dir.path(), &OsEntropy).expect("key").derive("x"))).collect();
            threads.into_iter().map(|t| t.join().expect("thread")).collect()
        });
        assert!(keys.iter().all(|k| k == &keys[0]));
    }

    #[test]
    fn damaged_key_file_is_not_replaced() {
        for content in ["", "short", "!!!!", &"A".repeat(400)] {
            let dir = tempfile::tempdir().expect("dir");
            let path = dir.path().join(KEY_FILE);
            fs::write(&path, content).expect("write");
            #[cfg(unix)]
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("chmod");
            assert_eq!(Sealer::load_or_create(dir.path(), &OsEntropy).expect_err("damaged").code(), Code::ConfigInvalid);
            assert_eq!(fs::read_to_string(&path).expect("read"), content);
        }
    }
}
