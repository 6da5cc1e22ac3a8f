//! Logs to standard error (`tracing`), metrics for Prometheus.

use crate::config::{Log, LogFormat};
use fondaco_core::{Code, Error, Result};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::{io::IsTerminal, sync::OnceLock};
use tracing_subscriber::{EnvFilter, fmt};

static METRICS: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Histogram buckets in seconds: from a local statement to a slow peer.
const BUCKETS: &[f64] = &[0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The metrics of this process; installed once, however many nodes it runs.
pub fn metrics() -> Option<&'static PrometheusHandle> {
    METRICS.get_or_init(|| PrometheusBuilder::new().set_buckets(BUCKETS).ok().and_then(|builder| builder.install_recorder().ok())).as_ref()
}

/// Sends logs to standard error. Later calls in the same process change nothing.
///
/// # Errors
/// [`Code::ConfigInvalid`] for a filter that cannot be read.
pub fn start(log: &Log) -> Result<()> {
    let filter = EnvFilter::try_new(&log.level)
        .map_err(|e| Error::new(Code::ConfigInvalid, format!("log.level \"{}\" is not a filter: {e}", log.level)))?;
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let _ = match log.format {
        LogFormat::Text => builder.compact().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(true).try_init(),
    };
    Ok(())
}
