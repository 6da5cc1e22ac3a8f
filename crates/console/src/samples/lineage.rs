//! Where a report came from.

use super::{AGREEMENT, HEFEI, layout, when};
use crate::pages::{LineageKind as Kind, LineagePage, LineageRelation as Relation, LineageThing};

impl LineagePage {
    /// A product of ours, made from one of another organisation.
    pub fn sample() -> Self {
        let thing = |kind, name: &str, id: &str, depth, from: &[(Relation, usize)]| LineageThing {
            kind,
            name: name.into(),
            id: id.into(),
            href: None,
            at: None,
            depth,
            from: from.to_vec(),
        };
        let own = "did:web:data.suzhou.example.cn:p:suzhou";
        let hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        let mut things = vec![
            thing(
                Kind::Product,
                "Wear of bearings 轴承磨损报告",
                "wear:2",
                0,
                &[(Relation::By, 1), (Relation::DerivedFrom, 2), (Relation::Holds, 3)],
            ),
            thing(Kind::Party, "Suzhou Industrial Park", own, 1, &[]),
            thing(Kind::Agreement, AGREEMENT, AGREEMENT, 1, &[(Relation::With, 1), (Relation::With, 4), (Relation::About, 5)]),
            thing(Kind::File, "wear.parquet", hash, 1, &[]),
            thing(Kind::Party, "Hefei High-tech Zone", HEFEI, 2, &[]),
            thing(Kind::Product, "Bearing vibration, 42 machines", "bearing-vibration", 2, &[(Relation::By, 4)]),
        ];
        things[0].at = Some(when("13:40:00"));
        things[0].href = Some("/p/suzhou/products/wear?version=2".into());
        things[2].href = Some(format!("/p/suzhou/agreements/{AGREEMENT}"));
        Self { layout: layout("/p/suzhou/lineage/wear:2"), id: "wear:2".into(), things, cut: false }
    }
}
