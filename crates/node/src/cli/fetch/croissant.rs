//! The description that comes with the data, where the provider has one: `croissant.json` beside the files.

use super::super::failure::{Failure, Result};
use crate::net::{OutRequest, Outbound};
use fondaco_core::Code;
use std::{fs, path::Path};
use url::Url;

/// What it is called beside the files.
pub(super) const NAME: &str = "croissant.json";

/// Asks the provider for it. A provider without one (another product than ours) is no failure; neither is a file of that
/// name among the data, which stays.
pub(super) async fn write(http: &Outbound, endpoint: &str, token: &str, folder: &Path) -> Result<()> {
    let path = folder.join(NAME);
    if path.exists() {
        return Ok(());
    }
    let url = Url::parse(&format!("{}/{NAME}", endpoint.trim_end_matches('/')))
        .map_err(|e| Failure::new(Code::PeerAnsweredBadly, format!("The provider's address cannot be used: {e}.")))?;
    let answer = http.send(OutRequest::get(url).with_authorization(&format!("Bearer {token}"))?).await;
    let Ok(answer) = answer else { return Ok(()) };
    if !answer.status.is_success() || serde_json::from_slice::<serde_json::Value>(&answer.body).is_err() {
        return Ok(());
    }
    fs::write(&path, &answer.body).map_err(|e| Failure::file("Cannot write", &path, &e))
}
