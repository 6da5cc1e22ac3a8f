-- Files of products in rows of their own, publications in progress, connections to sources, feeds, and copies of catalogues.

-- One row per file of a product version, in the order of the listing.
CREATE TABLE product_file (
    participant TEXT COLLATE "C" NOT NULL,
    product_id TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    position BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    file_id TEXT COLLATE "C" NOT NULL,
    size BIGINT NOT NULL,
    sha256 TEXT COLLATE "C" NOT NULL,
    seal TEXT COLLATE "C",
    body TEXT NOT NULL,
    PRIMARY KEY (participant, product_id, version, position),
    FOREIGN KEY (participant, product_id, version) REFERENCES product (participant, product_id, version)
);
CREATE UNIQUE INDEX product_file_name ON product_file (participant, product_id, version, name);
CREATE INDEX product_file_id ON product_file (participant, product_id, version, file_id);

CREATE TABLE publication (
    participant TEXT COLLATE "C" NOT NULL REFERENCES participant (slug),
    id TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    updated_at BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (participant, id)
);
CREATE INDEX publication_updated ON publication (participant, updated_at);

-- Where sources lie. The secret part is sealed with the node's key.
CREATE TABLE connection (
    participant TEXT COLLATE "C" NOT NULL REFERENCES participant (slug),
    name TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    sealed BYTEA NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (participant, name)
);

-- Products that follow their source.
CREATE TABLE feed (
    participant TEXT COLLATE "C" NOT NULL REFERENCES participant (slug),
    product_id TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (participant, product_id)
);

-- What the catalogue of a peer held when it was last read.
CREATE TABLE peer_dataset (
    participant TEXT COLLATE "C" NOT NULL REFERENCES participant (slug),
    peer_did TEXT COLLATE "C" NOT NULL,
    dataset TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    license TEXT COLLATE "C" NOT NULL,
    language TEXT COLLATE "C" NOT NULL,
    title TEXT COLLATE "C" NOT NULL,
    search TEXT NOT NULL,
    read_at BIGINT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (participant, peer_did, dataset)
);
CREATE INDEX peer_dataset_facets ON peer_dataset (participant, peer_did, kind, license, language);
CREATE INDEX peer_dataset_title ON peer_dataset (participant, title, peer_did, dataset);

ALTER TABLE peer ADD COLUMN catalog_read_at BIGINT;
ALTER TABLE peer ADD COLUMN catalog_error TEXT;

CREATE INDEX negotiation_state ON negotiation (participant, role, state);
CREATE INDEX transfer_state ON transfer (participant, role, state);
