//! What stands at the address of a delivery by HTTP: the list of a product's files, as nodes like this one give it, or
//! the data itself, as other connectors do (Eclipse EDC's `HttpData-PULL`).
//!
//! The data comes without a size or a hash that could be checked, so it takes its name only once it has ended as its
//! sender said, and nothing is continued.

use super::{
    super::{
        disk::free_bytes,
        failure::{Failure, Result},
    },
    file_name::safe_word,
    files::Endpoint,
    listing::refused,
};
use crate::{
    files::wire::{Listing, PAGE_MAX_BYTES},
    net::{OutRequest, OutStream, Outbound},
};
use fondaco_core::Code;
use http::{HeaderValue, StatusCode, header};
use indicatif::ProgressBar;
use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};
use url::Url;

/// How long the answer may take to begin: a connector may first have to ask its own source.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_mins(2);
/// Most of a refusal's body that is read.
const REFUSAL_BYTES_MAX: usize = 64 * 1024;
/// The name of data that is fetched into a folder from an address without a usable last part.
const UNNAMED: &str = "data";

/// What is there.
pub(super) enum Opened {
    /// A list of files.
    List(Box<Listing>),
    /// The data.
    Data(Box<Data>),
}

/// Data under way.
pub(super) struct Data {
    /// What was read to see what it is.
    begun: Vec<u8>,
    rest: OutStream,
    name: String,
}

/// Asks, and looks at what comes. No more than `out`'s disk has room for is taken.
pub(super) async fn open(http: &Outbound, endpoint: &Endpoint, out: &Path) -> Result<Opened> {
    let url = Url::parse(&endpoint.url)
        .map_err(|_| Failure::new(Code::PeerAnsweredBadly, "The provider opened access at an address that is none."))?;
    let name = url.path_segments().and_then(|mut s| s.next_back()).map(safe_word).filter(|n| !n.is_empty());
    let name = name.unwrap_or_else(|| UNNAMED.to_owned());
    let room = free_bytes(existing(out)).unwrap_or(u64::MAX);
    let request = OutRequest::get(url)
        .with_header(header::ACCEPT, HeaderValue::from_static("application/json, */*;q=0.5"))
        .with_limit(room.max(PAGE_MAX_BYTES))
        .with_timeout(FIRST_BYTE_TIMEOUT)
        .with_authorization(&format!("Bearer {}", endpoint.token))?;
    let mut rest = http.open(request).await?;
    let mut begun = Vec::new();
    if rest.status != StatusCode::OK {
        while begun.len() < REFUSAL_BYTES_MAX
            && let Some(piece) = rest.chunk().await?
        {
            begun.extend_from_slice(&piece);
        }
        return Err(refused(rest.status, &begun));
    }
    let media_type = rest.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if media_type.split(';').next().is_some_and(|t| t.trim().eq_ignore_ascii_case("application/json")) {
        // A list has a largest size; a longer document is data.
        while (begun.len() as u64) <= PAGE_MAX_BYTES {
            let Some(piece) = rest.chunk().await? else {
                return Ok(match serde_json::from_slice(&begun) {
                    Ok(list) => Opened::List(Box::new(list)),
                    Err(_) => Opened::Data(Box::new(Data { begun, rest, name })),
                });
            };
            begun.extend_from_slice(&piece);
        }
    }
    Ok(Opened::Data(Box::new(Data { begun, rest, name })))
}

/// The nearest folder above `out` that is there.
fn existing(out: &Path) -> &Path {
    out.ancestors().find(|p| p.is_dir()).filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

impl Data {
    /// Writes it to `out`, or into `out` when that is a folder; where it went and its size.
    pub(super) async fn save(mut self, out: &Path, overwrite: bool, bar: &ProgressBar) -> Result<(PathBuf, u64)> {
        let path = if out.is_dir() { out.join(&self.name) } else { out.to_owned() };
        if fs::symlink_metadata(&path).is_ok() && !overwrite {
            return Err(Failure::new(Code::Conflict, format!("{} is there already; replace it with --overwrite.", path.display())));
        }
        let unwritable = |e: io::Error| Failure::new(Code::Invalid, format!("{} cannot be written: {e}", path.display()));
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(unwritable)?;
        // Gone again if anything goes wrong.
        let mut part = tempfile::Builder::new().prefix(".fondaco-fetch-").tempfile_in(folder).map_err(unwritable)?;
        let announced = self.rest.length;
        let mut size = 0;
        let mut piece = bytes::Bytes::from(std::mem::take(&mut self.begun));
        loop {
            size += piece.len() as u64;
            part.write_all(&piece).map_err(unwritable)?;
            bar.set_position(size);
            match self.rest.chunk().await? {
                Some(next) => piece = next,
                None => break,
            }
        }
        if let Some(length) = announced.filter(|length| *length != size) {
            return Err(Failure::new(Code::PeerAnsweredBadly, format!("The provider announced {length} bytes and sent {size}.")));
        }
        part.as_file().sync_all().map_err(unwritable)?;
        part.persist(&path).map_err(|e| unwritable(e.error))?;
        Ok((path, size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::NetworkRule;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    /// Answers every request with these bytes; gives the last request's head to nobody but its own assertion.
    async fn served(answer: String) -> Endpoint {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("address");
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut head = [0u8; 4096];
                let read = socket.read(&mut head).await.unwrap_or(0);
                let head = String::from_utf8_lossy(&head[..read]).to_lowercase();
                assert!(head.contains("authorization: bearer key-1"), "{head}");
                // Nothing to do about a client that is gone.
                let _ = socket.write_all(answer.as_bytes()).await;
            }
        });
        Endpoint { url: format!("http://{address}/public/rows.csv"), token: "key-1".into() }
    }

    fn http() -> Outbound {
        Outbound::system(NetworkRule { allow_private: false, allow_loopback: true, allow_http: false }).expect("client")
    }

    fn answer(kind: &str, length: usize, body: &str) -> String {
        format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
    }

    async fn opened(answer: String, out: &Path) -> Result<Opened> {
        open(&http(), &served(answer).await, out).await
    }

    #[tokio::test]
    async fn data_of_any_kind_is_saved_as_it_comes() {
        for (kind, body) in
            [("text/csv", "a,b\n1,2\n"), ("application/json", "{\"rows\":[1,2]}"), ("application/json", "not json"), ("x/y", "")]
        {
            let folder = tempfile::tempdir().expect("folder");
            let Ok(Opened::Data(data)) = opened(answer(kind, body.len(), body), folder.path()).await else { panic!("{kind} {body}") };
            let (path, size) = data.save(folder.path(), false, &ProgressBar::hidden()).await.expect("saved");
            assert_eq!((path.as_path(), size), (folder.path().join("rows.csv").as_path(), body.len() as u64));
            assert_eq!(fs::read_to_string(&path).expect("file"), body);
        }
    }

    #[tokio::test]
    async fn a_list_is_a_list() {
        let list = r#"{"product":"rolls","fileCount":0,"sizeBytes":0,"files":[],"self":"http://127.0.0.1/x"}"#;
        let found = opened(answer("application/json; charset=utf-8", list.len(), list), Path::new(".")).await;
        assert!(matches!(found, Ok(Opened::List(l)) if l.product == "rolls"));
    }

    #[tokio::test]
    async fn what_breaks_off_or_is_there_already_leaves_the_folder_as_it_was() {
        let folder = tempfile::tempdir().expect("folder");
        let out = folder.path().join("rows.csv");
        let Ok(Opened::Data(cut)) = opened(answer("text/csv", 100, "a,b\n"), folder.path()).await else { panic!("data") };
        assert!(cut.save(&out, false, &ProgressBar::hidden()).await.is_err());
        assert_eq!(fs::read_dir(folder.path()).expect("folder").count(), 0);
        fs::write(&out, "mine").expect("write");
        for (overwrite, expected) in [(false, "mine"), (true, "a,b\n")] {
            let Ok(Opened::Data(data)) = opened(answer("text/csv", 4, "a,b\n"), folder.path()).await else { panic!("data") };
            assert_eq!(data.save(&out, overwrite, &ProgressBar::hidden()).await.is_ok(), overwrite);
            assert_eq!(fs::read_to_string(&out).expect("file"), expected);
        }
    }

    #[tokio::test]
    async fn a_refusal_is_told() {
        let gone = "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned();
        let Err(e) = opened(gone, Path::new(".")).await else { panic!("refused") };
        assert_eq!(e.problem.code, Code::AccessEnded.as_str());
    }
}
