-- What becomes of agreements after signing: notice, end, expiry, emergency stop, renewal.

ALTER TABLE agreement ADD COLUMN state TEXT NOT NULL DEFAULT 'active';
-- When something happens to it by itself next.
ALTER TABLE agreement ADD COLUMN due_at INTEGER;
ALTER TABLE agreement ADD COLUMN life TEXT NOT NULL DEFAULT '{"said":0,"heard":0}';
ALTER TABLE agreement ADD COLUMN life_revision INTEGER NOT NULL DEFAULT 0;
-- The negotiation that is to renew it.
ALTER TABLE agreement ADD COLUMN renewing TEXT;
CREATE INDEX agreement_state ON agreement (participant, state, created_at, id);
CREATE INDEX agreement_due ON agreement (participant, due_at) WHERE due_at IS NOT NULL;
CREATE UNIQUE INDEX agreement_renewing ON agreement (participant, renewing) WHERE renewing IS NOT NULL;

-- Products that their provider stopped in an emergency, all versions.
CREATE TABLE product_stop (
    participant TEXT NOT NULL REFERENCES participant (slug),
    product_id TEXT NOT NULL,
    stopped_at INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (participant, product_id)
) STRICT;

-- Who signed which agreement: tokens of the messages that carried it, with the key they were checked with.
CREATE TABLE agreement_signature (
    participant TEXT NOT NULL REFERENCES participant (slug),
    agreement_id TEXT NOT NULL,
    signer TEXT NOT NULL,
    digest TEXT NOT NULL,
    jws TEXT NOT NULL,
    key TEXT NOT NULL,
    signed_at INTEGER NOT NULL,
    PRIMARY KEY (participant, agreement_id, signer, digest)
) STRICT;
