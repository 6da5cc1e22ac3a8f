//! Files as products: names that are safe everywhere ([`name`]), publication ([`publish`]), proof that stored bytes are
//! still the published ones ([`seal`]), bodies over HTTP ([`serve`]), which tables
//! are served by too, and the list of a product (`wire`).

pub mod name;
pub mod publish;
pub mod seal;
pub mod serve;
pub mod surface;
pub mod wire;
