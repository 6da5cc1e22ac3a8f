//! Who is who: keys, tokens and DID documents between nodes ([`authenticator`]); passwords, sessions and API tokens for
//! the people and programs of a participant; bearer tokens that open one transfer ([`access_token`]).

pub mod access_token;
pub mod api_token;
pub mod authenticator;
pub mod document;
pub mod keys;
pub mod password;
pub mod resolver;
pub mod session;
pub mod token;

pub use access_token::AccessTokens;
pub use authenticator::Authenticator;
pub use document::KeySet;
pub use keys::{PublicJwk, SigningKey};
pub use resolver::DidResolver;
pub use token::{Caller, Replay};
