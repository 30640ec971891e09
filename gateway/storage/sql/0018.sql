-- Which events the hub reads: format 2 has who holds a parcel and where a delivery was moved (gateway/protocol/box_hub.py).

ALTER TABLE uplink ADD COLUMN event_format INTEGER NOT NULL DEFAULT 1;
