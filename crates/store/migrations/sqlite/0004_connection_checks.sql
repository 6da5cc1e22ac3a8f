-- How a connection did when it was last tried out; all empty until then and after it was changed.

ALTER TABLE connection ADD COLUMN checked_at INTEGER;
ALTER TABLE connection ADD COLUMN check_code TEXT;
ALTER TABLE connection ADD COLUMN check_reason TEXT;
