//! The description that comes with the data, where the provider has one: `croissant.json` beside the files.

use super::super::failure::{Failure, Result};
use crate::net::{OutRequest, Outbound};
use fondaco_core::Code;
use serde_json::Value;
use std::{
    fs,
    io::{self, Write},
    path::Path,
};
use url::Url;

/// What it is called beside the files.
pub(super) const NAME: &str = "croissant.json";
/// Longest description that may be ours to renew; beyond it the file is somebody's own.
const KEPT_BYTES_MAX: u64 = 64 << 20;

/// Asks the provider for it. A provider without one (another product than ours) is no failure. One that an earlier run
/// wrote is renewed when it changed; any other file of that name stays.
pub(super) async fn write(http: &Outbound, endpoint: &str, token: &str, folder: &Path) -> Result<()> {
    let url = Url::parse(&format!("{}/{NAME}", endpoint.trim_end_matches('/')))
        .map_err(|e| Failure::new(Code::PeerAnsweredBadly, format!("The provider's address cannot be used: {e}.")))?;
    let answer = http.send(OutRequest::get(url).with_authorization(&format!("Bearer {token}"))?).await;
    let Ok(answer) = answer else { return Ok(()) };
    if !answer.status.is_success() {
        return Ok(());
    }
    put(folder, &answer.body).map_err(|e| Failure::file("Cannot write", &folder.join(NAME), &e))
}

/// Puts a description beside the data, at once and whole.
fn put(folder: &Path, text: &[u8]) -> io::Result<()> {
    let Ok(new) = serde_json::from_slice::<Value>(text) else { return Ok(()) };
    let path = folder.join(NAME);
    if let Ok(meta) = fs::symlink_metadata(&path) {
        if !meta.is_file() || meta.len() > KEPT_BYTES_MAX {
            return Ok(());
        }
        let old = fs::read(&path)?;
        let ours = serde_json::from_slice::<Value>(&old).is_ok_and(|old| product(&old).is_some() && product(&old) == product(&new));
        if old == text || !ours {
            return Ok(());
        }
    }
    // Made like any file, so that whoever may read the data may read its description.
    let part = folder.join(format!(".{NAME}.{}.new", std::process::id()));
    let written = fs::File::create_new(&part).and_then(|mut file| {
        file.write_all(text)?;
        file.sync_all()
    });
    let outcome = written.and_then(|()| fs::rename(&part, &path));
    if outcome.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&part);
    }
    outcome
}

/// The address of the product that a document describes, without its version.
fn product(document: &Value) -> Option<&str> {
    let croissant = document["conformsTo"].as_str().is_some_and(|c| c.contains("mlcommons.org/croissant"));
    let url = document["url"].as_str().filter(|_| croissant)?;
    match url.rsplit_once(':') {
        Some((product, version)) if !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit()) => Some(product),
        _ => Some(url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn described(url: &str, licence: &str) -> Vec<u8> {
        json!({"conformsTo": "http://mlcommons.org/croissant/1.1", "url": url, "license": licence}).to_string().into_bytes()
    }

    #[test]
    fn what_we_wrote_is_renewed_and_what_others_wrote_stays() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join(NAME);
        let put = |text: &[u8]| {
            put(dir.path(), text).expect("written");
            fs::read(&path).ok()
        };
        assert_eq!(put(b"<html>"), None, "no description");
        let (first, second) = (described("https://h/p/a/products/x", "CC0-1.0"), described("https://h/p/a/products/x:2", "CC-BY-4.0"));
        assert_eq!(put(&first).as_ref(), Some(&first));
        assert_eq!(put(&second).as_ref(), Some(&second), "another version of the product");
        assert_eq!(put(b"[1").as_ref(), Some(&second));
        assert_eq!(put(&described("https://h/p/a/products/y", "CC0-1.0")).as_ref(), Some(&second), "another product");
        for own in [&b"mine"[..], b"{\"url\": \"https://h/p/a/products/x\"}", b"{}"] {
            fs::write(&path, own).expect("own");
            assert_eq!(put(&first).as_deref(), Some(own));
        }
        assert_eq!(fs::read_dir(dir.path()).expect("folder").count(), 1, "nothing is left beside it");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_not_followed() {
        let dir = tempfile::tempdir().expect("dir");
        let elsewhere = dir.path().join("elsewhere");
        fs::write(&elsewhere, described("https://h/p/a/products/x", "CC0-1.0")).expect("file");
        std::os::unix::fs::symlink(&elsewhere, dir.path().join(NAME)).expect("link");
        put(dir.path(), &described("https://h/p/a/products/x", "CC-BY-4.0")).expect("stays");
        assert_eq!(fs::read(&elsewhere).expect("file"), described("https://h/p/a/products/x", "CC0-1.0"));
    }
}
