//! Styles, scripts and icon, built into the binary.
//!
//! A file's URL holds the hash of its bytes, so the node may answer with
//! `Cache-Control: public, max-age=31536000, immutable`: other bytes are another URL.

use std::sync::OnceLock;

use sha2::{Digest, Sha256};

/// Length of the hash in a URL, in hexadecimal digits. 64 bits are far more than three files
/// need; nobody gains from a collision, since only the node's own bytes are ever served.
const HASH_DIGITS: usize = 16;

/// A file that pages refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssetFile {
    /// The styles of all pages.
    AppCss,
    /// Live updates and copy buttons.
    LiveJs,
    /// Files sent one by one, with their progress.
    UploadJs,
    /// The icon of the browser's tab.
    FaviconSvg,
}

/// The bytes of a file and what they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asset {
    /// The whole body.
    pub bytes: &'static [u8],
    /// The `Content-Type` header.
    pub content_type: &'static str,
}

impl AssetFile {
    /// All files.
    pub const ALL: [Self; 4] = [Self::AppCss, Self::LiveJs, Self::UploadJs, Self::FaviconSvg];

    /// The last part of the file's URL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AppCss => "app.css",
            Self::LiveJs => "live.js",
            Self::UploadJs => "upload.js",
            Self::FaviconSvg => "favicon.svg",
        }
    }

    /// The file itself.
    pub const fn asset(self) -> Asset {
        let (bytes, content_type): (&[u8], _) = match self {
            Self::AppCss => (include_bytes!("../assets/app.css"), "text/css; charset=utf-8"),
            Self::LiveJs => (include_bytes!("../assets/live.js"), "text/javascript; charset=utf-8"),
            Self::UploadJs => (include_bytes!("../assets/upload.js"), "text/javascript; charset=utf-8"),
            Self::FaviconSvg => (include_bytes!("../assets/favicon.svg"), "image/svg+xml"),
        };
        Asset { bytes, content_type }
    }
}

/// The URL of a file: `/assets/{hash}/{name}`.
pub fn asset_url(file: AssetFile) -> &'static str {
    static URLS: OnceLock<[String; 4]> = OnceLock::new();
    let urls = URLS.get_or_init(|| {
        AssetFile::ALL.map(|file| {
            let mut hash = hex::encode(Sha256::digest(file.asset().bytes));
            hash.truncate(HASH_DIGITS);
            format!("/assets/{hash}/{}", file.name())
        })
    });
    let [app_css, live_js, upload_js, favicon_svg] = urls;
    match file {
        AssetFile::AppCss => app_css,
        AssetFile::LiveJs => live_js,
        AssetFile::UploadJs => upload_js,
        AssetFile::FaviconSvg => favicon_svg,
    }
}

/// The file at `path`, which is a URL's path from `/assets/` on (`{hash}/{name}`), or the
/// whole path. `None` when the name or the hash is another one.
pub fn asset(path: &str) -> Option<Asset> {
    let path = path.strip_prefix("/assets/").unwrap_or(path);
    AssetFile::ALL.into_iter().find(|file| asset_url(*file).strip_prefix("/assets/") == Some(path)).map(AssetFile::asset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_found_at_its_url_and_nowhere_else() {
        for file in AssetFile::ALL {
            let url = asset_url(file);
            let found = asset(url).expect("a file's own URL");
            assert!(!found.bytes.is_empty());
            assert_eq!(found, file.asset());
            assert_eq!(asset(&url["/assets/".len()..]), Some(found));
            assert_eq!(asset(&format!("0000000000000000/{}", file.name())), None);
        }
        assert_eq!(asset("app.css"), None);
        assert_eq!(asset("../Cargo.toml"), None);
        assert_eq!(asset(""), None);
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        for file in AssetFile::ALL {
            let text = std::str::from_utf8(file.asset().bytes).expect("text");
            // The namespace of SVG is a name, not an address.
            let text = text.replace("http://www.w3.org/2000/svg", "");
            for address in ["http:", "https:", "url(", "@import", "data:"] {
                assert!(!text.contains(address), "{} has {address}", file.name());
            }
        }
    }

    #[test]
    fn the_scripts_stay_small() {
        for file in [AssetFile::LiveJs, AssetFile::UploadJs] {
            let script = std::str::from_utf8(file.asset().bytes).expect("text");
            assert!(script.lines().count() < 130, "{}", file.name());
            for risky in ["eval(", "innerHTML", "document.write", "style."] {
                assert!(!script.contains(risky), "{risky}");
            }
        }
    }
}
