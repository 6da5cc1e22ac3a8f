-- The node's transparency log, and what opens its leaves.

-- Leaves that are not in the tree yet, in the order in which they were written. Written with the state they witness.
CREATE TABLE log_pending (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entry BYTEA NOT NULL
);

-- Leaves in the tree that do not fill a bundle yet: at most 255.
CREATE TABLE log_entry (
    leaf_index BIGINT NOT NULL PRIMARY KEY,
    entry BYTEA NOT NULL
);

-- 256 leaves each, in the form in which they are served.
CREATE TABLE log_bundle (
    number BIGINT NOT NULL PRIMARY KEY,
    entries BYTEA NOT NULL
);

-- Hashes of the tree, up to 256 each. Those of a full one never change; another one only grows.
CREATE TABLE log_tile (
    level BIGINT NOT NULL,
    number BIGINT NOT NULL,
    hashes BYTEA NOT NULL,
    PRIMARY KEY (level, number)
);

-- Which places the leaves took: those numbered from first_seq on are in the tree from first_index on.
CREATE TABLE log_run (
    first_index BIGINT NOT NULL PRIMARY KEY,
    first_seq BIGINT NOT NULL,
    leaves BIGINT NOT NULL
);
CREATE UNIQUE INDEX log_run_seq ON log_run (first_seq);

-- The tree as it was signed last: one row. While something holds it, nothing is signed.
CREATE TABLE log_tree (
    id BIGINT NOT NULL PRIMARY KEY,
    size BIGINT NOT NULL,
    root BYTEA NOT NULL,
    checkpoint TEXT NOT NULL,
    signed_at BIGINT NOT NULL,
    held TEXT
);

-- The keys that sign it, and those that did.
CREATE TABLE log_key (
    vkey TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    sealed BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    retired_at BIGINT
);

-- What witnesses signed of this log last.
CREATE TABLE log_cosignature (
    witness TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    size BIGINT NOT NULL,
    line TEXT NOT NULL,
    at BIGINT NOT NULL
);

-- What this node signed last as a witness, of each log.
CREATE TABLE log_witnessed (
    origin TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    size BIGINT NOT NULL,
    root BYTEA NOT NULL,
    checkpoint TEXT NOT NULL,
    at BIGINT NOT NULL
);

-- What opens a leaf: without document and secret it proves that something happened, and nothing else. It is a participant's,
-- or the node's own where that is empty.
CREATE TABLE evidence (
    participant TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    seq BIGINT NOT NULL,
    kind TEXT NOT NULL,
    at BIGINT NOT NULL,
    own TEXT NOT NULL,
    peer TEXT,
    object TEXT COLLATE "C" NOT NULL,
    agreement_id TEXT COLLATE "C",
    document TEXT,
    secret BYTEA,
    PRIMARY KEY (participant, id)
);
CREATE UNIQUE INDEX evidence_seq ON evidence (seq);
CREATE INDEX evidence_order ON evidence (participant, seq);
CREATE INDEX evidence_agreement ON evidence (participant, agreement_id, seq);
CREATE INDEX evidence_object ON evidence (participant, object, seq);

-- Refusals of one hour under one rule, until they become one leaf: so that nobody can fill the log by asking in vain.
CREATE TABLE evidence_refusal (
    participant TEXT COLLATE "C" NOT NULL REFERENCES participant (slug),
    agreement_id TEXT COLLATE "C" NOT NULL,
    rule TEXT COLLATE "C" NOT NULL,
    hour BIGINT NOT NULL,
    refusals BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    PRIMARY KEY (participant, agreement_id, rule, hour)
);
CREATE INDEX evidence_refusal_hour ON evidence_refusal (hour);

-- The usage of an agreement as its last leaf says it.
CREATE TABLE evidence_usage (
    participant TEXT COLLATE "C" NOT NULL REFERENCES participant (slug),
    agreement_id TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    reads BIGINT NOT NULL,
    requests BIGINT NOT NULL,
    row_count BIGINT NOT NULL,
    volume BIGINT NOT NULL,
    PRIMARY KEY (participant, agreement_id)
);
