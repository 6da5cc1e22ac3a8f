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

-- The last tree that a quorum of witnesses has cosigned: at most one row.
CREATE TABLE log_quorum (
    id INTEGER NOT NULL PRIMARY KEY,
    size INTEGER NOT NULL,
    checkpoint TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;

-- The keys that sign it, and those that did; and those that sign other logs as their witness.
CREATE TABLE log_key (
    vkey TEXT NOT NULL PRIMARY KEY,
    witness INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    retired_at INTEGER
) STRICT;

-- What each witness signed of this log last, and what was wrong when it was asked last.
CREATE TABLE log_cosignature (
    witness TEXT NOT NULL PRIMARY KEY,
    size INTEGER NOT NULL,
    lines TEXT NOT NULL,
    at INTEGER,
    problem TEXT
) STRICT;

-- What this node signed last as a witness, of each log; nothing yet where the size is 0. And a request that a log signed
-- and that contradicts what it had signed before: kept as proof. And, until the next one that could be signed, a request
-- that did not prove what it should: it proves nothing.
CREATE TABLE log_witnessed (
    origin TEXT NOT NULL PRIMARY KEY,
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    checkpoint TEXT NOT NULL,
    at INTEGER NOT NULL,
    cosigned INTEGER NOT NULL,
    conflict TEXT,
    conflict_at INTEGER,
    doubt TEXT,
    doubt_at INTEGER
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
    back_reads INTEGER NOT NULL,
    back_volume INTEGER NOT NULL,
    PRIMARY KEY (participant, agreement_id)
) STRICT;

-- What was counted and taken back, because it failed: with what was used it never falls.
ALTER TABLE agreement_usage ADD COLUMN back_reads INTEGER NOT NULL DEFAULT 0;
ALTER TABLE agreement_usage ADD COLUMN back_volume INTEGER NOT NULL DEFAULT 0;

-- Auditors: who is a member of a participant to read everything of it, and to change and decide nothing.
ALTER TABLE membership ADD COLUMN auditor INTEGER NOT NULL DEFAULT 0;

-- The key of the log of each peer that was asked for evidence: the first that was seen stays until somebody here takes
-- another.
CREATE TABLE peer_log (
    participant TEXT NOT NULL REFERENCES participant (slug),
    peer_did TEXT NOT NULL,
    vkey TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (participant, peer_did)
) STRICT;
