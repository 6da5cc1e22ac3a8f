-- Witnesses, what was given back, auditors, and the logs of peers. No node has written to the tables that are made anew.

DROP TABLE log_key;
DROP TABLE log_cosignature;
DROP TABLE log_witnessed;

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

-- What was counted and taken back, because it failed: with what was used it never falls.
ALTER TABLE agreement_usage ADD COLUMN back_reads INTEGER NOT NULL DEFAULT 0;
ALTER TABLE agreement_usage ADD COLUMN back_volume INTEGER NOT NULL DEFAULT 0;
ALTER TABLE evidence_usage ADD COLUMN back_reads INTEGER NOT NULL DEFAULT 0;
ALTER TABLE evidence_usage ADD COLUMN back_volume INTEGER NOT NULL DEFAULT 0;

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
