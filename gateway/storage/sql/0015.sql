-- What the owner says of the parcels that he announced himself (brand `own`), beside their promise in `delivery`.

CREATE TABLE own_parcel (
    delivery TEXT PRIMARY KEY REFERENCES delivery (key) ON DELETE CASCADE,
    note TEXT NOT NULL,  -- what the owner calls it
    by TEXT,             -- the person's id; NULL: the command line or MQTT
    token BLOB NOT NULL, -- the promise, signed by the box
    said_day TEXT,       -- the day (YYYY-MM-DD) for which the owner said that it comes
    elsewhere INTEGER    -- when its carrier said that it is delivered, without a visit here
) STRICT, WITHOUT ROWID;
