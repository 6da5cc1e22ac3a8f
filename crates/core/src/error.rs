//! One table of error codes, append-only. Every surface renders the same [`Error`] in its own shape: problem+json on
//! the admin API, the protocol's error object on DSP and Delta Sharing, a page in the console, a line in the terminal.

use serde::{Deserialize, Serialize};

/// What a fallible rule or use case returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:literal, $title:literal;)*) => {
        /// A stable code. Each has a page in `docs/errors/`; codes are never reused or renumbered.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Code {$($(#[$doc])* $name,)*}
        impl Code {
            /// Every code, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
            /// The text that callers match on.
            pub const fn as_str(self) -> &'static str {
                match self {$(Self::$name => $code,)*}
            }
            /// The HTTP status it is answered with.
            pub const fn status(self) -> u16 {
                match self {$(Self::$name => $status,)*}
            }
            /// Its page: what it means and what to do, in Markdown.
            pub const fn page(self) -> &'static str {
                match self {$(Self::$name => include_str!(concat!("../../../docs/errors/", $code, ".md")),)*}
            }
            /// The same page in Chinese, without examples.
            pub const fn page_in_chinese(self) -> &'static str {
                match self {$(Self::$name => include_str!(concat!("../../../docs/errors/zh/", $code, ".md")),)*}
            }
            /// The code with this text.
            pub fn from_text(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.as_str() == text)
            }
            /// What it means, in a few words.
            pub const fn title(self) -> &'static str {
                match self {$(Self::$name => $title,)*}
            }
        }
    };
}

codes! {
    /// A field or message is not of the right shape.
    Invalid = "FDC-1001", 400, "The request is not valid";
    /// No credential, or one that is wrong or expired.
    Unauthenticated = "FDC-1002", 401, "Sign in or send a valid token";
    /// A valid credential that does not reach this far.
    Forbidden = "FDC-1003", 403, "This credential may not do that";
    /// Unknown, or not yours to know.
    NotFound = "FDC-1004", 404, "Not found";
    /// It exists already, or changed meanwhile.
    Conflict = "FDC-1005", 409, "Conflicts with what is there";
    /// A body, page or file over its limit.
    TooLarge = "FDC-1006", 413, "Larger than the limit";
    /// Too many attempts in too short a time.
    TooMany = "FDC-1007", 429, "Too many attempts";
    /// An idempotency key was used before with another request.
    IdempotencyMismatch = "FDC-1008", 422, "Idempotency key reused for another request";
    /// Our fault; details are in the log under the request id.
    Internal = "FDC-1009", 500, "Something failed inside the node";
    /// Not now: starting, stopping, or the database is away.
    Unavailable = "FDC-1010", 503, "The node cannot serve this right now";
    /// The surface exists, the method does not.
    MethodNotAllowed = "FDC-1011", 405, "Method not allowed";
    /// The body is not of a media type this endpoint reads.
    UnsupportedMediaType = "FDC-1012", 415, "Media type not supported";

    /// Not a did:web, or one that maps to no address.
    DidInvalid = "FDC-2001", 400, "Not a usable did:web";
    /// The document could not be had, or does not belong to the DID.
    DidUnresolvable = "FDC-2002", 502, "The DID document cannot be resolved";
    /// A node-to-node token that fails a check.
    TokenInvalid = "FDC-2003", 401, "The token is not valid";
    /// A token whose `jti` was seen before.
    TokenReplayed = "FDC-2004", 401, "The token was used before";
    /// An address in a network we do not call.
    AddressRefused = "FDC-2005", 400, "The address is not allowed";
    /// The peer could not be reached.
    PeerUnreachable = "FDC-2006", 502, "The peer cannot be reached";
    /// The peer answered something the protocol does not allow.
    PeerAnsweredBadly = "FDC-2007", 502, "The peer's answer cannot be used";
    /// The peer refused, with its own words.
    PeerRefused = "FDC-2008", 502, "The peer refused";

    /// A message or action the state machine does not allow now.
    IllegalTransition = "FDC-3001", 400, "Not possible in this state";
    /// The offer is not one of the product's.
    OfferUnknown = "FDC-3002", 400, "The offer does not exist";
    /// A policy with something this node cannot enforce.
    PolicyUnsupported = "FDC-3003", 400, "The policy cannot be enforced";
    /// The policy says no.
    PolicyDenied = "FDC-3004", 403, "The policy denies this";
    /// The agreement was ended, or its transfer is not running.
    AccessEnded = "FDC-3005", 403, "Access has ended";
    /// The agreement does not fit what was negotiated.
    AgreementMismatch = "FDC-3006", 400, "The agreement does not match the negotiation";
    /// The process did not reach the state in time.
    NotYet = "FDC-3007", 409, "Not finished yet";
    /// The agreed price is not recorded as paid.
    Unpaid = "FDC-3008", 402, "The price is not paid";
    /// The terms do not say that a side may end the agreement.
    EndNotAgreed = "FDC-3009", 409, "The terms do not let either side end the agreement";
    /// The provider stopped the agreement or its product in an emergency; it may resume.
    Stopped = "FDC-3010", 403, "Stopped by the provider for now";
    /// An agreement is to be renewed, and what is published now differs from it.
    TermsChanged = "FDC-3011", 409, "The terms have changed since";
    /// A statement that takes more time, memory or room than one may.
    QueryLimit = "FDC-3013", 422, "The query is beyond a limit";

    /// A source file that cannot be read.
    SourceUnreadable = "FDC-4001", 400, "The source cannot be read";
    /// A source file that is damaged or not what its name says.
    SourceMalformed = "FDC-4002", 400, "The source is malformed";
    /// Files of one product that do not fit together.
    SchemaMismatch = "FDC-4003", 400, "The files do not share one schema";
    /// A column type no reader could be told of.
    TypeUnsupported = "FDC-4004", 400, "A column has a type that cannot be shared";
    /// A stored file is gone or changed.
    DataDamaged = "FDC-4005", 500, "Stored data is missing or changed";
    /// Columns that seem to hold personal data, which the publisher has not confirmed.
    PersonalData = "FDC-4006", 409, "Personal data needs to be confirmed";
    /// An object store or database that does not answer, answers too slowly or goes away.
    SourceUnreachable = "FDC-4007", 502, "The source cannot be reached";
    /// An object store or database that answers no.
    SourceRefused = "FDC-4008", 400, "The source refuses";
    /// A publication that was cancelled.
    Cancelled = "FDC-4009", 409, "Cancelled";

    /// The configuration file or an environment variable is wrong.
    ConfigInvalid = "FDC-5001", 500, "The configuration is wrong";
    /// The database was written by a newer version.
    DatabaseFromFuture = "FDC-5002", 500, "The database is from a newer version";
    /// Another process holds the data folder.
    DirectoryInUse = "FDC-5003", 500, "Another node is using this folder";
    /// No node answers at the admin address.
    NodeNotRunning = "FDC-5004", 503, "The node is not running";
    /// A backup that is damaged, incomplete, or not a backup; or one that cannot be made.
    BackupUnusable = "FDC-5005", 400, "The backup cannot be used";
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failure: a code, words for the caller, and what only the log may see.
///
/// `Display` shows the caller's half. The internal half has no way out but [`Error::internal`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    code: Code,
    message: String,
    internal: Option<String>,
}

impl Error {
    /// An error with words for the caller: what is wrong, and what to do next.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), internal: None }
    }
    /// A failure of our own: the caller learns nothing but that it happened.
    pub fn internal_failure(cause: impl std::fmt::Display) -> Self {
        Self {
            code: Code::Internal,
            message: "The node failed to do this. Try again; if it stays, give the operator the request id.".into(),
            internal: Some(cause.to_string()),
        }
    }
    /// Adds what the log should know.
    #[must_use]
    pub fn with_internal(mut self, cause: impl std::fmt::Display) -> Self {
        self.internal = Some(cause.to_string());
        self
    }
    /// The stable code.
    pub const fn code(&self) -> Code {
        self.code
    }
    /// The caller's half.
    pub fn message(&self) -> &str {
        &self.message
    }
    /// The log's half.
    pub fn internal(&self) -> Option<&str> {
        self.internal.as_deref()
    }
    /// Shorthand for [`Code::Invalid`].
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::Invalid, message)
    }
    /// Shorthand for [`Code::NotFound`].
    pub fn not_found(what: impl std::fmt::Display) -> Self {
        Self::new(Code::NotFound, format!("{what} does not exist here."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_are_unique_and_documented() {
        let mut seen = HashSet::new();
        for code in Code::ALL {
            assert!(seen.insert(code.as_str()), "{code} twice");
            assert!((400..600).contains(&code.status()), "{code}");
            assert_eq!(Code::from_text(code.as_str()), Some(*code));
            let text = code.page();
            assert!(text.starts_with(&format!("# {}: {}\n", code.as_str(), code.title())), "{code}: first line of its page");
            assert!(text.contains("## What to do"), "the page of {code} must say what to do");
            let text = code.page_in_chinese();
            assert!(text.starts_with(&format!("# {}: ", code.as_str())), "{code}: first line of its Chinese page");
            assert!(text.contains("## 怎么办"), "the Chinese page of {code} must say what to do");
        }
    }

    #[test]
    fn internals_do_not_show() {
        let e = Error::internal_failure("password=hunter2");
        assert!(!e.to_string().contains("hunter2"));
        assert_eq!(e.internal(), Some("password=hunter2"));
    }
}
