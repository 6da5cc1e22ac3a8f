-- What was delivered under an agreement: a running total, and the records it is the sum of.

ALTER TABLE agreement_usage ADD COLUMN requests BIGINT NOT NULL DEFAULT 0;
ALTER TABLE agreement_usage ADD COLUMN row_count BIGINT NOT NULL DEFAULT 0;
ALTER TABLE agreement_usage ADD COLUMN volume BIGINT NOT NULL DEFAULT 0;

-- One per file of a query, however many requests fetched it. The id is made of the time, so that they are in its order.
CREATE TABLE usage_record (
    participant TEXT COLLATE "C" NOT NULL REFERENCES participant (slug),
    agreement_id TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    transfer_id TEXT COLLATE "C" NOT NULL,
    query_id TEXT COLLATE "C" NOT NULL,
    file_id TEXT COLLATE "C" NOT NULL,
    requests BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    row_count BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    PRIMARY KEY (participant, agreement_id, id)
);
CREATE UNIQUE INDEX usage_record_of ON usage_record (participant, agreement_id, transfer_id, query_id, file_id);
