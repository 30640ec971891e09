-- The household refused one delivery before it came: when, and which person (NULL: by the owner's MQTT account).

ALTER TABLE delivery ADD COLUMN refused_at INTEGER;
ALTER TABLE delivery ADD COLUMN refused_by TEXT;
