//! The network side of "everything from others is hostile until checked": which addresses a node may call
//! ([`address`]), how names become such addresses ([`resolver`]), and the one client that calls them ([`client`]).

pub mod address;
pub mod client;
pub mod resolver;
pub mod storage;

pub use address::{AddressClass, NetworkRule, NonPublic, check_url, classify, parse_url};
pub use client::{Carrier, OutRequest, OutResponse, OutStream, Outbound};
pub use resolver::{Resolver, SystemResolver};
