//! Signed addresses of files. The clients of the protocol send no token to them: the address itself is
//! the credential, so that it names one transfer, one file and an end, under an HMAC.
//!
//! The query holds `sp=r` because delta-kernel takes an address without a sign of being pre-signed for
//! a local path (`sp` is the permission field of Azure's signatures, `r` is read).

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use url::form_urlencoded;

/// Separates these signatures from any other use of the key.
const CONTEXT: &str = "fondaco-file-url-v1";
/// Longest query string looked at.
const MAX_QUERY_BYTES: usize = 2048;

/// What an address grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileUrl {
    /// The transfer the bytes are delivered under.
    pub transfer: String,
    /// The file's name or id.
    pub file: String,
    /// The query that gave the address: the same file fetched in pieces counts once per query.
    pub query_id: String,
    /// When it ends, milliseconds since 1970.
    pub expires_at_ms: i64,
}

/// A verified address.
pub type FileGrant = FileUrl;

/// Why an address is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// A part is missing or malformed, or the signature is not ours.
    #[error("the address is not one this node has issued")]
    Forged,
    /// It was ours and has ended.
    #[error("the address has expired; query the table again")]
    Expired,
}

impl FileUrl {
    /// Signs; gives the query string without `?`.
    pub fn sign(&self, key: &[u8]) -> String {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), &self.signed_bytes());
        form_urlencoded::Serializer::new(String::new())
            .append_pair("sp", "r")
            .append_pair("q", &self.query_id)
            .append_pair("exp", &self.expires_at_ms.to_string())
            .append_pair("sig", &URL_SAFE_NO_PAD.encode(tag))
            .finish()
    }

    /// Every part with its length, so that no two addresses have the same bytes.
    fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in [CONTEXT, &self.transfer, &self.file, &self.query_id, &self.expires_at_ms.to_string()] {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes
    }
}

/// The address of a file: `base` is everything before the query.
pub fn sign_file_url(base: &str, grant: &FileUrl, key: &[u8]) -> String {
    format!("{base}?{}", grant.sign(key))
}

/// Checks the query of an address against what its path names. `now_ms` is since 1970.
pub fn verify_file_url(transfer: &str, file: &str, query: &str, key: &[u8], now_ms: i64) -> Result<FileGrant, UrlError> {
    if query.len() > MAX_QUERY_BYTES {
        return Err(UrlError::Forged);
    }
    let (mut query_id, mut expires, mut signature, mut permission) = (None, None, None, None);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let slot = match name.as_ref() {
            "q" => &mut query_id,
            "exp" => &mut expires,
            "sig" => &mut signature,
            "sp" => &mut permission,
            // Clients and proxies may add their own.
            _ => continue,
        };
        if slot.replace(value.into_owned()).is_some() {
            return Err(UrlError::Forged);
        }
    }
    let (Some(query_id), Some(expires), Some(signature), Some("r")) = (query_id, expires, signature, permission.as_deref()) else {
        return Err(UrlError::Forged);
    };
    let expires_at_ms: i64 = expires.parse().map_err(|_| UrlError::Forged)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| UrlError::Forged)?;
    let grant = FileUrl { transfer: transfer.into(), file: file.into(), query_id, expires_at_ms };
    // Constant time. Before the expiry, so that a stranger learns nothing from the difference.
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), &grant.signed_bytes(), &signature).map_err(|_| UrlError::Forged)?;
    if now_ms >= expires_at_ms { Err(UrlError::Expired) } else { Ok(grant) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";

    fn grant() -> FileUrl {
        FileUrl { transfer: "t1".into(), file: "part-00000.parquet".into(), query_id: "q&1".into(), expires_at_ms: 1_000 }
    }

    #[test]
    fn a_signed_address_is_accepted_until_it_expires() {
        let url = sign_file_url("http://h/p/a/share/files/t1/part-00000.parquet", &grant(), KEY);
        let query = url.split_once('?').unwrap().1;
        assert!(query.starts_with("sp=r&"), "{query}");
        let verify = |now| verify_file_url("t1", "part-00000.parquet", query, KEY, now);
        assert_eq!(verify(999), Ok(grant()));
        assert_eq!(verify(1_000), Err(UrlError::Expired));
    }

    #[test]
    fn every_change_of_an_address_is_refused() {
        let query = grant().sign(KEY);
        let verify = |t, f, q: &str, k| verify_file_url(t, f, q, k, 0);
        assert_eq!(verify("t2", "part-00000.parquet", &query, KEY), Err(UrlError::Forged));
        assert_eq!(verify("t1", "part-00001.parquet", &query, KEY), Err(UrlError::Forged));
        assert_eq!(verify("t1", "part-00000.parquet", &query, b"another key"), Err(UrlError::Forged));
        for changed in [
            query.replace("exp=1000", "exp=9000"),
            query.replace("exp=1000", "exp=x"),
            query.replace("q=q", "q=p"),
            query.replace("sp=r", "sp=w"),
            query.replace("sig=", "sig=A"),
            query.replace("sig=", "gis="),
            format!("{query}&exp=9000"),
            String::new(),
            "x".repeat(5_000),
        ] {
            assert_eq!(verify("t1", "part-00000.parquet", &changed, KEY), Err(UrlError::Forged), "{changed}");
        }
        // Flip each character of the signature.
        let start = query.find("sig=").unwrap() + 4;
        for i in start..query.len() - 1 {
            let mut bytes = query.clone().into_bytes();
            bytes[i] = if bytes[i] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert_eq!(verify("t1", "part-00000.parquet", &changed, KEY), Err(UrlError::Forged));
        }
    }
}
