//! What the node keeps secret: sealing at rest and derived keys ([`seal`]), and randomness ([`entropy`]).

pub mod entropy;
pub mod seal;

pub use entropy::OsEntropy;
pub use seal::Sealer;
