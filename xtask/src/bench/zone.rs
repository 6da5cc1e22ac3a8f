//! `cargo xtask bench zone`: one release node, on SQLite, that hosts a whole zone.
//!
//! 17,000 participants with 106,552 agreements among them (the technology contracts that Beijing registered in 2023),
//! and one participant with 100,000 products. [`load`] fills the node by real deals over its own interfaces, and keeps it
//! under the target folder for the next run. Measured on the running node, from outside and over HTTP: pages of
//! catalogues as a peer reads them (each call with a fresh signed token that is used up, as the protocol has it),
//! agreements as programs and people look them up, starts after a stop and after `kill -9`, memory, and what one
//! negotiation costs beside what it costs on an empty node.

mod caller;
mod load;

use super::{
    Common, Line, cache,
    pair::{Node, text},
    quantile,
};
use anyhow::{Context, Result, ensure};
use caller::Caller;
use fondaco_core::entropy::SeededEntropy;
use load::{LIBRARY, PRODUCT, RARE, Size};
use reqwest::{Client, Method, RequestBuilder, StatusCode, header};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// What every page and look-up must stay below, in milliseconds.
const LOOKUP_BELOW_MS: f64 = 20.0;
/// Calls before a measurement, so that connections are open and statements prepared.
const WARM_UP: usize = 10;
/// Starts measured of each kind; the median is reported.
const STARTS: usize = 5;
/// Negotiations of one turn. Turns of both nodes alternate, so that the machine's other work falls on both alike.
const NEGOTIATIONS: usize = 40;
/// Turns of each node.
const TURNS: usize = 5;
/// How much more a negotiation may cost on the full node: what scatters between two runs on the same node.
const COST_BELOW: f64 = 1.25;
/// The seed of what is looked up.
const SEED: u64 = 17_000;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
    /// Fill the node and measure nothing
    #[arg(long)]
    load_only: bool,
    /// Where the filled node is kept between runs (default: the target folder)
    #[arg(long)]
    cache: Option<PathBuf>,
    /// Participants
    #[arg(long, default_value_t = 17_000)]
    participants: usize,
    /// Agreements among them
    #[arg(long, default_value_t = 106_552)]
    agreements: usize,
    /// Products of one participant
    #[arg(long, default_value_t = 100_000)]
    products: usize,
    /// Calls measured of each kind
    #[arg(long, default_value_t = 200)]
    calls: usize,
}

/// Measures and prints.
pub(crate) fn run(root: &Path, args: &Args) -> Result<()> {
    ensure!(args.participants > 20 && args.products > 10 && args.agreements > 100, "that is no zone");
    let cache = cache(root, args.cache.as_deref());
    args.common.run(root, async |binary| measure(binary, &cache, args).await)
}

async fn measure(binary: &Path, cache: &Path, args: &Args) -> Result<Vec<Line>> {
    // On the same disk as the build, not in a temporary file system in memory: what is measured is durable.
    fs::create_dir_all(cache)?;
    let http = Client::builder().timeout(Duration::from_mins(5)).no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
    let size = Size { participants: args.participants, agreements: args.agreements, products: args.products };
    let mut zone = load::loaded(binary, cache, size, http.clone()).await?;
    if args.load_only {
        zone.stop()?;
        return Ok(Vec::new());
    }
    let mut lines = Vec::new();
    // First, while the database is as warm as the load left it.
    eprintln!("negotiating");
    lines.extend(costs(binary, cache, &zone, http.clone()).await?);
    eprintln!("starting {STARTS} times after kill -9, and {STARTS} times after a stop");
    let mut starts = [Vec::new(), Vec::new()];
    for (after, begun) in starts.iter_mut().enumerate() {
        for _ in 0..STARTS {
            if after == 0 {
                zone.kill()?;
            } else {
                zone.stop()?;
            }
            begun.push(zone.start()?.as_secs_f64() * 1e3);
        }
    }
    let [killed, stopped] = &starts;
    lines.push(Line { what: "start to ready after kill -9, median of 5", value: quantile(killed, 0.5), unit: "ms", below: Some(500.0) });
    lines.push(Line { what: "start to ready after a stop, median of 5", value: quantile(stopped, 0.5), unit: "ms", below: Some(500.0) });

    let asking = Asking { zone: &zone, http, caller: Caller::new().await?, size, calls: args.calls, drawn: SeededEntropy::new(SEED) };
    eprintln!("catalogues");
    lines.extend(asking.catalogues().await?);
    eprintln!("agreements");
    lines.extend(asking.agreements().await?);
    lines.push(Line { what: "resident memory after all this", value: zone.memory_mb("VmRSS")?, unit: "MB", below: Some(250.0) });
    lines.push(Line { what: "of it, not of files", value: zone.memory_mb("RssAnon")?, unit: "MB", below: None });
    lines.push(Line { what: "the most it ever was", value: zone.memory_mb("VmHWM")?, unit: "MB", below: None });
    zone.stop()?;
    Ok(lines)
}

/// What negotiations cost on this node and on an empty one, with one and the same consumer.
async fn costs(binary: &Path, cache: &Path, zone: &Node, http: Client) -> Result<Vec<Line>> {
    let folder = tempfile::Builder::new().prefix("zone-").tempdir_in(cache)?;
    let mut empty = Node::init(binary, &folder.path().join("empty"), "empty", http.clone())?;
    let mut consumer = Node::init(binary, &folder.path().join("consumer"), "consumer", http)?;
    empty.start()?;
    consumer.start()?;
    let file = folder.path().join("records.csv");
    fs::write(&file, "station,value\na,1\nb,2\n")?;
    let body = json!({"id": PRODUCT, "title": "Records", "kind": "table", "paths": [file]});
    empty.call(Method::POST, "products", Some(&body)).await?;
    // The one that has sold most.
    let seller = zone.address_of(&load::participant(0));
    let sides = [(&empty, empty.address()), (zone, seller)];
    for (_, address) in &sides {
        for _ in 0..WARM_UP {
            negotiate(&consumer, address).await?;
        }
    }
    let (mut cpu, mut times) = ([0.0; 2], [Vec::new(), Vec::new()]);
    for _ in 0..TURNS {
        for (side, (node, address)) in sides.iter().enumerate() {
            let before = node.cpu_seconds()? + consumer.cpu_seconds()?;
            for _ in 0..NEGOTIATIONS {
                times[side].push(negotiate(&consumer, address).await?);
            }
            cpu[side] += node.cpu_seconds()? + consumer.cpu_seconds()? - before;
        }
    }
    consumer.stop()?;
    empty.stop()?;
    #[expect(clippy::cast_precision_loss, reason = "some hundreds")]
    let each = |seconds: f64| seconds * 1e3 / (NEGOTIATIONS * TURNS) as f64;
    let p50 = |side: usize| quantile(&times[side], 0.5);
    Ok(vec![
        Line { what: "negotiation on an empty node, p50", value: p50(0), unit: "ms", below: None },
        Line { what: "negotiation on the zone's node, p50", value: p50(1), unit: "ms", below: None },
        Line { what: "  times as long", value: p50(1) / p50(0), unit: "x", below: Some(COST_BELOW) },
        Line { what: "processor time of both sides, empty node", value: each(cpu[0]), unit: "ms", below: None },
        Line { what: "processor time of both sides, zone's node", value: each(cpu[1]), unit: "ms", below: None },
        Line { what: "  times as much", value: cpu[1] / cpu[0], unit: "x", below: Some(COST_BELOW) },
    ])
}

/// One negotiation, until the consumer has FINALIZED stored, which comes last; milliseconds.
async fn negotiate(consumer: &Node, provider: &str) -> Result<f64> {
    let begun = Instant::now();
    let negotiation = consumer.call(Method::POST, "negotiations", Some(&json!({"peer": provider, "product": PRODUCT}))).await?;
    consumer.finalized(text(&negotiation, "negotiationId")?).await?;
    Ok(begun.elapsed().as_secs_f64() * 1e3)
}

/// An answer, read to its end.
struct Answer {
    headers: header::HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body).context("an answer in JSON")
    }
    fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Whoever asks the zone's node.
struct Asking<'a> {
    zone: &'a Node,
    http: Client,
    caller: Caller,
    size: Size,
    calls: usize,
    drawn: SeededEntropy,
}

impl Asking<'_> {
    /// Both quantiles of the time of calls, each made anew by `call`.
    async fn times(
        &self,
        [p50, p99]: [&'static str; 2],
        expected: StatusCode,
        mut call: impl FnMut(usize) -> Result<RequestBuilder>,
    ) -> Result<Vec<Line>> {
        let mut times = Vec::with_capacity(self.calls);
        for n in 0..WARM_UP + self.calls {
            // Making it signs its token, which is the caller's work.
            let request = call(n)?;
            let begun = Instant::now();
            send(request, expected).await.context(p50)?;
            if n >= WARM_UP {
                times.push(begun.elapsed().as_secs_f64() * 1e3);
            }
        }
        let line = |what, share, below| Line { what, value: quantile(&times, share), unit: "ms", below };
        Ok(vec![line(p50, 0.5, None), line(p99, 0.99, Some(LOOKUP_BELOW_MS))])
    }

    fn below(&self, count: usize) -> usize {
        usize::try_from(self.drawn.next_u64() % count.max(1) as u64).unwrap_or_default()
    }

    /// A DSP call to a participant.
    fn dsp(&self, method: Method, slug: &str, path: &str) -> Result<RequestBuilder> {
        let host = self.zone.public().trim_start_matches("http://").replace(':', "%3A");
        let url = format!("{}/dsp/2025-1/{path}", self.zone.address_of(slug));
        Ok(self.http.request(method, url).bearer_auth(self.caller.token(&format!("did:web:{host}:p:{slug}"))?))
    }

    fn catalogue(&self, slug: &str, page: &str, filter: Option<&str>) -> Result<RequestBuilder> {
        let mut message = json!({"@context": ["https://w3id.org/dspace/2025/1/context.jsonld"], "@type": "CatalogRequestMessage"});
        if let Some(query) = filter {
            message["filter"] = json!([{"query": query}]);
        }
        Ok(self.dsp(Method::POST, slug, &format!("catalog/request{page}"))?.json(&message))
    }

    async fn catalogues(&self) -> Result<Vec<Line>> {
        let ok = StatusCode::OK;
        let sellers = self.size.sellers();
        let mut lines = self
            .times(["catalogue of one product, p50", "catalogue of one product, p99"], ok, |_| {
                self.catalogue(&load::participant(self.below(sellers)), "", None)
            })
            .await?;
        let first = send(self.catalogue(LIBRARY, "", None)?, ok).await?;
        let datasets = first.json()?["dataset"].as_array().map_or(0, Vec::len);
        let whole = first.header(header::LINK).is_none();
        ensure!(datasets > 0 && (whole == (datasets == self.size.products)), "a page has {datasets} datasets");
        lines.push(Line { what: "  a page of it: datasets", value: count(datasets), unit: "", below: None });
        lines.push(Line { what: "  a page of it: size", value: count(first.body.len()) / 1e3, unit: "kB", below: None });
        let pages = [
            (["100,000 products, first page, p50", "100,000 products, first page, p99"], 0),
            (["100,000 products, middle page, p50", "100,000 products, middle page, p99"], self.size.products / 2),
            (["100,000 products, last page, p50", "100,000 products, last page, p99"], self.size.products.saturating_sub(datasets + 1)),
        ];
        for (what, from) in pages {
            // The cursor of the page before, as its `Link` header would have it.
            let page = if from == 0 { String::new() } else { format!("?cursor={}", load::product(from)) };
            lines.extend(self.times(what, ok, |_| self.catalogue(LIBRARY, &page, None)).await?);
        }
        // As Eclipse EDC reads a catalogue: window after window.
        let (from, window) = (self.size.products / 10 * 9, 50);
        lines.extend(
            self.times(["windows of 50 from 90,000 on (EDC), p50", "windows of 50 from 90,000 on (EDC), p99"], ok, |n| {
                let offset = (from + n * window) % self.size.products;
                let message = json!({"@context": ["https://w3id.org/dspace/2025/1/context.jsonld"], "@type": "CatalogRequestMessage",
                    "filter": [{"@type": "QuerySpec", "offset": offset, "limit": window}]});
                Ok(self.dsp(Method::POST, LIBRARY, "catalog/request")?.json(&message))
            })
            .await?,
        );
        let words = [
            (["filter that finds many, p50", "filter that finds many, p99"], "torque"),
            (["filter that finds 1 in 1,000, p50", "filter that finds 1 in 1,000, p99"], RARE),
            (["filter that finds nothing, p50", "filter that finds nothing, p99"], "nothing-like-it"),
        ];
        for (what, query) in words {
            lines.extend(self.times(what, ok, |_| self.catalogue(LIBRARY, "", Some(query))).await?);
        }
        let etag = first.header(header::ETAG).context("a page without an entity tag")?.to_owned();
        lines.extend(
            self.times(
                ["page that the caller has (412), p50", "page that the caller has (412), p99"],
                StatusCode::PRECONDITION_FAILED,
                |_| Ok(self.catalogue(LIBRARY, "", None)?.header(header::IF_NONE_MATCH, &etag)),
            )
            .await?,
        );
        let path = format!("catalog/datasets/{}", load::product(self.size.products / 3));
        lines.extend(self.times(["dataset, p50", "dataset, p99"], ok, |_| self.dsp(Method::GET, LIBRARY, &path)).await?);
        let one = send(self.dsp(Method::GET, LIBRARY, &path)?, ok).await?;
        let etag = one.header(header::ETAG).context("a dataset without an entity tag")?.to_owned();
        lines.extend(
            self.times(
                ["dataset that the caller has (304), p50", "dataset that the caller has (304), p99"],
                StatusCode::NOT_MODIFIED,
                |_| Ok(self.dsp(Method::GET, LIBRARY, &path)?.header(header::IF_NONE_MATCH, &etag)),
            )
            .await?,
        );
        Ok(lines)
    }

    async fn agreements(&self) -> Result<Vec<Line>> {
        let ok = StatusCode::OK;
        let token = fs::read_to_string(self.zone.dir().join("admin.token"))?;
        let api = |path: &str| self.http.get(format!("{}/api/v1/participants/{path}", self.zone.console())).bearer_auth(token.trim());
        // The ids of many, of those with few and of the one with most, and who the other sides are.
        let (mut ids, mut peers) = (Vec::new(), Vec::new());
        for rank in (0..self.size.sellers()).step_by((self.size.sellers() / 50).max(1)) {
            let slug = load::participant(rank);
            let listed = send(api(&format!("{slug}/agreements?limit=200")), ok).await?.json()?;
            for agreement in listed["agreements"].as_array().context("a list of agreements")? {
                ids.push((slug.clone(), text(agreement, "id")?.to_owned()));
                if rank == 0 {
                    peers.push(text(agreement, "peer")?.to_owned());
                }
            }
        }
        ensure!(ids.len() > 20 && peers.len() > 20, "there are too few agreements to look up: {}", ids.len());
        let busiest = load::participant(0);
        let one = |n: usize| &ids[n.wrapping_mul(7_919) % ids.len()];
        let mut lines = self
            .times(["agreement by its id, p50", "agreement by its id, p99"], ok, |n| {
                let (slug, id) = one(n);
                Ok(api(&format!("{slug}/agreements/{id}")))
            })
            .await?;
        let anybody = |drawn: usize| load::participant(drawn);
        lines.extend(
            self.times(["list of anybody's agreements, p50", "list of anybody's agreements, p99"], ok, |_| {
                Ok(api(&format!("{}/agreements", anybody(self.below(self.size.participants - 2)))))
            })
            .await?,
        );
        lines.extend(
            self.times(["list of the busiest, first page, p50", "list of the busiest, first page, p99"], ok, |_| {
                Ok(api(&format!("{busiest}/agreements")))
            })
            .await?,
        );
        // Pages deep in the list, by the cursors that lead there.
        let (mut cursors, mut after) = (Vec::new(), None::<String>);
        while cursors.len() < 40 {
            let path = after.as_ref().map_or_else(|| "?limit=200".to_owned(), |a| format!("?limit=200&after={a}"));
            let page = send(api(&format!("{busiest}/agreements{path}")), ok).await?.json()?;
            let Some(next) = page["next"].as_str() else { break };
            after = Some(next.to_owned());
            cursors.push(next.to_owned());
        }
        if let Some(deepest) = cursors.last() {
            lines.extend(
                self.times(["list of the busiest, deep page, p50", "list of the busiest, deep page, p99"], ok, |_| {
                    Ok(api(&format!("{busiest}/agreements?after={deepest}")))
                })
                .await?,
            );
        }
        lines.extend(
            self.times(["list of the busiest with one peer, p50", "list of the busiest with one peer, p99"], ok, |n| {
                let peer = &peers[n % peers.len()];
                Ok(api(&format!("{busiest}/agreements?{}", form_encoded(&[("peer", peer)]))))
            })
            .await?,
        );
        let cookie = self.signed_in().await?;
        let page = |path: &str| self.http.get(format!("{}/p/{path}", self.zone.console())).header(header::COOKIE, &cookie);
        lines.extend(
            self.times(["console: an agreement, p50", "console: an agreement, p99"], ok, |n| {
                let (slug, id) = one(n);
                Ok(page(&format!("{slug}/agreements/{id}")))
            })
            .await?,
        );
        for (what, path) in [
            (["console: agreements of the busiest, p50", "console: agreements of the busiest, p99"], "/agreements"),
            (["console: negotiations of the busiest, p50", "console: negotiations of the busiest, p99"], "/negotiations"),
            (["console: overview of the busiest, p50", "console: overview of the busiest, p99"], ""),
            (["console: peers of the busiest, p50", "console: peers of the busiest, p99"], "/peers"),
            (["console: the node, p50", "console: the node, p99"], "/node"),
        ] {
            lines.extend(self.times(what, ok, |_| Ok(page(&format!("{busiest}{path}")))).await?);
        }
        for (what, path) in [
            (["console: 100,000 products, p50", "console: 100,000 products, p99"], "/products"),
            (["console: overview with 100,000 products, p50", "console: overview with 100,000 products, p99"], ""),
        ] {
            lines.extend(self.times(what, ok, |_| Ok(page(&format!("{LIBRARY}{path}")))).await?);
        }
        Ok(lines)
    }

    /// Signs in to the console; the cookie of the session.
    async fn signed_in(&self) -> Result<String> {
        let form = send(self.http.get(format!("{}/login", self.zone.console())), StatusCode::OK).await?;
        let page = String::from_utf8(form.body.clone())?;
        let csrf = page.split_once("name=\"csrf\" value=\"").and_then(|(_, rest)| rest.split_once('"')).context("no token in the form")?.0;
        let password = fs::read_to_string(self.zone.dir().join("admin.password"))?;
        let body = form_encoded(&[("csrf", csrf), ("name", "admin"), ("password", password.trim())]);
        let request = self
            .http
            .post(format!("{}/login", self.zone.console()))
            .header(header::COOKIE, cookies(&form.headers))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body);
        let answer = send(request, StatusCode::SEE_OTHER).await.context("signing in")?;
        Ok(cookies(&answer.headers))
    }
}

/// Fields as a form sends them.
fn form_encoded(fields: &[(&str, &str)]) -> String {
    let encode = |text: &str| -> String {
        text.bytes().map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
    };
    fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect::<Vec<_>>().join("&")
}

/// The cookies that an answer sets, as a request sends them back.
fn cookies(headers: &header::HeaderMap) -> String {
    let set = headers.get_all(header::SET_COOKIE).iter().filter_map(|v| v.to_str().ok());
    set.filter_map(|cookie| cookie.split(';').next()).filter(|c| !c.ends_with('=')).collect::<Vec<_>>().join("; ")
}

async fn send(request: RequestBuilder, expected: StatusCode) -> Result<Answer> {
    let answer = request.send().await?;
    let (status, headers, url) = (answer.status(), answer.headers().clone(), answer.url().clone());
    let body = answer.bytes().await?.to_vec();
    ensure!(status == expected, "{url}: {status}: {}", String::from_utf8_lossy(&body).chars().take(500).collect::<String>());
    Ok(Answer { headers, body })
}

#[expect(clippy::cast_precision_loss, reason = "a number to print")]
const fn count(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_and_cookies_as_browsers_send_them() {
        assert_eq!(form_encoded(&[("a", "x y&"), ("b", "é")]), "a=x%20y%26&b=%C3%A9");
        let mut headers = header::HeaderMap::new();
        for cookie in ["session=abc; HttpOnly; Path=/", "login=; Max-Age=0"] {
            headers.append(header::SET_COOKIE, cookie.parse().expect("a cookie"));
        }
        assert_eq!(cookies(&headers), "session=abc");
    }
}
