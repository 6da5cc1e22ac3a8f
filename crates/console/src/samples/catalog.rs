//! Samples of the pages about products, peers and catalogues.

use super::{AGREEMENT, HEFEI, bearings, columns, hefei, layout, negotiations, party, terms, transfers, when, zgc};
use crate::Text;
use crate::format::{Bytes, Count};
use crate::narrow::{Facet, Narrowed};
use crate::pages::{
    AgreementRow, CatalogCard, CatalogCopy, CatalogPage, ColumnProfile, FileView, LinkView, ListingView, OfferView, Owner, Paging,
    PeerPage, PeerRow, PeersPage, ProductPage, ProductRow, ProductsPage, Publication,
};
use crate::states::{AgreementState, Kind, ProductState, Role};
use crate::view::{Party, Span, Terms};

impl ProductsPage {
    /// A few products.
    pub fn sample() -> Self {
        let row = |id: &str, title: &str, kind: &str, rows: Option<u64>, bytes, state| ProductRow {
            id: id.into(),
            title: title.into(),
            kind: Kind(kind.into()),
            version: "2".into(),
            versions: Count(2),
            offers: Count(1),
            rows: rows.map(Count),
            bytes: Bytes(bytes),
            state,
            published: when("10:02:00"),
        };
        Self {
            layout: layout("/p/suzhou/products"),
            products: vec![
                row("flights", "Flights from New York, 2013", "table", Some(336_776), 7_340_032, ProductState::Published),
                row("line-7-torque", "苏州七号线拧紧扭矩", "table", Some(12_480_112), 1_288_490_189, ProductState::Published),
                row("weld-images", "Weld seams, labelled images", "files", None, 48_318_382_080, ProductState::Withdrawn),
            ],
            after: None,
            list: Narrowed::new("/p/suzhou/products"),
            facets: kinds(&Narrowed::new("/p/suzhou/products")),
            total: Count(3),
        }
    }
}

/// What may be chosen of kinds.
fn kinds(list: &Narrowed) -> Vec<Facet> {
    let values = [("table".to_owned(), 1_824), ("files".to_owned(), 311)];
    let kind = |value: &str| Kind(value.to_owned()).label();
    Facet::of(list, "kind", Text::say("label-kind"), &values, kind).into_iter().collect()
}

fn listing(contact: &str) -> ListingView {
    ListingView {
        license: Some(LinkView { text: "CC-BY-4.0".into(), href: Some("https://spdx.org/licenses/CC-BY-4.0.html".into()) }),
        contact: Some(LinkView { text: contact.into(), href: Some(format!("mailto:{contact}")) }),
        rhythm: Some(Text::of("rhythm", "daily")),
        languages: vec!["en".into(), "zh-cn".into()],
        formats: vec!["DeltaSharing-PULL".into()],
    }
}

impl ProductPage {
    /// One of our own.
    pub fn sample() -> Self {
        let profile = |name: &str, nulls, distinct, min: &str, max: &str| ColumnProfile {
            name: name.into(),
            nulls: Count(nulls),
            distinct: Some(Count(distinct)),
            min: Some(min.into()),
            max: Some(max.into()),
        };
        Self {
            layout: layout("/p/suzhou/products/flights"),
            owner: Owner::Ours { state: ProductState::Published, publication: Publication { schema: true, profile: false }, stopped: None },
            id: "flights".into(),
            title: "Flights from New York, 2013".into(),
            description: Some(
                "All flights that left the three airports of New York in 2013, with their \
                 delays and distances.\n\nOne row per flight, times in UTC."
                    .into(),
            ),
            keywords: ["aviation", "delays", "new york"].map(Into::into).into(),
            kind: Kind("table".into()),
            version: Some("2".into()),
            versions: vec!["2".into(), "1".into()],
            published: Some(when("10:02:00")),
            rows: Some(Count(336_776)),
            bytes: Some(Bytes(7_340_032)),
            listing: listing("data@suzhou.example.cn"),
            columns: columns(),
            profile: vec![
                profile("time_hour", 0, 6_936, "2013-01-01T10:00:00Z", "2014-01-01T04:00:00Z"),
                profile("carrier", 0, 16, "9E", "YV"),
                profile("flight", 0, 3_844, "1", "8500"),
                profile("dep_delay", 8_255, 527, "-43", "1301"),
                profile("distance", 0, 214, "17", "4983"),
            ],
            files: vec![FileView {
                name: "part-00000.parquet".into(),
                format: "application/vnd.apache.parquet".into(),
                bytes: Bytes(7_340_032),
            }],
            offers: vec![OfferView { id: "flights-research".into(), terms: terms(), price: None }],
        }
    }

    /// A peer's.
    pub fn sample_peer() -> Self {
        Self {
            layout: layout("/p/suzhou/catalog/product"),
            owner: Owner::Peer { address: HEFEI.into(), name: hefei().name, did: hefei().did, read: Some(Span { seconds: 200 }) },
            id: "bearing-vibration".into(),
            title: bearings().title,
            description: Some(
                "Vibration spectra of the spindle bearings of 42 milling machines over 18 \
                 months, with the dates of every replacement. Made for predicting failures."
                    .into(),
            ),
            keywords: ["manufacturing", "vibration", "predictive maintenance", "轴承"].map(Into::into).into(),
            version: Some("3".into()),
            listing: listing("data@hefei.example.cn"),
            versions: Vec::new(),
            profile: Vec::new(),
            files: Vec::new(),
            offers: vec![
                OfferView { id: "research".into(), terms: terms(), price: None },
                OfferView {
                    id: "commercial".into(),
                    terms: Terms {
                        sentences: vec![
                            Text::say("terms-elapsed").with("period", Text::say("common-days").with("n", 90_u64)),
                            Text::say("terms-price").with("price", Text::say("money-CNY").with("amount", "80.00")),
                        ],
                        ..terms()
                    },
                    price: Some("80.00 CNY".into()),
                },
            ],
            ..Self::sample()
        }
    }
}

fn copy(party: Party, products: u64, seconds: Option<u64>) -> CatalogCopy {
    CatalogCopy {
        name: party.name,
        did: party.did,
        products: Count(products),
        read: seconds.map(|seconds| Span { seconds }),
        under_way: false,
        problem: None,
    }
}

fn wuhan() -> CatalogCopy {
    let problem = Some(Text::plain("did:web:127.0.0.1%3A7400:p:wuhan did not answer within 10 seconds."));
    CatalogCopy { problem, ..copy(party("Wuhan East Lake", "did:web:127.0.0.1%3A7400:p:wuhan", false), 12, Some(93_000)) }
}

impl PeersPage {
    /// Three contacts.
    pub fn sample() -> Self {
        let row = |copy: CatalogCopy, time| PeerRow { problem: copy.problem.clone(), copy, last_contact: when(time) };
        Self {
            layout: layout("/p/suzhou/peers"),
            address: String::new(),
            problem: None,
            peers: vec![
                row(copy(hefei(), 1_204, Some(200)), "13:59:40"),
                row(CatalogCopy { under_way: true, ..copy(zgc(), 0, None) }, "12:44:09"),
                row(wuhan(), "08:00:12"),
            ],
        }
    }
}

impl PeerPage {
    /// A peer we deal with.
    pub fn sample() -> Self {
        let agreement = AgreementRow {
            id: AGREEMENT.into(),
            product: bearings().title,
            peer: hefei(),
            role: Role::Consumer,
            state: AgreementState::Active,
            signed: when("13:58:02"),
        };
        Self {
            layout: layout("/p/suzhou/peers/x"),
            copy: copy(hefei(), 1_204, Some(200)),
            address: Some("https://data.hefei.example.cn/p/hefei".into()),
            last_contact: when("13:59:40"),
            problem: None,
            products: CatalogPage::sample().cards,
            negotiations: negotiations(),
            agreements: vec![agreement],
            transfers: transfers(),
        }
    }
}

impl CatalogPage {
    /// The first of many pages of all peers' catalogues.
    pub fn sample() -> Self {
        let card = |id: &str, party: Party, title: &str, description: &str, rows, keywords: &[&str]| CatalogCard {
            id: id.into(),
            peer: party.name,
            did: party.did,
            title: title.into(),
            description: Some(description.into()),
            kind: Kind("table".into()),
            version: Some("3".into()),
            license: Some("CC-BY-4.0".into()),
            keywords: keywords.iter().map(|k| (*k).into()).collect(),
            rows: Some(Count(rows)),
            bytes: Some(Bytes(rows * 96)),
            offers: Count(2),
        };
        let list = Narrowed::new("/p/suzhou/catalog");
        Self {
            layout: layout("/p/suzhou/catalog"),
            of: None,
            facets: Self::facets(&list),
            list,
            cards: vec![
                card(
                    "bearing-vibration",
                    hefei(),
                    &bearings().title,
                    "Vibration spectra of the spindle bearings of 42 milling machines over 18 months.",
                    1_204_332,
                    &["manufacturing", "vibration", "轴承"],
                ),
                card(
                    "pv-daily",
                    hefei(),
                    "合肥光伏发电量日报",
                    "合肥高新区 318 座分布式光伏电站的逐日发电量、辐照度与组件温度。",
                    348_210,
                    &["能源", "光伏"],
                ),
                card(
                    "display-defects",
                    zgc(),
                    "Display panel defects",
                    "Defect classes and positions from automatic inspection of 8.6-generation panels.",
                    88_412,
                    &["displays", "quality"],
                ),
            ],
            paging: Paging { page: 1, pages: 89, total: Count(2_135) },
            copies: vec![wuhan(), copy(hefei(), 1_204, Some(200)), CatalogCopy { under_way: true, ..copy(zgc(), 919, Some(4_000)) }],
        }
    }

    /// Narrowed to a peer and a kind.
    pub fn sample_narrowed() -> Self {
        let list = Narrowed::new("/p/suzhou/catalog").with("peer", HEFEI).with("kind", "table");
        let mut page = Self { of: Some((hefei().name, HEFEI.into())), facets: Self::facets(&list), list, ..Self::sample() };
        page.copies.retain(|copy| copy.did == HEFEI);
        page
    }

    fn facets(list: &Narrowed) -> Vec<Facet> {
        let plain = |value: &str| Text::plain(value);
        let values = |pairs: &[(&str, u64)]| -> Vec<(String, u64)> { pairs.iter().map(|(v, n)| ((*v).to_owned(), *n)).collect() };
        let peers = values(&[(HEFEI, 1_204), ("did:web:data.zgc.example.cn:p:zgc", 919), ("did:web:127.0.0.1%3A7400:p:wuhan", 12)]);
        let name = |did: &str| Text::plain(if did == HEFEI { hefei().name } else { did.to_owned() });
        let mut facets: Vec<Facet> = Facet::of(list, "peer", Text::say("label-peer"), &peers, name).into_iter().collect();
        facets.extend(kinds(list));
        let licences = values(&[("CC-BY-4.0", 1_604), ("MIT", 12), ("https://hefei.example.cn/terms", 4)]);
        facets.extend(Facet::of(list, "license", Text::say("product-license"), &licences, plain));
        let languages = values(&[("zh-cn", 1_800), ("en", 420)]);
        facets.extend(Facet::of(list, "language", Text::say("product-language"), &languages, plain));
        facets
    }
}
