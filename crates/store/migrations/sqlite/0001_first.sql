-- The first schema. Instants are microseconds since 1970-01-01T00:00:00Z, documents are JSON texts, flags are 0 or 1.
-- Both folders hold the same schema; a test compares them.

CREATE TABLE participant (
    slug TEXT NOT NULL PRIMARY KEY,
    did TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL
) STRICT;

CREATE TABLE participant_key (
    participant TEXT NOT NULL REFERENCES participant (slug),
    kid TEXT NOT NULL,
    sealed_private BLOB NOT NULL,
    public_jwk TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    retired_at INTEGER,
    PRIMARY KEY (participant, kid)
) STRICT;

CREATE TABLE user_account (
    id TEXT NOT NULL PRIMARY KEY,
    login TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    admin INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE membership (
    user_id TEXT NOT NULL REFERENCES user_account (id),
    participant TEXT NOT NULL REFERENCES participant (slug),
    PRIMARY KEY (user_id, participant)
) STRICT;

CREATE TABLE session (
    id_hash TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES user_account (id),
    csrf TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX session_expires ON session (expires_at);

CREATE TABLE login_attempt (
    key TEXT NOT NULL PRIMARY KEY,
    window_start INTEGER NOT NULL,
    attempts INTEGER NOT NULL
) STRICT;

CREATE TABLE api_token (
    id TEXT NOT NULL PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    participant TEXT REFERENCES participant (slug),
    can_write INTEGER NOT NULL,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER,
    last_used_at INTEGER
) STRICT;

CREATE TABLE token_seen (
    issuer TEXT NOT NULL,
    jti TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (issuer, jti)
) STRICT;
CREATE INDEX token_seen_expires ON token_seen (expires_at);

CREATE TABLE product (
    participant TEXT NOT NULL REFERENCES participant (slug),
    product_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    state TEXT NOT NULL,
    search TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (participant, product_id, version)
) STRICT;

CREATE TABLE offer (
    participant TEXT NOT NULL,
    id TEXT NOT NULL,
    product_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    dataset TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (participant, id),
    FOREIGN KEY (participant, product_id, version) REFERENCES product (participant, product_id, version)
) STRICT;
CREATE INDEX offer_dataset ON offer (participant, dataset);

CREATE TABLE negotiation (
    participant TEXT NOT NULL REFERENCES participant (slug),
    id TEXT NOT NULL,
    role TEXT NOT NULL,
    state TEXT NOT NULL,
    peer_did TEXT NOT NULL,
    peer_pid TEXT,
    revision INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (participant, id)
) STRICT;
CREATE INDEX negotiation_peer ON negotiation (participant, peer_did, peer_pid);
-- A consumer's pid names one process here, however often its request arrives.
CREATE UNIQUE INDEX negotiation_asked_once ON negotiation (participant, peer_did, peer_pid) WHERE role = 'provider';

CREATE TABLE agreement (
    participant TEXT NOT NULL REFERENCES participant (slug),
    id TEXT NOT NULL,
    role TEXT NOT NULL,
    dataset TEXT NOT NULL,
    digest TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    ended_at INTEGER,
    end_reason TEXT,
    body TEXT NOT NULL,
    PRIMARY KEY (participant, id)
) STRICT;
CREATE INDEX agreement_created ON agreement (participant, created_at, id);

CREATE TABLE transfer (
    participant TEXT NOT NULL REFERENCES participant (slug),
    id TEXT NOT NULL,
    role TEXT NOT NULL,
    state TEXT NOT NULL,
    peer_did TEXT NOT NULL,
    peer_pid TEXT,
    agreement_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (participant, id)
) STRICT;
CREATE INDEX transfer_peer ON transfer (participant, peer_did, peer_pid);
CREATE UNIQUE INDEX transfer_asked_once ON transfer (participant, peer_did, peer_pid) WHERE role = 'provider';
CREATE INDEX transfer_agreement ON transfer (participant, agreement_id);

CREATE TABLE agreement_usage (
    participant TEXT NOT NULL REFERENCES participant (slug),
    agreement_id TEXT NOT NULL,
    reads INTEGER NOT NULL,
    PRIMARY KEY (participant, agreement_id)
) STRICT;

CREATE TABLE inbox (
    participant TEXT NOT NULL REFERENCES participant (slug),
    process TEXT NOT NULL,
    message_id TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (participant, process, message_id)
) STRICT;
CREATE INDEX inbox_received ON inbox (received_at);

CREATE TABLE event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    participant TEXT NOT NULL REFERENCES participant (slug),
    topic TEXT NOT NULL,
    kind TEXT NOT NULL,
    actor TEXT NOT NULL,
    text TEXT NOT NULL,
    detail TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX event_topic ON event (participant, topic, id);
CREATE INDEX event_participant ON event (participant, id);

CREATE TABLE peer (
    participant TEXT NOT NULL REFERENCES participant (slug),
    did TEXT NOT NULL,
    name TEXT,
    address TEXT,
    last_ok_at INTEGER,
    last_error TEXT,
    PRIMARY KEY (participant, did)
) STRICT;

CREATE TABLE idempotency (
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    status INTEGER,
    body TEXT,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (scope, key)
) STRICT;
CREATE INDEX idempotency_created ON idempotency (created_at);

CREATE TABLE setting (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE job (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    participant TEXT NOT NULL REFERENCES participant (slug),
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    payload TEXT NOT NULL,
    run_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    last_error TEXT,
    created_at INTEGER NOT NULL,
    owner TEXT NOT NULL,
    handed INTEGER NOT NULL
) STRICT;
CREATE INDEX job_key ON job (participant, key, seq);
-- Jobs another process left to their owner, which has not seen them yet.
CREATE INDEX job_handed ON job (owner) WHERE handed = 1;

-- One row per process that does jobs. Its jobs are its own until the lease runs out.
CREATE TABLE job_owner (
    owner TEXT NOT NULL PRIMARY KEY,
    lease_until INTEGER NOT NULL
) STRICT;
