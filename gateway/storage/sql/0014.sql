-- Orders of version 2 and their optional features; NULL: the order does not use the feature.

ALTER TABLE delivery ADD COLUMN message_version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE delivery ADD COLUMN accepted_entrances TEXT;  -- JSON: where the retailer accepts it
ALTER TABLE delivery ADD COLUMN dimensions TEXT;          -- JSON: of the largest parcel, in mm
ALTER TABLE delivery ADD COLUMN label_rules TEXT;         -- JSON: GS1 identifiers that must have been read on the label
ALTER TABLE delivery ADD COLUMN info TEXT;                -- JSON: texts for people

-- A GS1 Digital Link of any domain is one code with the number in it.
UPDATE OR REPLACE code SET value = parcel_code(value) WHERE kind = 'parcel' AND value LIKE 'http%';
