-- Witnesses, what was given back, auditors, and the logs of peers. No node has written to the tables that are made anew.

DROP TABLE log_key;
DROP TABLE log_cosignature;
DROP TABLE log_witnessed;

-- The last tree that a quorum of witnesses has cosigned: at most one row.
CREATE TABLE log_quorum (
    id BIGINT NOT NULL PRIMARY KEY,
    size BIGINT NOT NULL,
    checkpoint TEXT NOT NULL,
    at BIGINT NOT NULL
);

-- The keys that sign it, and those that did; and those that sign other logs as their witness.
CREATE TABLE log_key (
    vkey TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    witness BIGINT NOT NULL,
    sealed BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    retired_at BIGINT
);

-- What each witness signed of this log last, and what was wrong when it was asked last.
CREATE TABLE log_cosignature (
    witness TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    size BIGINT NOT NULL,
    lines TEXT NOT NULL,
    at BIGINT,
    problem TEXT
);

-- What this node signed last as a witness, of each log; nothing yet where the size is 0. And a request that a log signed
-- and that contradicts what it had signed before: kept as proof. And, until the next one that could be signed, a request
-- that did not prove what it should: it proves nothing.
CREATE TABLE log_witnessed (
    origin TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    size BIGINT NOT NULL,
    root BYTEA NOT NULL,
    checkpoint TEXT NOT NULL,
    at BIGINT NOT NULL,
    cosigned BIGINT NOT NULL,
    conflict TEXT,
    conflict_at BIGINT,
    doubt TEXT,
    doubt_at BIGINT
);

-- What was counted and taken back, because it failed: with what was used it never falls.
ALTER TABLE agreement_usage ADD COLUMN back_reads BIGINT NOT NULL DEFAULT 0;
ALTER TABLE agreement_usage ADD COLUMN back_volume BIGINT NOT NULL DEFAULT 0;
ALTER TABLE evidence_usage ADD COLUMN back_reads BIGINT NOT NULL DEFAULT 0;
ALTER TABLE evidence_usage ADD COLUMN back_volume BIGINT NOT NULL DEFAULT 0;

-- Auditors: who is a member of a participant to read everything of it, and to change and decide nothing.
ALTER TABLE membership ADD COLUMN auditor BIGINT NOT NULL DEFAULT 0;

-- The key of the log of each peer that was asked for evidence: the first that was seen stays until somebody here takes
-- another.
CREATE TABLE peer_log (
    participant TEXT COLLATE "C" NOT NULL REFERENCES participant (slug),
    peer_did TEXT COLLATE "C" NOT NULL,
    vkey TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (participant, peer_did)
);
