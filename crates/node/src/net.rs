//! The network side of "everything from others is hostile until checked": which addresses a node may call
//! ([`address`]) and the one client with which it calls them ([`client`]).

pub mod address;
pub mod client;

pub use address::{AddressClass, NetworkRule, NonPublic, check_url, classify, parse_url};
pub use client::{OutRequest, OutResponse, OutStream, Outbound, Resolver, SystemResolver};
