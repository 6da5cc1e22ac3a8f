//! Schema 7: the other side of an agreement has a column, and products are counted as they come.

use crate::{conn::Conn, dialect::Sql, error::StoreError, value::vals};

const PEERS: Sql = Sql::Each(
    "UPDATE agreement SET peer_did = COALESCE(CASE role WHEN 'provider' THEN json_extract(body, '$.agreement.assignee') ELSE json_extract(body, '$.agreement.assigner') END, '')",
    "UPDATE agreement SET peer_did = COALESCE(CASE role WHEN 'provider' THEN CAST(body AS JSONB) -> 'agreement' ->> 'assignee' ELSE CAST(body AS JSONB) -> 'agreement' ->> 'assigner' END, '')",
);
const PRODUCTS: Sql = Sql::Same(
    "INSERT INTO product_tally (participant, kind, state, products) SELECT p.participant, p.kind, p.state, COUNT(*) FROM product p WHERE NOT EXISTS (SELECT 1 FROM product n WHERE n.participant = p.participant AND n.product_id = p.product_id AND n.version > p.version) GROUP BY p.participant, p.kind, p.state",
);

/// Fills both from what is there.
pub(super) fn fill(conn: &mut Conn) -> Result<(), StoreError> {
    conn.execute(PEERS, vals![])?;
    conn.execute(PRODUCTS, vals![]).map(drop)
}
