-- The node's transparency log, and what opens its leaves.

-- Leaves that are not in the tree yet, in the order in which they were written. Written with the state they witness.
CREATE TABLE log_pending (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    entry BLOB NOT NULL
) STRICT;

-- Leaves in the tree that do not fill a bundle yet: at most 255.
CREATE TABLE log_entry (
    leaf_index INTEGER NOT NULL PRIMARY KEY,
    entry BLOB NOT NULL
) STRICT;

-- 256 leaves each, in the form in which they are served.
CREATE TABLE log_bundle (
    number INTEGER NOT NULL PRIMARY KEY,
    entries BLOB NOT NULL
) STRICT;

-- Hashes of the tree, up to 256 each. Those of a full one never change; another one only grows.
CREATE TABLE log_tile (
    level INTEGER NOT NULL,
    number INTEGER NOT NULL,
    hashes BLOB NOT NULL,
    PRIMARY KEY (level, number)
) STRICT;

-- Which places the leaves took: those numbered from first_seq on are in the tree from first_index on.
CREATE TABLE log_run (
    first_index INTEGER NOT NULL PRIMARY KEY,
    first_seq INTEGER NOT NULL,
    leaves INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX log_run_seq ON log_run (first_seq);

-- The tree as it was signed last: one row. While something holds it, nothing is signed.
CREATE TABLE log_tree (
    id INTEGER NOT NULL PRIMARY KEY,
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    checkpoint TEXT NOT NULL,
    signed_at INTEGER NOT NULL,
    held TEXT
) STRICT;

-- The keys that sign it, and those that did.
CREATE TABLE log_key (
    vkey TEXT NOT NULL PRIMARY KEY,
    sealed BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    retired_at INTEGER
) STRICT;

-- What witnesses signed of this log last.
CREATE TABLE log_cosignature (
    witness TEXT NOT NULL PRIMARY KEY,
    size INTEGER NOT NULL,
    line TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;

-- What this node signed last as a witness, of each log.
CREATE TABLE log_witnessed (
    origin TEXT NOT NULL PRIMARY KEY,
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    checkpoint TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;

-- What opens a leaf: without document and secret it proves that something happened, and nothing else. It is a participant's,
-- or the node's own where that is empty.
CREATE TABLE evidence (
    participant TEXT NOT NULL,
    id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    own TEXT NOT NULL,
    peer TEXT,
    object TEXT NOT NULL,
    agreement_id TEXT,
    document TEXT,
    secret BLOB,
    PRIMARY KEY (participant, id)
) STRICT;
CREATE UNIQUE INDEX evidence_seq ON evidence (seq);
CREATE INDEX evidence_order ON evidence (participant, seq);
CREATE INDEX evidence_agreement ON evidence (participant, agreement_id, seq);
CREATE INDEX evidence_object ON evidence (participant, object, seq);

-- Refusals of one hour under one rule, until they become one leaf: so that nobody can fill the log by asking in vain.
CREATE TABLE evidence_refusal (
    participant TEXT NOT NULL REFERENCES participant (slug),
    agreement_id TEXT NOT NULL,
    rule TEXT NOT NULL,
    hour INTEGER NOT NULL,
    refusals INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    PRIMARY KEY (participant, agreement_id, rule, hour)
) STRICT;
CREATE INDEX evidence_refusal_hour ON evidence_refusal (hour);

-- The usage of an agreement as its last leaf says it.
CREATE TABLE evidence_usage (
    participant TEXT NOT NULL REFERENCES participant (slug),
    agreement_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    reads INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    row_count INTEGER NOT NULL,
    volume INTEGER NOT NULL,
    PRIMARY KEY (participant, agreement_id)
) STRICT;
