//! Which bytes of a file answer a request: conditions and ranges of RFC 9110 (sections 13 and 14).
//!
//! Pure: headers in, a plan out. The file's bytes never change, so that its entity tag is strong and
//! made of its hash, and there is no `Last-Modified`.

/// Most ranges in one request that are answered one by one; more get the whole file. A reader of
/// Parquet asks for a handful, an attacker for thousands of overlapping ones.
pub const MAX_RANGES: usize = 16;
/// Longest `Range`, `If-Match` or `If-None-Match` header looked at.
pub const MAX_HEADER_BYTES: usize = 8 * 1024;

/// The request method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET
    Get,
    /// HEAD
    Head,
}

/// Bytes `start..=end` of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    /// First byte.
    pub start: u64,
    /// Last byte; not before `start`.
    pub end: u64,
}

impl ByteRange {
    /// How many bytes; at least one.
    pub fn length(self) -> u64 {
        self.end - self.start + 1
    }

    /// The `Content-Range` of this part of a file of `size` bytes.
    pub fn content_range(self, size: u64) -> String {
        format!("bytes {}-{}/{size}", self.start, self.end)
    }
}

/// The conditional and range headers of a request, as they came.
#[derive(Debug, Clone, Copy, Default)]
pub struct RequestHeaders<'a> {
    /// `Range`
    pub range: Option<&'a str>,
    /// `If-Range`
    pub if_range: Option<&'a str>,
    /// `If-None-Match`
    pub if_none_match: Option<&'a str>,
    /// `If-Match`
    pub if_match: Option<&'a str>,
}

/// How to answer. Every answer carries the `ETag`, all but the errors `Accept-Ranges: bytes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// 200 with the whole file (for HEAD: its headers).
    Full,
    /// 206 with these ranges, in order and not overlapping: one with `Content-Range`, several as
    /// [`Multipart`].
    Partial(Vec<ByteRange>),
    /// 416 with `Content-Range: bytes */size`.
    NotSatisfiable,
    /// 304
    NotModified,
    /// 412
    PreconditionFailed,
}

impl Plan {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Self::Full => 200,
            Self::Partial(_) => 206,
            Self::NotModified => 304,
            Self::PreconditionFailed => 412,
            Self::NotSatisfiable => 416,
        }
    }
}

/// The entity tag of a file, quotes included.
pub fn etag(sha256: &str) -> String {
    format!("\"{sha256}\"")
}

/// The `Content-Range` of a 416.
pub fn unsatisfied_content_range(size: u64) -> String {
    format!("bytes */{size}")
}

/// Decides how to answer for a file of `size` bytes with this `etag` (quotes included).
pub fn plan_response(method: Method, headers: RequestHeaders<'_>, etag: &str, size: u64) -> Plan {
    // The order of section 13.2.2; the date conditions cannot apply without Last-Modified.
    if headers.if_match.is_some_and(|list| !matches_any(list, etag, false)) {
        return Plan::PreconditionFailed;
    }
    if headers.if_none_match.is_some_and(|list| matches_any(list, etag, true)) {
        return Plan::NotModified;
    }
    let Some(range) = headers.range else { return Plan::Full };
    // Ranges are defined for GET only (section 14.2).
    if method != Method::Get {
        return Plan::Full;
    }
    // If-Range compares strongly; a date never matches.
    if headers.if_range.is_some_and(|validator| validator.trim() != etag) {
        return Plan::Full;
    }
    match parse_range(range, size) {
        None => Plan::Full,
        Some(ranges) if ranges.is_empty() => Plan::NotSatisfiable,
        Some(ranges) => Plan::Partial(ranges),
    }
}

/// Whether a list of entity tags (or `*`) names `etag`, comparing weakly or strongly.
pub fn matches_any(list: &str, etag: &str, weak: bool) -> bool {
    if list.len() > MAX_HEADER_BYTES {
        return false;
    }
    if list.trim() == "*" {
        return true;
    }
    // Our tags hold no comma, so a tag that is split here cannot be ours.
    list.split(',').map(str::trim).any(|tag| tag == etag || (weak && tag.strip_prefix("W/") == Some(etag)))
}

/// The satisfiable ranges, sorted and joined where they touch; `None` when the header is to be ignored.
fn parse_range(header: &str, size: u64) -> Option<Vec<ByteRange>> {
    if header.len() > MAX_HEADER_BYTES {
        return None;
    }
    let (unit, set) = header.trim().split_once('=')?;
    if !unit.trim_end().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let mut ranges = Vec::new();
    let mut count = 0;
    for spec in set.split(',').map(str::trim).filter(|s| !s.is_empty()) {
        count += 1;
        if count > MAX_RANGES {
            return None;
        }
        let (first, last) = spec.split_once('-')?;
        match (position(first)?, position(last)?) {
            (None, None) => return None,
            (None, Some(suffix)) => {
                if suffix > 0 && size > 0 {
                    ranges.push(ByteRange { start: size.saturating_sub(suffix), end: size - 1 });
                }
            }
            (Some(start), last) => {
                if last.is_some_and(|last| last < start) {
                    return None;
                }
                if start < size {
                    ranges.push(ByteRange { start, end: last.unwrap_or(u64::MAX).min(size - 1) });
                }
            }
        }
    }
    if count == 0 {
        return None;
    }
    ranges.sort_by_key(|r| r.start);
    ranges.dedup_by(|next, kept| {
        let joined = next.start <= kept.end.saturating_add(1);
        if joined {
            kept.end = kept.end.max(next.end);
        }
        joined
    });
    Some(ranges)
}

/// `Some(None)` for an absent position, `None` for a malformed one. A number beyond 64 bits lies beyond
/// every file.
#[expect(clippy::option_option, reason = "absent and malformed differ")]
fn position(text: &str) -> Option<Option<u64>> {
    if text.is_empty() {
        return Some(None);
    }
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(Some(text.parse().unwrap_or(u64::MAX)))
}

/// A `multipart/byteranges` body: before each range goes its head, after the last the tail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Multipart {
    boundary: String,
    parts: Vec<(String, ByteRange)>,
}

impl Multipart {
    /// Frames several ranges of a file of `size` bytes. The boundary is made of the entity tag, a hash
    /// of the content, which the content cannot therefore hold.
    pub fn new(ranges: &[ByteRange], size: u64, content_type: &str, etag: &str) -> Self {
        let hash: String = etag.chars().filter(char::is_ascii_alphanumeric).take(48).collect();
        let boundary = format!("fondaco-{hash}");
        let parts = ranges
            .iter()
            .enumerate()
            .map(|(i, range)| {
                let lead = if i == 0 { "" } else { "\r\n" };
                let head =
                    format!("{lead}--{boundary}\r\nContent-Type: {content_type}\r\nContent-Range: {}\r\n\r\n", range.content_range(size));
                (head, *range)
            })
            .collect();
        Self { boundary, parts }
    }

    /// The `Content-Type` of the answer.
    pub fn content_type(&self) -> String {
        format!("multipart/byteranges; boundary={}", self.boundary)
    }

    /// Each range with the text that goes before it.
    pub fn parts(&self) -> &[(String, ByteRange)] {
        &self.parts
    }

    /// The text after the last range.
    pub fn tail(&self) -> String {
        format!("\r\n--{}--\r\n", self.boundary)
    }

    /// The exact `Content-Length`.
    pub fn content_length(&self) -> u64 {
        let parts: u64 = self.parts.iter().map(|(head, range)| head.len() as u64 + range.length()).sum();
        parts + self.tail().len() as u64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        Method::{Get, Head},
        *,
    };

    const TAG: &str = "\"abc\"";

    fn get(range: &str, size: u64) -> Plan {
        plan_response(Method::Get, RequestHeaders { range: Some(range), ..RequestHeaders::default() }, TAG, size)
    }

    fn part(start: u64, end: u64) -> Plan {
        Plan::Partial(vec![ByteRange { start, end }])
    }

    #[test]
    fn ranges() {
        let cases = [
            ("bytes=0-", 10, part(0, 9)),
            ("bytes=0-0", 10, part(0, 0)),
            ("bytes=9-", 10, part(9, 9)),
            ("bytes=5-100", 10, part(5, 9)),
            ("bytes=-3", 10, part(7, 9)),
            ("bytes=-100", 10, part(0, 9)),
            ("Bytes = 2-3", 10, part(2, 3)),
            ("bytes=10-", 10, Plan::NotSatisfiable),
            ("bytes=10-20", 10, Plan::NotSatisfiable),
            ("bytes=-0", 10, Plan::NotSatisfiable),
            ("bytes=0-", 0, Plan::NotSatisfiable),
            ("bytes=-1", 0, Plan::NotSatisfiable),
            ("bytes=99999999999999999999-", 10, Plan::NotSatisfiable),
            ("bytes=0-99999999999999999999", 10, part(0, 9)),
            ("bytes=3-2", 10, Plan::Full),
            ("bytes=a-b", 10, Plan::Full),
            ("bytes=+1-2", 10, Plan::Full),
            ("bytes=-", 10, Plan::Full),
            ("bytes=", 10, Plan::Full),
            ("bytes 0-1", 10, Plan::Full),
            ("rows=0-1", 10, Plan::Full),
            ("bytes=0-1,x", 10, Plan::Full),
            ("bytes=0-1, 1-3", 10, part(0, 3)),
            ("bytes=0-1,2-3", 10, part(0, 3)),
            ("bytes=5-6,0-1,20-30", 10, Plan::Partial(vec![ByteRange { start: 0, end: 1 }, ByteRange { start: 5, end: 6 }])),
            ("bytes=,0-1,,", 10, part(0, 1)),
        ];
        for (header, size, expected) in cases {
            assert_eq!(get(header, size), expected, "{header} of {size}");
        }
        let many = |n| format!("bytes={}", (0..n).map(|i| format!("{}-{}", i * 10, i * 10)).collect::<Vec<_>>().join(","));
        assert!(matches!(get(&many(MAX_RANGES), 1_000), Plan::Partial(r) if r.len() == MAX_RANGES));
        assert_eq!(get(&many(MAX_RANGES + 1), 1_000), Plan::Full);
    }

    #[test]
    fn conditions_come_before_ranges() {
        let plan = |method, range, if_range, if_none_match, if_match| {
            plan_response(method, RequestHeaders { range, if_range, if_none_match, if_match }, TAG, 10)
        };
        let range = Some("bytes=0-1");
        assert_eq!(plan(Head, range, None, None, None), Plan::Full);
        assert_eq!(plan(Get, range, Some(TAG), None, None), part(0, 1));
        assert_eq!(plan(Get, range, Some("W/\"abc\""), None, None), Plan::Full);
        assert_eq!(plan(Get, range, Some("\"old\""), None, None), Plan::Full);
        assert_eq!(plan(Get, range, Some("Sat, 29 Oct 1994 19:43:31 GMT"), None, None), Plan::Full);
        assert_eq!(plan(Get, range, None, Some(TAG), None), Plan::NotModified);
        assert_eq!(plan(Head, None, None, Some("\"x\", W/\"abc\""), None), Plan::NotModified);
        assert_eq!(plan(Get, None, None, Some("*"), None), Plan::NotModified);
        assert_eq!(plan(Get, None, None, Some("\"x\""), None), Plan::Full);
        assert_eq!(plan(Get, range, None, None, Some("\"x\"")), Plan::PreconditionFailed);
        assert_eq!(plan(Get, range, None, None, Some("W/\"abc\"")), Plan::PreconditionFailed);
        assert_eq!(plan(Get, range, None, None, Some("*")), part(0, 1));
        assert_eq!(plan(Get, None, None, Some(TAG), Some("\"x\"")), Plan::PreconditionFailed);
    }

    #[test]
    fn several_ranges_are_framed_with_an_exact_length() {
        let content: Vec<u8> = (0..100).collect();
        let ranges = [ByteRange { start: 0, end: 4 }, ByteRange { start: 90, end: 99 }];
        let multipart = Multipart::new(&ranges, 100, "application/vnd.apache.parquet", TAG);
        let mut body = Vec::new();
        for (head, range) in multipart.parts() {
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(&content[usize::try_from(range.start).unwrap()..=usize::try_from(range.end).unwrap()]);
        }
        body.extend_from_slice(multipart.tail().as_bytes());
        assert_eq!(body.len() as u64, multipart.content_length());
        let text = String::from_utf8_lossy(&body);
        assert!(text.starts_with("--fondaco-abc\r\nContent-Type: application/vnd.apache.parquet\r\nContent-Range: bytes 0-4/100\r\n\r\n"));
        assert!(text.contains("\r\n--fondaco-abc\r\nContent-Type"));
        assert!(text.ends_with("\r\n--fondaco-abc--\r\n"));
        assert_eq!(multipart.content_type(), "multipart/byteranges; boundary=fondaco-abc");
    }

    #[derive(Debug, Clone)]
    enum Spec {
        Closed(u64, u64),
        Open(u64),
        Suffix(u64),
    }

    fn specs() -> impl Strategy<Value = Vec<Spec>> {
        proptest::collection::vec(
            prop_oneof![
                (0_u64..40, 0_u64..40).prop_map(|(a, b)| Spec::Closed(a.min(b), a.max(b))),
                (0_u64..40).prop_map(Spec::Open),
                (0_u64..40).prop_map(Spec::Suffix),
            ],
            1..=MAX_RANGES,
        )
    }

    proptest! {
        #[test]
        fn a_plan_names_exactly_the_bytes_asked_for(specs in specs(), size in 0_u64..30) {
            let header = format!("bytes={}", specs.iter().map(|s| match s {
                Spec::Closed(a, b) => format!("{a}-{b}"),
                Spec::Open(a) => format!("{a}-"),
                Spec::Suffix(n) => format!("-{n}"),
            }).collect::<Vec<_>>().join(", "));
            // The naive model: byte by byte.
            let wanted: Vec<u64> = (0..size).filter(|&byte| specs.iter().any(|s| match s {
                Spec::Closed(a, b) => *a <= byte && byte <= *b,
                Spec::Open(a) => *a <= byte,
                Spec::Suffix(n) => byte + n >= size,
            })).collect();
            match get(&header, size) {
                Plan::NotSatisfiable => prop_assert!(wanted.is_empty()),
                Plan::Partial(ranges) => {
                    prop_assert!(ranges.windows(2).all(|w| w[0].end + 1 < w[1].start));
                    let given: Vec<u64> = ranges.iter().flat_map(|r| r.start..=r.end).collect();
                    prop_assert_eq!(given, wanted);
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }

        #[test]
        fn any_header_is_answered(header in "\\PC{0,40}", size: u64) {
            match get(&header, size) {
                Plan::Partial(ranges) => prop_assert!(ranges.iter().all(|r| r.start <= r.end && r.end < size)),
                plan => prop_assert!(matches!(plan, Plan::Full | Plan::NotSatisfiable)),
            }
        }
    }
}
