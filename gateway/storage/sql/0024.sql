-- Parcels that a courier collects: their codes, and what a visit collected (NULL: nothing, or nothing is known of it).

CREATE TABLE code_with_collect (
  value TEXT NOT NULL,                 -- normalised; of a courier's code only the digest
  delivery TEXT NOT NULL REFERENCES delivery (key) ON DELETE CASCADE,
  kind TEXT NOT NULL CHECK (kind IN ('parcel', 'courier', 'collect')),
  PRIMARY KEY (value, delivery)
) STRICT, WITHOUT ROWID;
INSERT INTO code_with_collect SELECT value, delivery, kind FROM code;
DROP TABLE code;
ALTER TABLE code_with_collect RENAME TO code;
CREATE INDEX code_of_delivery ON code (delivery, kind, value);

ALTER TABLE visit ADD COLUMN collected TEXT;
