//! Access as a consumer: the provider's data address, kept sealed, and the profile file a client reads with.

use super::App;
use crate::{
    files::wire::{Listing, PAGE_MAX_BYTES},
    jobs::{ENDPOINT_TYPE_DELTA_SHARING, ENDPOINT_TYPE_HTTP},
};
use axum::http::{HeaderValue, header};
use base64::{Engine, engine::general_purpose::STANDARD};
use fondaco_core::{
    Code, Error, Result,
    ids::TransferId,
    negotiation::Role,
    participant::Participant,
    time::Micros,
    transfer::{State, Transfer},
};
use fondaco_dsp::messages::transfer::DataAddress;
use fondaco_tables::delta_sharing::client::Profile;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

/// What a sealed data address holds.
#[derive(Serialize, Deserialize)]
struct Stored {
    endpoint_type: String,
    endpoint: Option<String>,
    authorization: Option<String>,
}

/// A listing of the Delta Sharing protocol.
#[derive(Deserialize)]
struct Listed {
    #[serde(default)]
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    name: String,
    #[serde(default)]
    share: String,
    #[serde(default)]
    schema: String,
}

/// Most shares looked into: a token of ours opens one.
const SHARES_MAX: usize = 20;

/// Access that a client can use.
#[derive(Clone, Debug)]
pub struct AccessProfile {
    /// The transfer it belongs to.
    pub transfer: Transfer,
    /// The profile file.
    pub profile: Profile,
    /// The tables it opens, as `share.schema.table`.
    pub tables: Vec<String>,
}

/// The way to the files of a product.
#[derive(Clone, Debug)]
pub struct FilesAccess {
    /// The transfer it belongs to.
    pub transfer: Transfer,
    /// The address of the list of files.
    pub endpoint: String,
    /// The bearer token for it.
    pub token: String,
}

/// The way to the data of an agreement.
#[derive(Clone, Debug)]
pub enum Access {
    /// A table, by Delta Sharing.
    Table(AccessProfile),
    /// Files, by HTTP.
    Files(FilesAccess),
}

/// Whether this node knows how to read what the transfer delivers.
fn is_readable(t: &Transfer) -> bool {
    t.is_delta_sharing() || t.is_http_pull()
}

/// The address of a list as a page, if it stands where access was opened: people are sent nowhere else.
fn list_page(endpoint: &Url, this: &str) -> Option<Url> {
    let mut page = Url::parse(this).ok().filter(|u| u.origin() == endpoint.origin() && u.origin().is_tuple())?;
    page.query_pairs_mut().append_pair("format", "html");
    Some(page)
}

fn context(id: &TransferId) -> String {
    format!("data-address:{id}")
}

impl App {
    /// Seals the data address of a start message for storage.
    ///
    /// # Errors
    /// When it is too large.
    pub fn seal_address(&self, id: &TransferId, address: &DataAddress) -> Result<Value> {
        let stored = Stored {
            endpoint_type: address.endpoint_type.clone(),
            endpoint: address.location().map(str::to_owned),
            authorization: address.property("authorization").map(str::to_owned),
        };
        let text = serde_json::to_vec(&stored).map_err(Error::internal_failure)?;
        let sealed = self.sealer.seal(&context(id), &text, &*self.entropy)?;
        Ok(json!(STANDARD.encode(sealed)))
    }

    fn open_address(&self, t: &Transfer) -> Result<Stored> {
        let none =
            || Error::new(Code::PeerAnsweredBadly, "The provider opened access but did not say where. Ask it, or start another transfer.");
        let sealed = t.sealed_address.as_ref().and_then(Value::as_str).ok_or_else(none)?;
        let sealed = STANDARD.decode(sealed).map_err(Error::internal_failure)?;
        let text = self.sealer.open(&context(&t.id), &sealed)?;
        serde_json::from_slice(&text).map_err(Error::internal_failure)
    }

    /// A profile file for an agreement about a table: of the transfer that is running, or of one started now.
    ///
    /// # Errors
    /// As [`App::access`]; [`Code::Invalid`] for an agreement about something else.
    pub async fn access_profile(&self, participant: &Participant, agreement_id: &str, wait: Micros) -> Result<AccessProfile> {
        match self.access(participant, agreement_id, wait).await? {
            Access::Table(profile) => Ok(profile),
            Access::Files(_) => Err(Error::invalid(format!(
                "This agreement is about files, not a table; fetch them: fondaco fetch {agreement_id} --out FOLDER"
            ))),
        }
    }

    /// The way to the data of an agreement: of the transfer that is running, or of one started now.
    ///
    /// # Errors
    /// [`Code::NotYet`] when the provider has not opened access within `wait`; [`Code::AccessEnded`] with its reason
    /// when it ended the transfer instead; [`Code::Unpaid`] when it waits for its money.
    pub async fn access(&self, participant: &Participant, agreement_id: &str, wait: Micros) -> Result<Access> {
        let view = self.agreement(&participant.slug, agreement_id).await?;
        if view.row.role != Role::Consumer {
            return Err(Error::invalid("You are the provider of this agreement; the consumer reads the data."));
        }
        let usable = |t: &&Transfer| matches!(t.state, State::Started { .. }) && is_readable(t);
        let waiting = |t: &&Transfer| matches!(t.state, State::Requested) && is_readable(t);
        let suspended = |t: &&Transfer| matches!(t.state, State::Suspended { .. });
        let transfer = if let Some(running) = view.transfers.iter().find(usable).or_else(|| view.transfers.iter().find(waiting)) {
            running.clone()
        } else if let Some(t) = view.transfers.iter().find(suspended) {
            // A stopped agreement says why, and more than its transfers.
            view.row.life.in_force(self.now())?;
            return Err(while_suspended(t));
        } else {
            self.transfer_begin(participant, agreement_id, None, None).await?
        };
        let transfer = self.transfer_wait(&participant.slug, &transfer.id, wait, |t| !matches!(t.state, State::Requested)).await?;
        match &transfer.state {
            State::Started { .. } => {}
            State::Requested => {
                return Err(Error::new(
                    Code::NotYet,
                    format!("The provider has not opened access yet. Look later: fondaco transfer list (transfer {})", transfer.id),
                ));
            }
            State::Suspended { ending, .. } | State::Terminated { ending, .. } => {
                let why = ending.reasons.join(" ");
                if ending.code.as_deref() == Some(Code::Unpaid.as_str()) {
                    return Err(Error::new(Code::Unpaid, why));
                }
                return Err(Error::new(Code::AccessEnded, format!("The transfer is {}. {why}", transfer.state.name())));
            }
            State::Completed { .. } => return Err(Error::new(Code::AccessEnded, "The transfer is COMPLETED.")),
        }
        let address = self.open_address(&transfer)?;
        let (Some(endpoint), Some(token)) = (address.endpoint, address.authorization) else {
            return Err(Error::new(Code::PeerAnsweredBadly, "The provider's data address lacks an endpoint or a token."));
        };
        match address.endpoint_type.as_str() {
            ENDPOINT_TYPE_DELTA_SHARING => {
                let profile = Profile::new(&endpoint, &token, None);
                let tables = self.shared_tables(&profile).await?;
                Ok(Access::Table(AccessProfile { transfer, profile, tables }))
            }
            ENDPOINT_TYPE_HTTP => Ok(Access::Files(FilesAccess { transfer, endpoint, token })),
            other => Err(Error::new(
                Code::PeerAnsweredBadly,
                format!("The provider delivers by a protocol that this node does not read: {other:.200}"),
            )),
        }
    }

    /// The page that lists the files of an agreement, at the provider, for the browser of a person of ours: its address
    /// is signed. Asking for it counts as a read.
    ///
    /// # Errors
    /// As [`App::access`]; [`Code::Invalid`] for an agreement about something else; [`Code::PeerAnsweredBadly`] for a
    /// list that leads away from where access was opened.
    pub async fn files_page(&self, participant: &Participant, agreement_id: &str) -> Result<Url> {
        let Access::Files(files) = self.access(participant, agreement_id, Micros(0)).await? else {
            return Err(Error::invalid("This agreement is about a table, not files: read it with its profile file."));
        };
        let endpoint = self.url(&files.endpoint)?;
        let request = crate::net::OutRequest::get(endpoint.clone())
            .with_header(header::ACCEPT, HeaderValue::from_static("application/json"))
            .with_limit(PAGE_MAX_BYTES)
            .with_authorization(&format!("Bearer {}", files.token))?;
        let response = self.outbound.send(request).await?;
        if !response.status.is_success() {
            return Err(Error::new(Code::PeerRefused, format!("The provider's list of files answered {}.", response.status.as_u16())));
        }
        let odd = || Error::new(Code::PeerAnsweredBadly, "The provider's list of files has no address of its own.");
        let listing: Listing = serde_json::from_slice(&response.body).map_err(|e| odd().with_internal(e))?;
        list_page(&endpoint, &listing.this).ok_or_else(odd)
    }

    /// What the provider's share lists for this token.
    async fn shared_tables(&self, profile: &Profile) -> Result<Vec<String>> {
        let mut tables = Vec::new();
        for share in self.listed(profile, "/shares").await?.into_iter().take(SHARES_MAX) {
            let mut path = url::Url::parse("http://x/shares").map_err(Error::internal_failure)?;
            if let Ok(mut segments) = path.path_segments_mut() {
                segments.push(&share.name).push("all-tables");
            }
            let listed = self.listed(profile, path.path()).await?;
            tables.extend(listed.into_iter().map(|t| format!("{}.{}.{}", t.share, t.schema, t.name)));
        }
        Ok(tables)
    }

    async fn listed(&self, profile: &Profile, path: &str) -> Result<Vec<Item>> {
        let url = self.url(&format!("{}{path}", profile.endpoint.trim_end_matches('/')))?;
        let request = crate::net::OutRequest::get(url).with_authorization(&format!("Bearer {}", profile.bearer_token))?;
        let response = self.outbound.send(request).await?;
        if !response.status.is_success() {
            let words = fondaco_tables::delta_sharing::client::parse_error(&response.body).map(|e| e.message).unwrap_or_default();
            let status = response.status.as_u16();
            return Err(Error::new(Code::PeerRefused, format!("The provider's share answered {status}. {words:.300}")));
        }
        let listed: Listed = serde_json::from_slice(&response.body)
            .map_err(|e| Error::new(Code::PeerAnsweredBadly, "The provider's share cannot be listed.").with_internal(e))?;
        Ok(listed.items)
    }
}

/// Why nothing can be read while a transfer is suspended. Only the side that suspended it can resume it.
fn while_suspended(t: &Transfer) -> Error {
    let State::Suspended { by: Role::Provider, ending, .. } = &t.state else {
        return Error::new(Code::AccessEnded, format!("Access is suspended. Resume it first: fondaco transfer resume {}", t.id));
    };
    let why = ending.reasons.join(" ");
    Error::new(Code::AccessEnded, format!("The provider suspended access and can resume it. {why}").trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_sent_to_the_provider_and_nowhere_else() {
        let endpoint = Url::parse("https://data.example/p/acme/files/t1").expect("an address");
        let page = |this| list_page(&endpoint, this).map(String::from);
        let ours = page("https://data.example/p/acme/files/t1?exp=5&sig=x");
        assert_eq!(ours.as_deref(), Some("https://data.example/p/acme/files/t1?exp=5&sig=x&format=html"));
        for elsewhere in
            ["https://evil.example/p", "http://data.example/p", "https://data.example:444/", "javascript:alert(1)", "/p/acme", ""]
        {
            assert_eq!(page(elsewhere), None, "{elsewhere}");
        }
    }
}
