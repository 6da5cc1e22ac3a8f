//! Samples of the pages about products, peers and catalogues.

use super::{HEFEI, bearings, columns, hefei, layout, party, terms, when, zgc};
use crate::Text;
use crate::format::{Bytes, Count};
use crate::pages::{
    CatalogCard, CatalogPage, ColumnProfile, FileView, OfferView, Owner, Paging, PeerRow, PeersPage, ProductPage, ProductRow, ProductsPage,
    Publication,
};
use crate::states::{Kind, ProductState};
use crate::view::{Party, Terms};

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
        }
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
            owner: Owner::Ours { state: ProductState::Published, publication: Publication { schema: true, profile: false } },
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
            offers: vec![OfferView { id: "flights-research".into(), terms: terms() }],
        }
    }

    /// A peer's.
    pub fn sample_peer() -> Self {
        Self {
            layout: layout("/p/suzhou/catalog/product"),
            owner: Owner::Peer { address: HEFEI.into(), name: hefei().name, did: hefei().did },
            id: "bearing-vibration".into(),
            title: bearings().title,
            description: Some(
                "Vibration spectra of the spindle bearings of 42 milling machines over 18 \
                 months, with the dates of every replacement. Made for predicting failures."
                    .into(),
            ),
            keywords: ["manufacturing", "vibration", "predictive maintenance", "轴承"].map(Into::into).into(),
            version: Some("3".into()),
            versions: Vec::new(),
            profile: Vec::new(),
            files: Vec::new(),
            offers: vec![
                OfferView { id: "research".into(), terms: terms() },
                OfferView {
                    id: "commercial".into(),
                    terms: Terms {
                        sentences: vec![Text::say("terms-elapsed").with("period", Text::say("common-days").with("n", 90_u64))],
                        ..terms()
                    },
                },
            ],
            ..Self::sample()
        }
    }
}

impl PeersPage {
    /// Three contacts.
    pub fn sample() -> Self {
        let row = |party: Party, reachable, time| PeerRow {
            name: party.name,
            address: party.did.clone(),
            did: party.did,
            reachable,
            last_contact: when(time),
        };
        Self {
            layout: layout("/p/suzhou/peers"),
            address: String::new(),
            problem: None,
            peers: vec![
                row(hefei(), true, "13:59:40"),
                row(zgc(), true, "12:44:09"),
                row(party("Wuhan East Lake", "did:web:127.0.0.1%3A7400:p:wuhan", false), false, "08:00:12"),
            ],
        }
    }
}

impl CatalogPage {
    /// The first of two pages.
    pub fn sample() -> Self {
        let card = |id: &str, title: &str, description: &str, rows, keywords: &[&str]| CatalogCard {
            id: id.into(),
            title: title.into(),
            description: Some(description.into()),
            kind: Kind("table".into()),
            version: Some("3".into()),
            keywords: keywords.iter().map(|k| (*k).into()).collect(),
            rows: Some(Count(rows)),
            bytes: Some(Bytes(rows * 96)),
            offers: Count(2),
        };
        Self {
            layout: layout("/p/suzhou/catalog"),
            peer: HEFEI.into(),
            name: hefei().name,
            did: hefei().did,
            query: String::new(),
            cards: vec![
                card(
                    "bearing-vibration",
                    &bearings().title,
                    "Vibration spectra of the spindle bearings of 42 milling machines over 18 months.",
                    1_204_332,
                    &["manufacturing", "vibration", "轴承"],
                ),
                card(
                    "pv-daily",
                    "合肥光伏发电量日报",
                    "合肥高新区 318 座分布式光伏电站的逐日发电量、辐照度与组件温度。",
                    348_210,
                    &["能源", "光伏"],
                ),
                card(
                    "display-defects",
                    "Display panel defects",
                    "Defect classes and positions from automatic inspection of 8.6-generation panels.",
                    88_412,
                    &["displays", "quality"],
                ),
            ],
            paging: Paging { page: 1, pages: 2, total: Count(27) },
        }
    }
}
