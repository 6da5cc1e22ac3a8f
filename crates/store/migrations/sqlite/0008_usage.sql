-- What was delivered under an agreement: a running total, and the records it is the sum of.

ALTER TABLE agreement_usage ADD COLUMN requests INTEGER NOT NULL DEFAULT 0;
ALTER TABLE agreement_usage ADD COLUMN row_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE agreement_usage ADD COLUMN volume INTEGER NOT NULL DEFAULT 0;

-- One per file of a query, however many requests fetched it. The id is made of the time, so that they are in its order.
CREATE TABLE usage_record (
    participant TEXT NOT NULL REFERENCES participant (slug),
    agreement_id TEXT NOT NULL,
    id TEXT NOT NULL,
    transfer_id TEXT NOT NULL,
    query_id TEXT NOT NULL,
    file_id TEXT NOT NULL,
    requests INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    row_count INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    PRIMARY KEY (participant, agreement_id, id)
) STRICT;
CREATE UNIQUE INDEX usage_record_of ON usage_record (participant, agreement_id, transfer_id, query_id, file_id);
