//! What the demonstration plays: the zones, what each publishes under which terms, and the deals between them. Data
//! only; nothing here runs.

use fondaco_core::{
    decision::{Action, Decision, Rules, Trigger},
    participant::Did,
};
use fondaco_tables::sample::SampleTable;
use serde_json::{Value, json};

/// Fewest nodes: the deals need three parties.
pub const NODES_MIN: usize = 3;
/// Most nodes: one per zone.
pub const NODES_MAX: usize = SLUGS.len();

/// The zones' short names, in the order of [`SampleTable::ALL`].
const SLUGS: [&str; 11] =
    ["zhongguancun", "suzhou", "hefei", "zhangjiang", "shenzhen", "huangpu", "hangzhou", "optics-valley", "chengdu", "xian", "nanjing"];
/// The country of all of them.
pub(super) const COUNTRY: &str = "CN";

/// The zones by their place in the list.
const ZHONGGUANCUN: usize = 0;
const SUZHOU: usize = 1;
const HEFEI: usize = 2;

/// A zone and what it publishes.
#[derive(Clone, Debug)]
pub(super) struct Zone {
    /// Its slug, also its folder.
    pub(super) slug: &'static str,
    /// Its name.
    pub(super) name: &'static str,
    /// The seed of its tables, so that two zones with the same kind of table have different ones.
    pub(super) seed: u64,
    /// Its products.
    pub(super) products: Vec<ProductPlan>,
}

/// A table on offer.
#[derive(Clone, Debug)]
pub(super) struct ProductPlan {
    /// The kind of table.
    pub(super) table: SampleTable,
    /// How many rows.
    pub(super) rows: u64,
    /// Whether minima, maxima and so on go into the catalogue.
    pub(super) publish_profile: bool,
    /// Its offers.
    pub(super) offers: Vec<Offer>,
}

/// Terms of the demonstration. An offer's id is its name, unique within a participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// Every participant, without limits.
    Open,
    /// Thirty days, at most a hundred reads.
    Month,
    /// One read.
    Sample,
    /// Only for research.
    Research,
    /// Only participants established in China.
    WithinChina,
    /// Only Hefei.
    ForHefei,
    /// Every participant, once a person has agreed.
    OnRequest,
}

impl Offer {
    /// Its id.
    pub(super) const fn id(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Month => "month",
            Self::Sample => "sample",
            Self::Research => "research",
            Self::WithinChina => "within-china",
            Self::ForHefei => "for-hefei",
            Self::OnRequest => "on-request",
        }
    }

    /// Its ODRL. `dids` are those of the zones, in order.
    pub(super) fn odrl(self, dids: &[Did]) -> Value {
        let is = |left: &str, operator: &str, right: Value| json!({"leftOperand": left, "operator": operator, "rightOperand": right});
        let constraints = match self {
            Self::Open | Self::OnRequest => vec![],
            Self::Month => vec![is("elapsedTime", "lteq", json!("P30D")), is("count", "lteq", json!(100))],
            Self::Sample => vec![is("count", "lteq", json!(1))],
            Self::Research => vec![is("purpose", "eq", json!("research"))],
            Self::WithinChina => vec![is("spatial", "eq", json!(COUNTRY))],
            Self::ForHefei => vec![is("recipient", "eq", json!(dids.get(HEFEI)))],
        };
        let mut permission = json!({"action": "use"});
        if !constraints.is_empty() {
            permission["constraint"] = constraints.into();
        }
        json!({"@id": self.id(), "@type": "Offer", "permission": [permission]})
    }

    /// What the provider's node does of its own accord; nothing means the default, which is to agree.
    pub(super) fn rules(self) -> Option<Rules> {
        (self == Self::OnRequest).then(|| Rules([(Trigger::Requested, vec![Decision::now(Action::Hold)])].into()))
    }
}

/// A deal to be made.
#[derive(Clone, Debug)]
pub(super) struct DealPlan {
    /// Who asks.
    pub(super) consumer: usize,
    /// Who is asked.
    pub(super) provider: usize,
    /// For what.
    pub(super) table: SampleTable,
    /// Under which offer.
    pub(super) offer: Offer,
    /// Declared as purpose.
    pub(super) purpose: Option<&'static str>,
    /// What becomes of it.
    pub(super) outcome: Outcome,
}

/// How far a deal goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It waits for a person at the provider.
    Waiting,
    /// The provider's node refuses it.
    Refused,
    /// Agreed, and nothing delivered yet.
    Agreed,
    /// Agreed, and read once.
    Read,
    /// Agreed, delivered, suspended by the provider for this reason.
    Suspended(&'static str),
    /// Agreed, delivered, and the consumer has all it wanted.
    Completed,
}

/// The first `nodes` zones. `rows` replaces the size of every table.
pub(super) fn zones(nodes: usize, rows: Option<u64>) -> Vec<Zone> {
    let plan = |table, size: u64, publish_profile, offers: &[Offer]| ProductPlan {
        table,
        rows: rows.unwrap_or(size),
        publish_profile,
        offers: offers.to_vec(),
    };
    let zone = |(place, (slug, table)): (usize, (&'static str, SampleTable))| {
        let products = match place {
            ZHONGGUANCUN => {
                vec![plan(table, 60_000, true, &[Offer::Open]), plan(SampleTable::TechnologyTransfer, 5_000, false, &[Offer::OnRequest])]
            }
            SUZHOU => vec![
                plan(table, 100_000, true, &[Offer::Month, Offer::Research]),
                plan(SampleTable::CellCulture, 20_000, false, &[Offer::ForHefei]),
            ],
            HEFEI => {
                vec![plan(table, 80_000, false, &[Offer::WithinChina]), plan(SampleTable::BatteryCycling, 40_000, true, &[Offer::Sample])]
            }
            _ => vec![plan(table, 30_000, place % 2 == 0, &[further_offer(place)])],
        };
        Zone { slug, name: table.describe().zone, seed: 2026 + place as u64, products }
    };
    SLUGS.into_iter().zip(SampleTable::ALL).take(nodes).enumerate().map(zone).collect()
}

/// The offer of a zone beyond the first three.
const fn further_offer(place: usize) -> Offer {
    match place % 3 {
        0 => Offer::Month,
        1 => Offer::WithinChina,
        _ => Offer::Research,
    }
}

/// The deals between the first `nodes` zones. The first is the worked example, the second the one that waits.
pub(super) fn deals(nodes: usize) -> Vec<DealPlan> {
    let deal = |consumer, provider, table, offer, outcome| DealPlan { consumer, provider, table, offer, purpose: None, outcome };
    let mut deals = vec![
        deal(ZHONGGUANCUN, SUZHOU, SampleTable::MachineTelemetry, Offer::Month, Outcome::Read),
        deal(SUZHOU, ZHONGGUANCUN, SampleTable::TechnologyTransfer, Offer::OnRequest, Outcome::Waiting),
        deal(ZHONGGUANCUN, HEFEI, SampleTable::BatteryCycling, Offer::Sample, Outcome::Read),
        deal(
            HEFEI,
            ZHONGGUANCUN,
            SampleTable::AirQuality,
            Offer::Open,
            Outcome::Suspended("Two stations are being calibrated; access resumes when they measure again."),
        ),
        deal(SUZHOU, HEFEI, SampleTable::ChargingSessions, Offer::WithinChina, Outcome::Completed),
        deal(HEFEI, SUZHOU, SampleTable::CellCulture, Offer::ForHefei, Outcome::Agreed),
        DealPlan { purpose: Some("advertising"), ..deal(HEFEI, SUZHOU, SampleTable::MachineTelemetry, Offer::Research, Outcome::Refused) },
    ];
    for place in NODES_MIN..nodes {
        // Each further zone reads the table of the one before it.
        let provider = place - 1;
        let offer = if provider == HEFEI { Offer::WithinChina } else { further_offer(provider) };
        let purpose = (offer == Offer::Research).then_some("research");
        deals.push(DealPlan { purpose, ..deal(place, provider, SampleTable::ALL[provider], offer, Outcome::Read) });
    }
    deals
}

#[cfg(test)]
mod tests {
    use super::*;
    use fondaco_core::{participant::Slug, policy::Policy};
    use std::collections::HashSet;

    #[test]
    fn the_deals_are_about_what_is_published() {
        for nodes in NODES_MIN..=NODES_MAX {
            let zones = zones(nodes, None);
            assert_eq!(zones.len(), nodes);
            for deal in deals(nodes) {
                assert!(deal.consumer < nodes && deal.provider < nodes && deal.consumer != deal.provider);
                let product = zones[deal.provider].products.iter().find(|p| p.table == deal.table).expect("published");
                assert!(product.offers.contains(&deal.offer), "{deal:?}");
            }
        }
        let waiting = deals(NODES_MAX).iter().filter(|d| d.outcome == Outcome::Waiting).count();
        assert_eq!(waiting, 1, "one deal waits for the visitor");
    }

    #[test]
    fn slugs_and_offers_are_sound_and_unique() {
        let dids: Vec<Did> = SLUGS.iter().map(|s| Did::parse(&format!("did:web:127.0.0.1%3A1:p:{s}")).expect("did")).collect();
        let mut names = HashSet::new();
        for zone in zones(NODES_MAX, None) {
            Slug::parse(zone.slug).expect("slug");
            assert!(names.insert(zone.slug) && names.insert(zone.name));
            let offers: Vec<Offer> = zone.products.iter().flat_map(|p| p.offers.clone()).collect();
            let ids: HashSet<&str> = offers.iter().map(|o| o.id()).collect();
            assert_eq!(ids.len(), offers.len(), "{}", zone.slug);
            for offer in offers {
                Policy::from_odrl(&offer.odrl(&dids)).expect("enforced");
            }
        }
    }
}
