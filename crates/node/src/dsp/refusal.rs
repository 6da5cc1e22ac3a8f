//! Errors in the protocol's own shape: `CatalogError`, `ContractNegotiationError`, `TransferError`.

use crate::http::problem::caused_by;
use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use fondaco_core::{Code, Error};
use fondaco_dsp::{
    WireError,
    messages::{agreement::AgreementEventError, catalog::CatalogError, negotiation::ContractNegotiationError, transfer::TransferError},
};

/// Which protocol a request belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Catalogue.
    Catalog,
    /// Contract negotiation.
    Negotiation,
    /// Transfer process.
    Transfer,
    /// Events of agreements, ours.
    Agreement,
}

impl Family {
    /// By the path, for errors that happen before a handler runs.
    pub fn of_path(path: &str) -> Self {
        if path.contains("/dsp/2025-1/negotiations/") {
            Self::Negotiation
        } else if path.contains("/dsp/2025-1/transfers/") {
            Self::Transfer
        } else if path.contains("/dsp/2025-1/agreements/") || path.contains("/evidence/") {
            Self::Agreement
        } else {
            Self::Catalog
        }
    }
}

/// A refusal on its way out.
#[derive(Debug)]
pub struct Refusal {
    family: Family,
    error: Error,
    provider_pid: String,
    consumer_pid: String,
}

impl Refusal {
    /// About no process in particular.
    pub fn new(family: Family, error: Error) -> Self {
        Self { family, error, provider_pid: String::new(), consumer_pid: String::new() }
    }

    /// About a process, with the pids as the message had them.
    #[must_use]
    pub fn about(mut self, provider_pid: &str, consumer_pid: &str) -> Self {
        provider_pid.clone_into(&mut self.provider_pid);
        consumer_pid.clone_into(&mut self.consumer_pid);
        self
    }

    /// A message that cannot be read.
    pub fn unreadable(family: Family, e: &WireError) -> Self {
        Self::new(family, Error::invalid(e.to_string()))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        // Forbidden and unknown look alike from outside (ids-specification, anti-enumeration); a policy's reason is told
        // inside processes, by termination.
        let status = match self.error.code() {
            Code::Forbidden => 404,
            Code::PolicyDenied | Code::AccessEnded | Code::Stopped | Code::EndNotAgreed | Code::Conflict => 400,
            // Somebody else's document could not be had: the caller may try again.
            Code::DidUnresolvable => 503,
            code => code.status(),
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let code = Some(self.error.code().as_str().to_owned());
        let reasons = vec![self.error.message().to_owned()];
        let (provider_pid, consumer_pid) = (self.provider_pid, self.consumer_pid);
        let body = match self.family {
            Family::Catalog => CatalogError { message_id: None, code, reasons }.to_json(),
            Family::Negotiation => ContractNegotiationError { message_id: None, provider_pid, consumer_pid, code, reasons }.to_json(),
            Family::Agreement => AgreementEventError { code, reasons }.to_json(),
            Family::Transfer => TransferError { message_id: None, provider_pid, consumer_pid, code, reasons }.to_json(),
        };
        caused_by((status, Json(body)).into_response(), self.error)
    }
}
