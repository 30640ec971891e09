-- Which parcels of the order a visit did not bring, for its retailer.

ALTER TABLE visit ADD COLUMN missing_parcels TEXT;  -- JSON list of codes; NULL: not delivered, or not recorded
