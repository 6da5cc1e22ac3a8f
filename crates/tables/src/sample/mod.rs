//! Believable tables from a seed, for the demonstration: one for each zone's strength. The values
//! follow plausible daily cycles and spreads, a few are missing, and the same seed gives the same file.

mod generate;
mod tables;

use std::path::Path;

use crate::{TablesError, publish::ParquetFile};
use generate::{Random, Rows};

/// A kind of sample table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SampleTable {
    /// Beijing Zhongguancun: hourly air quality of monitoring stations.
    AirQuality,
    /// Suzhou Industrial Park: telemetry of machining centres.
    MachineTelemetry,
    /// Hefei High-tech Zone: sessions of charging stations.
    ChargingSessions,
    /// Shanghai Zhangjiang: wafer inspection results.
    WaferInspection,
    /// Shenzhen: cycling tests of battery cells.
    BatteryCycling,
    /// Guangzhou Huangpu: growth assays of cell cultures.
    CellCulture,
    /// Hangzhou: hourly riders of metro stations.
    MetroRidership,
    /// Wuhan East Lake (Optics Valley): readings of optical links.
    OpticalLinks,
    /// Chengdu: deliveries of cold-chain lorries.
    ColdChain,
    /// Xi'an: ten-minute readings of wind turbines.
    WindTurbines,
    /// Nanjing: patents offered for licence.
    TechnologyTransfer,
}

/// How a sample is described in a catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleDescription {
    /// Product id and file stem.
    pub id: &'static str,
    /// Title.
    pub title: &'static str,
    /// A sentence or two.
    pub description: &'static str,
    /// Words to find it by.
    pub keywords: &'static [&'static str],
    /// The zone whose strength it is.
    pub zone: &'static str,
}

impl SampleTable {
    /// All kinds, one per zone.
    pub const ALL: [Self; 11] = [
        Self::AirQuality,
        Self::MachineTelemetry,
        Self::ChargingSessions,
        Self::WaferInspection,
        Self::BatteryCycling,
        Self::CellCulture,
        Self::MetroRidership,
        Self::OpticalLinks,
        Self::ColdChain,
        Self::WindTurbines,
        Self::TechnologyTransfer,
    ];

    /// How it is described in a catalogue.
    pub fn describe(self) -> SampleDescription {
        tables::describe(self)
    }
}

/// Writes `rows` rows of a sample as a Parquet file at `path`, which must not exist.
pub fn write_sample(kind: SampleTable, rows: u64, seed: u64, path: &Path) -> Result<(), TablesError> {
    let mut random = Random::new(seed ^ (kind as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let columns = tables::columns(kind);
    let mut file = ParquetFile::create(path, generate::schema(&columns))?;
    let mut batch = Rows::new(&columns);
    for row in 0..rows {
        tables::fill(kind, row, &mut random, &mut batch);
        if batch.is_full() || row + 1 == rows {
            let written = batch.finish().map_err(|e| TablesError::Write { file: path.display().to_string(), reason: e.to_string() })?;
            file.write(&written)?;
        }
    }
    file.finish().map(|_| ())
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, fs};

    use super::*;
    use crate::publish::{PublishOptions, TableSource, publish_table};

    #[test]
    fn every_sample_publishes_and_is_the_same_for_the_same_seed() {
        let dir = tempfile::tempdir().unwrap();
        let mut ids = HashSet::new();
        for kind in SampleTable::ALL {
            let about = kind.describe();
            assert!(ids.insert(about.id) && !about.keywords.is_empty() && about.description.len() > 40);
            let path = |name: &str| dir.path().join(format!("{}-{name}.parquet", about.id));
            write_sample(kind, 3_000, 7, &path("a")).unwrap();
            write_sample(kind, 3_000, 7, &path("b")).unwrap();
            write_sample(kind, 3_000, 8, &path("c")).unwrap();
            let bytes = |name: &str| fs::read(path(name)).unwrap();
            assert_eq!(bytes("a"), bytes("b"), "{}", about.id);
            assert_ne!(bytes("a"), bytes("c"), "{}", about.id);
            let out = dir.path().join(about.id);
            let table = publish_table(&TableSource::Paths(vec![path("a")]), &out, &PublishOptions::default(), &mut |_| ()).unwrap();
            assert_eq!(table.rows, 3_000);
            assert!(table.schema.columns.len() >= 6, "{}", about.id);
            assert!(table.profile.iter().any(|c| c.nulls > 0), "{}", about.id);
            assert!(table.profile.iter().all(|c| c.nulls < 1_500), "{}", about.id);
            // Nothing is constant.
            assert!(table.profile.iter().all(|c| c.distinct_estimate.unwrap_or(2) > 1), "{}: {:?}", about.id, table.profile);
        }
    }
}
