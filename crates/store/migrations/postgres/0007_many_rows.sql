-- What lists and counts of a participant with very many rows look at, so that none reads all of them.

ALTER TABLE agreement ADD COLUMN peer_did TEXT COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX agreement_peer ON agreement (participant, peer_did, created_at, id);
CREATE INDEX agreement_in_force ON agreement (participant, role, ended_at) WHERE ended_at IS NULL;

DROP INDEX negotiation_state;
CREATE INDEX negotiation_in_state ON negotiation (participant, state, id, role);
-- Those whose next step is ours: the same words as in the queries that look for them.
CREATE INDEX negotiation_waiting ON negotiation (participant, id) WHERE ((role = 'provider' AND state IN ('REQUESTED', 'ACCEPTED', 'VERIFIED')) OR (role = 'consumer' AND state IN ('OFFERED', 'AGREED')));
DROP INDEX transfer_state;
CREATE INDEX transfer_in_state ON transfer (participant, state, id, role);

CREATE INDEX peer_read ON peer (COALESCE(catalog_read_at, 0), participant, did) WHERE last_ok_at IS NOT NULL;
CREATE INDEX publication_age ON publication (updated_at);

-- How many products there are whose newest version is of a kind and in a state.
CREATE TABLE product_tally (
    participant TEXT COLLATE "C" NOT NULL REFERENCES participant (slug),
    kind TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    products BIGINT NOT NULL,
    PRIMARY KEY (participant, kind, state)
);
