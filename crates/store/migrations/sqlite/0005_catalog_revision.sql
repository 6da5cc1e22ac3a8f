-- Counts the changes of a participant's catalogue, so that a reader who has it already can be told so.

ALTER TABLE participant ADD COLUMN catalog_revision INTEGER NOT NULL DEFAULT 0;

-- What a peer called the state of its catalogue that our copy holds; empty where it does not say.

ALTER TABLE peer ADD COLUMN catalog_etag TEXT;
