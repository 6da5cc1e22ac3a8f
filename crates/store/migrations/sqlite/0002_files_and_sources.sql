-- Files of products in rows of their own, publications in progress, connections to sources, feeds, and copies of catalogues.

-- One row per file of a product version, in the order of the listing.
CREATE TABLE product_file (
    participant TEXT NOT NULL,
    product_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    file_id TEXT NOT NULL,
    size INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    seal TEXT,
    body TEXT NOT NULL,
    PRIMARY KEY (participant, product_id, version, position),
    FOREIGN KEY (participant, product_id, version) REFERENCES product (participant, product_id, version)
) STRICT;
CREATE UNIQUE INDEX product_file_name ON product_file (participant, product_id, version, name);
CREATE INDEX product_file_id ON product_file (participant, product_id, version, file_id);

CREATE TABLE publication (
    participant TEXT NOT NULL REFERENCES participant (slug),
    id TEXT NOT NULL,
    state TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (participant, id)
) STRICT;
CREATE INDEX publication_updated ON publication (participant, updated_at);

-- Where sources lie. The secret part is sealed with the node's key.
CREATE TABLE connection (
    participant TEXT NOT NULL REFERENCES participant (slug),
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (participant, name)
) STRICT;

-- Products that follow their source.
CREATE TABLE feed (
    participant TEXT NOT NULL REFERENCES participant (slug),
    product_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (participant, product_id)
) STRICT;

-- What the catalogue of a peer held when it was last read.
CREATE TABLE peer_dataset (
    participant TEXT NOT NULL REFERENCES participant (slug),
    peer_did TEXT NOT NULL,
    dataset TEXT NOT NULL,
    kind TEXT NOT NULL,
    license TEXT NOT NULL,
    language TEXT NOT NULL,
    title TEXT NOT NULL,
    search TEXT NOT NULL,
    read_at INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (participant, peer_did, dataset)
) STRICT;
CREATE INDEX peer_dataset_facets ON peer_dataset (participant, peer_did, kind, license, language);
CREATE INDEX peer_dataset_title ON peer_dataset (participant, title, peer_did, dataset);

ALTER TABLE peer ADD COLUMN catalog_read_at INTEGER;
ALTER TABLE peer ADD COLUMN catalog_error TEXT;

CREATE INDEX negotiation_state ON negotiation (participant, role, state);
CREATE INDEX transfer_state ON transfer (participant, role, state);
