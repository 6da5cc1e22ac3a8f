//! What an object store's failures mean for the publisher.

use std::{error::Error, fmt::Write};

use object_store::client::{HttpError, HttpErrorKind};

use crate::{StorageTrouble, TablesError};

/// Longest part of a service's own words that is passed on.
const MAX_QUOTED_CHARS: usize = 300;

/// Explains a failure.
pub(super) fn explain(subject: String, error: &object_store::Error) -> TablesError {
    let said = said(error);
    let code = said.code.as_deref().unwrap_or_default();
    let refused = || {
        let advice = match code {
            "SignatureDoesNotMatch" => "the secret key is wrong",
            "InvalidAccessKeyId" => "the access key is not known",
            "ExpiredToken" | "RequestTimeTooSkewed" => "the keys have expired, or a clock is wrong",
            _ => "access was refused; the keys must be allowed to list the bucket and read its objects",
        };
        (StorageTrouble::Refused, advice)
    };
    let missing = || match code {
        "NoSuchBucket" => (StorageTrouble::Missing, "there is no such bucket"),
        _ => (StorageTrouble::Missing, "there is no such object"),
    };
    let (trouble, advice) = match error {
        _ if ["AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException"].contains(&code)
            || said.text.contains("without LOCATION") =>
        {
            (StorageTrouble::Refused, "the bucket is in another region, or at another address; correct the region")
        }
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => refused(),
        object_store::Error::NotFound { .. } => missing(),
        object_store::Error::Precondition { .. } => (StorageTrouble::Changed, "it changed while it was read; publish again"),
        object_store::Error::InvalidPath { .. } => {
            (StorageTrouble::Failed, "keys with empty steps, or with . or .. as a step, cannot be read; rename the objects")
        }
        // Listings give what the service answered as text only.
        _ if said.answered(&["401", "403"]) => refused(),
        _ if said.answered(&["404"]) && said.code.is_some() => missing(),
        _ if said.answered(&["404"]) => {
            (StorageTrouble::Missing, "there is no such bucket, or what answers is no S3 storage; check the address")
        }
        _ => match said.kind {
            Some(HttpErrorKind::Timeout) => (StorageTrouble::Slow, "the service does not answer in time"),
            Some(HttpErrorKind::Connect) => (StorageTrouble::Unreachable, "the service cannot be reached; check address, port and TLS"),
            Some(HttpErrorKind::Decode) => {
                (StorageTrouble::Failed, "what answers there is no S3 storage; check the address and where the bucket stands in it")
            }
            _ => (StorageTrouble::Failed, "the service failed, also when asked again"),
        },
    };
    let mut reason = advice.to_owned();
    // Writing to a text cannot fail.
    let _ = match &said.code {
        Some(code) => write!(reason, " ({code})"),
        None if matches!(trouble, StorageTrouble::Failed | StorageTrouble::Unreachable) => write!(reason, " ({})", said.root),
        None => Ok(()),
    };
    TablesError::Storage { trouble, subject, reason }
}

/// What a failure says about itself.
struct Said {
    /// The whole text.
    text: String,
    /// The service's code.
    code: Option<String>,
    /// What happened to the connection.
    kind: Option<HttpErrorKind>,
    /// The innermost cause.
    root: String,
}

impl Said {
    fn answered(&self, statuses: &[&str]) -> bool {
        self.text.split_once("status code: ").is_some_and(|(_, rest)| statuses.iter().any(|s| rest.starts_with(s)))
    }
}

fn said(error: &object_store::Error) -> Said {
    let text = error.to_string();
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map(|(code, _)| quoted(code));
    let (mut kind, mut root) = (None, String::new());
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(cause) = next {
        kind = kind.or(cause.downcast_ref::<HttpError>().map(HttpError::kind));
        root = cause.to_string();
        next = cause.source();
    }
    Said { text, code, kind, root: quoted(&root) }
}

/// Foreign words, short and on one line.
fn quoted(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_QUOTED_CHARS).collect()
}
