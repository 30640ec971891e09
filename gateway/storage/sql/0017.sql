-- Where the house moved a delivery, because its own entrance could not take it; `entrance` and `place` are the present ones.

ALTER TABLE delivery ADD COLUMN moved_from TEXT;       -- the entrance that the retailer announced; NULL: not moved
ALTER TABLE delivery ADD COLUMN announced_place TEXT;  -- the place that the retailer announced; NULL: not moved
ALTER TABLE delivery ADD COLUMN placed INTEGER NOT NULL DEFAULT 0;  -- how often the house moved it
