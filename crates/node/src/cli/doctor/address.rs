//! The public address as others see it: it resolves, answers over what peers accept, and serves each participant's
//! DID document under its own DID. The answer's `Date` also shows a clock that is off.

use super::{super::show::text, Finding, listeners::Running};
use crate::{
    config::Config,
    net::{NetworkRule, OutRequest, OutResponse, Outbound},
};
use fondaco_core::time::{Clock, Micros, SystemClock, Timestamp};
use http::header;
use serde_json::Value;
use url::Url;

/// Largest DID document read.
const DOCUMENT_BYTES_MAX: u64 = 64 * 1024;
/// Most participants whose documents are fetched; a zone hosts thousands, and one mistake breaks all alike.
const PARTICIPANTS_MAX: usize = 10;
/// Tokens allow this much skew between two nodes.
const SKEW_MAX: Micros = Micros::from_secs(30);
/// Our own address is reached wherever it is; what peers would refuse is said in words.
const OWN_ADDRESS: NetworkRule = NetworkRule { allow_private: true, allow_loopback: true, allow_http: true };

/// Checks the address of a running node.
pub(super) async fn check(config: &Config, node: &Running) -> Vec<Finding> {
    let mut findings = vec![form(config)];
    let http = match Outbound::trusting(OWN_ADDRESS, config.ca_file().as_deref()) {
        Ok(http) => http,
        Err(e) => {
            findings.push(Finding::fail(
                "public address",
                e.message(),
                "Install the system's root certificates (ca-certificates), and correct network.ca_file if it is set.",
            ));
            return findings;
        }
    };
    for participant in node.participants.iter().take(PARTICIPANTS_MAX) {
        let (slug, did) = (text(participant, "slug"), text(participant, "did"));
        let address = format!("{}/p/{slug}/did.json", config.public.url.as_str().trim_end_matches('/'));
        let Ok(url) = Url::parse(&address) else { continue };
        match http.send(OutRequest::get(url).with_limit(DOCUMENT_BYTES_MAX)).await {
            Err(e) => findings.push(Finding::fail(
                "public address",
                format!("{address} cannot be had from here: {}", e.message()),
                "Check DNS, the firewall and the proxy in front of the node. Others cannot negotiate with you until it answers.",
            )),
            Ok(answer) => {
                findings.push(document(&address, did, &answer));
                findings.extend(skew(&answer, SystemClock.now()));
            }
        }
    }
    findings
}

fn form(config: &Config) -> Finding {
    let url = &config.public.url;
    match (config.is_loopback(), url.scheme()) {
        (true, _) => Finding::ok("public address", format!("{url} is on this machine: only nodes here can reach it.")),
        (false, "https") => Finding::ok("public address", format!("{url} is an https address.")),
        (false, _) => Finding::warn(
            "public address",
            format!("{url} is plain http: other nodes refuse it unless they set network.allow_http."),
            "Put a proxy with TLS in front and make public.url its https address. The DIDs change with it.",
        ),
    }
}

fn document(address: &str, did: &str, answer: &OutResponse) -> Finding {
    const MEND: &str = "Something other than this node answers there. Check public.url and the proxy's routes.";
    if !answer.status.is_success() {
        return Finding::fail("DID document", format!("{address} answers {}.", answer.status), MEND);
    }
    let id = serde_json::from_slice::<Value>(&answer.body).ok().map(|d| text(&d, "id").to_owned()).unwrap_or_default();
    if id == did {
        Finding::ok("DID document", format!("{did} resolves to its own document."))
    } else {
        Finding::fail("DID document", format!("{address} is not the document of {did}: others cannot verify our tokens."), MEND)
    }
}

fn skew(answer: &OutResponse, now: Timestamp) -> Option<Finding> {
    let text = answer.headers.get(header::DATE)?.to_str().ok()?;
    let theirs = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    let off = now.since(Timestamp::from_micros(theirs.as_microsecond())).0.abs();
    // The header has whole seconds, and the answer took its time.
    (off > SKEW_MAX.0).then(|| {
        Finding::warn(
            "clock",
            format!(
                "The public address answers with another time than this machine's: {} s apart. Nodes refuse tokens more than 30 s off.",
                off / 1_000_000
            ),
            "Set both clocks by NTP.",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::{super::Status, *};
    use http::{HeaderMap, StatusCode};

    fn answer(status: StatusCode, body: &str, date: &str) -> OutResponse {
        let headers = HeaderMap::from_iter([(header::DATE, date.parse().expect("header"))]);
        OutResponse { status, headers, body: body.to_owned().into() }
    }

    #[test]
    fn the_document_must_be_ours() {
        let check = |status, body| document("http://h/p/a/did.json", "did:web:h:p:a", &answer(status, body, "x")).status;
        assert_eq!(check(StatusCode::OK, r#"{"id":"did:web:h:p:a"}"#), Status::Ok);
        assert_eq!(check(StatusCode::OK, r#"{"id":"did:web:h:p:b"}"#), Status::Fail);
        assert_eq!(check(StatusCode::OK, "<html>"), Status::Fail);
        assert_eq!(check(StatusCode::NOT_FOUND, r#"{"id":"did:web:h:p:a"}"#), Status::Fail);
    }

    #[test]
    fn a_clock_that_is_off_shows_in_the_date() {
        let now = Timestamp::parse("2026-11-21T20:24:17Z").expect("time");
        let at = |date: &str| skew(&answer(StatusCode::OK, "", date), now);
        assert_eq!(at("Sat, 21 Nov 2026 20:24:40 GMT"), None);
        assert_eq!(at("yesterday"), None);
        assert!(at("Sat, 21 Nov 2026 20:25:40 GMT").is_some_and(|f| f.found.contains("83 s")));
        assert!(at("Sat, 21 Nov 2026 20:22:00 GMT").is_some());
    }
}
