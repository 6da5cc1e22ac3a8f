-- How a connection did when it was last tried out; all empty until then and after it was changed.

ALTER TABLE connection ADD COLUMN checked_at BIGINT;
ALTER TABLE connection ADD COLUMN check_code TEXT COLLATE "C";
ALTER TABLE connection ADD COLUMN check_reason TEXT COLLATE "C";
