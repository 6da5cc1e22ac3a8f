-- The first schema. Instants are microseconds since 1970-01-01T00:00:00Z, documents are JSON texts, flags are 0 or 1.
-- Both folders hold the same schema; a test compares them.

CREATE TABLE participant (
    slug TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    did TEXT COLLATE "C" NOT NULL UNIQUE,
    body TEXT NOT NULL
);

CREATE TABLE participant_key (
    participant TEXT COLLATE "C" NOT NULL REFERENCES participant (slug),
    kid TEXT COLLATE "C" NOT NULL,
    sealed_private BYTEA NOT NULL,
    public_jwk TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    retired_at BIGINT,
    PRIMARY KEY (participant, kid)
);

CREATE TABLE user_account (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    login TEXT COLLATE "C" NOT NULL UNIQUE,
    name TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    admin BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE membership (
    user_id TEXT COLLATE "C" NOT NULL REFERENCES user_account (id),
    participant TEXT COLLATE "C" NOT NULL REFERENCES participant (slug),
    PRIMARY KEY (user_id, participant)
);

CREATE TABLE session (
    id_hash TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    user_id TEXT COLLATE "C" NOT NULL REFERENCES user_account (id),
    csrf TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX session_expires ON session (expires_at);

CREATE TABLE login_attempt (
    key TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    window_start BIGINT NOT NULL,
    attempts BIGINT NOT NULL
);

CREATE TABLE api_token (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    hash TEXT COLLATE "C" NOT NULL UNIQUE,
    participant TEXT COLLATE "C" REFERENCES participant (slug),
    can_write BIGINT NOT NULL,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT,
    last_used_at BIGINT
);

CREATE TABLE token_seen (
    issuer TEXT COLLATE "C" NOT NULL,
    jti TEXT COLLATE "C" NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (issuer, jti)
);
CREATE INDEX token_seen_expires ON token_seen (expires_at);

CREATE TABLE product (
    participant TEXT COLLATE "C" NOT NULL REFERENCES participant (slug),
    product_id TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    search TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (participant, product_id, version)
);

CREATE TABLE offer (
    participant TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    product_id TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    dataset TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (participant, id),
    FOREIGN KEY (participant, product_id, version) REFERENCES product (participant, product_id, version)
);
CREATE INDEX offer_dataset ON offer (participant, dataset);

CREATE TABLE negotiation (
    participant TEXT COLLATE "C" NOT NULL REFERENCES participant (slug),
    id TEXT COLLATE "C" NOT NULL,
    role TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    peer_did TEXT COLLATE "C" NOT NULL,
    peer_pid TEXT COLLATE "C",
    revision BIGINT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (participant, id)
);
CREATE INDEX negotiation_peer ON negotiation (participant, peer_did, peer_pid);
-- A consumer's pid names one process here, however often its request arrives.
CREATE UNIQUE INDEX negotiation_asked_once ON negotiation (participant, peer_did, peer_pid) WHERE role = 'provider';

CREATE TABLE agreement (
    participant TEXT COLLATE "C" NOT NULL REFERENCES participant (slug),
    id TEXT COLLATE "C" NOT NULL,
    role TEXT COLLATE "C" NOT NULL,
    dataset TEXT COLLATE "C" NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    ended_at BIGINT,
    end_reason TEXT,
    body TEXT NOT NULL,
    PRIMARY KEY (participant, id)
);
CREATE INDEX agreement_created ON agreement (participant, created_at, id);

CREATE TABLE transfer (
    participant TEXT COLLATE "C" NOT NULL REFERENCES participant (slug),
    id TEXT COLLATE "C" NOT NULL,
    role TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    peer_did TEXT COLLATE "C" NOT NULL,
    peer_pid TEXT COLLATE "C",
    agreement_id TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (participant, id)
);
CREATE INDEX transfer_peer ON transfer (participant, peer_did, peer_pid);
CREATE UNIQUE INDEX transfer_asked_once ON transfer (participant, peer_did, peer_pid) WHERE role = 'provider';
CREATE INDEX transfer_agreement ON transfer (participant, agreement_id);

CREATE TABLE agreement_usage (
    participant TEXT COLLATE "C" NOT NULL REFERENCES participant (slug),
    agreement_id TEXT COLLATE "C" NOT NULL,
    reads BIGINT NOT NULL,
    PRIMARY KEY (participant, agreement_id)
);

CREATE TABLE inbox (
    participant TEXT COLLATE "C" NOT NULL REFERENCES participant (slug),
    process TEXT COLLATE "C" NOT NULL,
    message_id TEXT COLLATE "C" NOT NULL,
    received_at BIGINT NOT NULL,
    PRIMARY KEY (participant, process, message_id)
);
CREATE INDEX inbox_received ON inbox (received_at);

CREATE TABLE event (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    participant TEXT COLLATE "C" NOT NULL REFERENCES participant (slug),
    topic TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    actor TEXT NOT NULL,
    text TEXT NOT NULL,
    detail TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX event_topic ON event (participant, topic, id);
CREATE INDEX event_participant ON event (participant, id);

CREATE TABLE peer (
    participant TEXT COLLATE "C" NOT NULL REFERENCES participant (slug),
    did TEXT COLLATE "C" NOT NULL,
    name TEXT,
    address TEXT,
    last_ok_at BIGINT,
    last_error TEXT,
    PRIMARY KEY (participant, did)
);

CREATE TABLE idempotency (
    scope TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    endpoint TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    status BIGINT,
    body TEXT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_created ON idempotency (created_at);

CREATE TABLE setting (
    key TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE job (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    participant TEXT COLLATE "C" NOT NULL REFERENCES participant (slug),
    kind TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    payload TEXT NOT NULL,
    run_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    last_error TEXT,
    created_at BIGINT NOT NULL,
    owner TEXT COLLATE "C" NOT NULL,
    handed BIGINT NOT NULL
);
CREATE INDEX job_key ON job (participant, key, seq);
-- Jobs another process left to their owner, which has not seen them yet.
CREATE INDEX job_handed ON job (owner) WHERE handed = 1;

-- One row per process that does jobs. Its jobs are its own until the lease runs out.
CREATE TABLE job_owner (
    owner TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    lease_until BIGINT NOT NULL
);
