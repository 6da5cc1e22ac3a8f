//! A form that brings files along (`multipart/form-data`, RFC 7578), read as it arrives: a file of any size goes through
//! without being held. Its first field is the session's token, which the guard looks at before anybody reads on.

use axum::{
    body::Body,
    http::{HeaderMap, header},
};
use bytes::Bytes;
use fondaco_core::{Code, Error, Result, publication::PATHS_MAX};
use futures::{Stream, TryStreamExt as _};
use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Most parts: the files of a product, and the fields around them.
const PARTS_MAX: usize = PATHS_MAX + 100;
/// Most bytes of all fields that are not files: a query or a list of paths, in UTF-8.
const FIELDS_MAX_BYTES: usize = 1024 * 1024;
/// Most bytes read between one piece of a part and the next: the library keeps the head of a part until it is whole, and
/// one that never ends must not fill the memory. Far above any head of ours, and above the largest piece of a connection.
const HEAD_MAX_BYTES: usize = 1024 * 1024;
/// Longest token.
const TOKEN_MAX_BYTES: usize = 256;

/// The form, after its token.
#[derive(Clone)]
pub struct FileForm(Arc<Mutex<Option<Parts>>>);

/// Its parts.
pub struct Parts {
    form: multer::Multipart<'static>,
    read: usize,
    /// Bytes of fields so far.
    text: Arc<AtomicUsize>,
    unclaimed: Unclaimed,
}

/// A field or a file.
pub struct Part {
    field: multer::Field<'static>,
    text: Arc<AtomicUsize>,
    unclaimed: Unclaimed,
}

/// Bytes that arrived since something came of them.
#[derive(Clone, Default)]
struct Unclaimed(Arc<AtomicUsize>);

impl Unclaimed {
    /// Something came of what arrived.
    fn claim(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    fn arrived(&self, piece: &Bytes) -> io::Result<()> {
        if self.0.fetch_add(piece.len(), Ordering::Relaxed) > HEAD_MAX_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the head of a part does not end"));
        }
        Ok(())
    }
}

/// The boundary between the parts, if a body has parts.
pub fn boundary(headers: &HeaderMap) -> Option<String> {
    let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    multer::parse_boundary(kind).ok()
}

fn broken(e: multer::Error) -> Error {
    Error::invalid("The form did not arrive whole. Send it again.").with_internal(e)
}

impl FileForm {
    /// Reads the token; the rest is read by [`FileForm::open`].
    ///
    /// # Errors
    /// [`Code::Forbidden`] for a form that begins with something else.
    pub async fn begin(body: Body, boundary: String) -> Result<(String, Self)> {
        let unclaimed = Unclaimed::default();
        let watch = unclaimed.clone();
        let body = body.into_data_stream().map_err(io::Error::other).and_then(move |piece| {
            let seen = watch.arrived(&piece);
            std::future::ready(seen.map(|()| piece))
        });
        let mut parts = Parts { form: multer::Multipart::new(body, boundary), read: 0, text: Arc::default(), unclaimed };
        let no_token = || Error::new(Code::Forbidden, "The form does not begin with its token. Nothing was done.");
        let first = parts.next().await?.filter(|part| part.name() == "csrf").ok_or_else(no_token)?;
        let token = first.text_of(TOKEN_MAX_BYTES).await?;
        Ok((token, Self(Arc::new(Mutex::new(Some(parts))))))
    }

    /// The parts after the token, once.
    ///
    /// # Errors
    /// [`Code::Internal`] the second time.
    pub fn open(self) -> Result<Parts> {
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        parts.ok_or_else(|| Error::internal_failure("the form was read before"))
    }
}

impl Parts {
    /// The next part; what was not read of the one before is skipped.
    ///
    /// # Errors
    /// [`Code::Invalid`] for a form that breaks off, [`Code::TooLarge`] for one of too many parts.
    pub async fn next(&mut self) -> Result<Option<Part>> {
        self.read += 1;
        if self.read > PARTS_MAX {
            return Err(Error::new(Code::TooLarge, format!("A form has at most {PATHS_MAX} files; choose fewer at once.")));
        }
        let field = self.form.next_field().await.map_err(broken)?;
        self.unclaimed.claim();
        Ok(field.map(|field| Part { field, text: Arc::clone(&self.text), unclaimed: self.unclaimed.clone() }))
    }
}

impl Part {
    /// The field's name.
    pub fn name(&self) -> &str {
        self.field.name().unwrap_or_default()
    }

    /// The file's name, perhaps with folders; hostile.
    pub fn file_name(&self) -> Option<&str> {
        self.field.file_name()
    }

    /// A field's text.
    ///
    /// # Errors
    /// [`Code::TooLarge`], [`Code::Invalid`] for what is not UTF-8.
    pub async fn text(self) -> Result<String> {
        self.text_of(FIELDS_MAX_BYTES).await
    }

    async fn text_of(mut self, max: usize) -> Result<String> {
        let mut text = Vec::new();
        while let Some(piece) = self.field.chunk().await.map_err(broken)? {
            self.unclaimed.claim();
            text.extend_from_slice(&piece);
            if text.len() > max || self.text.fetch_add(piece.len(), Ordering::Relaxed) + piece.len() > FIELDS_MAX_BYTES {
                return Err(Error::new(Code::TooLarge, format!("The fields of a form have at most {max} bytes.")));
            }
        }
        String::from_utf8(text).map_err(|e| Error::invalid("The form is not in UTF-8.").with_internal(e))
    }

    /// A file's content.
    pub fn content(self) -> impl Stream<Item = io::Result<Bytes>> + Send {
        self.field.map_err(io::Error::other).inspect_ok(move |_| self.unclaimed.claim())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::StreamExt as _;

    fn form(parts: &[(&str, Option<&str>, &str)]) -> (Body, String) {
        let mut text = String::new();
        for (name, file, content) in parts {
            let file = file.map(|f| format!("; filename=\"{f}\"")).unwrap_or_default();
            text.push_str(&format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{content}\r\n"));
        }
        text.push_str("--x--\r\n");
        (Body::from(text), "x".to_owned())
    }

    #[tokio::test]
    async fn parts_come_in_order() {
        let (body, boundary) =
            form(&[("csrf", None, "t"), ("kind", None, "表"), ("files", Some("a/b.csv"), "1,2"), ("files", Some(""), "")]);
        let (token, form) = FileForm::begin(body, boundary).await.expect("begins");
        assert_eq!(token, "t");
        let mut parts = form.clone().open().expect("once");
        assert!(form.open().is_err(), "twice");
        let kind = parts.next().await.expect("reads").expect("a part");
        assert_eq!((kind.name(), kind.file_name()), ("kind", None));
        assert_eq!(kind.text().await.expect("text"), "表");
        let file = parts.next().await.expect("reads").expect("a part");
        assert_eq!(file.file_name(), Some("a/b.csv"));
        drop(file);
        assert_eq!(parts.next().await.expect("reads").expect("a part").file_name(), Some(""));
        assert!(parts.next().await.expect("reads").is_none());
    }

    #[tokio::test]
    async fn a_form_without_its_token_first_is_refused() {
        let long = "t".repeat(TOKEN_MAX_BYTES + 1);
        for (parts, code) in [
            (&[("kind", None, "table"), ("csrf", None, "t")][..], Code::Forbidden),
            (&[], Code::Forbidden),
            (&[("csrf", None, long.as_str())], Code::TooLarge),
        ] {
            let (body, boundary) = form(parts);
            assert_eq!(FileForm::begin(body, boundary).await.err().map(|e| e.code()), Some(code), "{parts:?}");
        }
        assert_eq!(FileForm::begin(Body::from("--y"), "x".into()).await.err().map(|e| e.code()), Some(Code::Invalid));
    }

    #[tokio::test]
    async fn fields_and_parts_are_bounded() {
        let long = "x".repeat(FIELDS_MAX_BYTES + 1);
        let (body, boundary) = form(&[("csrf", None, "t"), ("query", None, &long)]);
        let mut parts = FileForm::begin(body, boundary).await.expect("begins").1.open().expect("once");
        let part = parts.next().await.expect("reads").expect("a part");
        assert_eq!(part.text().await.map_err(|e| e.code()), Err(Code::TooLarge));
        // Each within the limit, together above it.
        let half = "x".repeat(FIELDS_MAX_BYTES / 2);
        let (body, boundary) = form(&[("csrf", None, "t"), ("a", None, &half), ("b", None, &half), ("c", None, "xx")]);
        let mut parts = FileForm::begin(body, boundary).await.expect("begins").1.open().expect("once");
        for good in [true, false] {
            let part = parts.next().await.expect("reads").expect("a part");
            assert_eq!(part.text().await.map_err(|e| e.code()).err(), (!good).then_some(Code::TooLarge));
        }
        let mut many = vec![("csrf", None, "t")];
        many.resize(PARTS_MAX + 1, ("f", Some("a"), ""));
        let (body, boundary) = form(&many);
        let mut parts = FileForm::begin(body, boundary).await.expect("begins").1.open().expect("once");
        let end = loop {
            match parts.next().await {
                Ok(Some(_)) => {}
                other => break other.map(|_| ()).map_err(|e| e.code()),
            }
        };
        assert_eq!(end, Err(Code::TooLarge));
    }
    #[tokio::test]
    async fn a_head_that_never_ends_is_refused() {
        let read = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&read);
        let begin = Bytes::from_static(b"--x\r\nContent-Disposition: form-data; name=\"csrf\"; x=\"");
        let endless = futures::stream::iter(std::iter::once(begin).chain(std::iter::repeat(Bytes::from(vec![b'a'; 64 * 1024]))));
        let body = Body::from_stream(endless.map(move |piece| {
            count.fetch_add(piece.len(), Ordering::Relaxed);
            Ok::<_, io::Error>(piece)
        }));
        assert_eq!(FileForm::begin(body, "x".into()).await.err().map(|e| e.code()), Some(Code::Invalid));
        assert!(read.load(Ordering::Relaxed) < 2 * HEAD_MAX_BYTES);
    }
}
