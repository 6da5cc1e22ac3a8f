-- What the lists of the console look at, without reading a document.

ALTER TABLE product ADD COLUMN kind TEXT NOT NULL DEFAULT '';
CREATE INDEX product_room ON product (participant, product_id, version, state, kind);
