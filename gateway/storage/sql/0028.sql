-- Somebody of the household opened to the courier himself, and says that the parcel was taken in: when, and which person.

ALTER TABLE delivery ADD COLUMN taken_in_at INTEGER;
ALTER TABLE delivery ADD COLUMN taken_in_by TEXT;
