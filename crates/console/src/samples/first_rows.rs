//! The first rows of a table as others see them.

use super::{hefei, layout};
use crate::Text;
use crate::format::Count;
use crate::pages::{FirstRows, FirstRowsPage, SeenBy};

fn row(cells: [&str; 5]) -> Vec<Option<String>> {
    cells.iter().map(|cell| Some((*cell).to_owned()).filter(|c| !c.is_empty())).collect()
}

impl FirstRowsPage {
    /// Under an agreement.
    pub fn sample() -> Self {
        let seen = FirstRows {
            terms: vec![Text::say("terms-times").with("n", crate::text::Digits(100))],
            columns: ["time_hour", "carrier", "origin", "dest", "dep_delay"].map(String::from).into(),
            rows: vec![
                row(["2013-01-01T05:00:00", "UA", "EWR", "IAH", "2.0"]),
                row(["2013-01-01T05:00:00", "UA", "LGA", "IAH", "4.0"]),
                row(["2013-01-01T05:00:00", "AA", "JFK", "MIA", ""]),
            ],
            looked_at_beginning: true,
            ..FirstRows::default()
        };
        Self {
            layout: layout("/p/suzhou/agreements/x/preview"),
            title: "Flights from New York, 2013".into(),
            seen_by: SeenBy::Consumer { agreement: "agr-01jd3v7new".into(), party: hefei() },
            alternatives: vec![seen],
            nothing: None,
        }
    }

    /// Under an offer with two alternatives.
    pub fn sample_offer() -> Self {
        let base = Self::sample();
        let hashed = FirstRows { sample_hashes: true, ..base.alternatives[0].clone() };
        let grouped = FirstRows { aggregates: Some(Count(10)), rows: Vec::new(), ..base.alternatives[0].clone() };
        Self { seen_by: SeenBy::Buyer { product: "flights".into(), version: "2".into() }, alternatives: vec![hashed, grouped], ..base }
    }
}
