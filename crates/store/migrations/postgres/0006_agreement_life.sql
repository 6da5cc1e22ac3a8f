-- What becomes of agreements after signing: notice, end, expiry, emergency stop, renewal.

ALTER TABLE agreement ADD COLUMN state TEXT COLLATE "C" NOT NULL DEFAULT 'active';
-- When something happens to it by itself next.
ALTER TABLE agreement ADD COLUMN due_at BIGINT;
ALTER TABLE agreement ADD COLUMN life TEXT COLLATE "C" NOT NULL DEFAULT '{"said":0,"heard":0}';
ALTER TABLE agreement ADD COLUMN life_revision BIGINT NOT NULL DEFAULT 0;
-- The negotiation that is to renew it.
ALTER TABLE agreement ADD COLUMN renewing TEXT COLLATE "C";
CREATE INDEX agreement_state ON agreement (participant, state, created_at, id);
CREATE INDEX agreement_due ON agreement (participant, due_at) WHERE due_at IS NOT NULL;
CREATE UNIQUE INDEX agreement_renewing ON agreement (participant, renewing) WHERE renewing IS NOT NULL;

-- Products that their provider stopped in an emergency, all versions.
CREATE TABLE product_stop (
    participant TEXT COLLATE "C" NOT NULL REFERENCES participant (slug),
    product_id TEXT COLLATE "C" NOT NULL,
    stopped_at BIGINT NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (participant, product_id)
);

-- Who signed which agreement: tokens of the messages that carried it, with the key they were checked with.
CREATE TABLE agreement_signature (
    participant TEXT COLLATE "C" NOT NULL REFERENCES participant (slug),
    agreement_id TEXT COLLATE "C" NOT NULL,
    signer TEXT COLLATE "C" NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    jws TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    signed_at BIGINT NOT NULL,
    PRIMARY KEY (participant, agreement_id, signer, digest)
);
