-- What the household says of parcels that a courier takes with him: where they lie.

CREATE TABLE prepared_return (
  delivery TEXT PRIMARY KEY REFERENCES delivery (key) ON DELETE CASCADE,
  lies TEXT NOT NULL,                  -- in the household's own words; may be empty
  at INTEGER NOT NULL,
  by TEXT                              -- the person; NULL: nobody with an account
) STRICT, WITHOUT ROWID;
