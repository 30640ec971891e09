-- When a retailer's carrier says that its courier comes, and how often the owner was told of it.

CREATE TABLE arrival (
  delivery TEXT PRIMARY KEY REFERENCES delivery (key) ON DELETE CASCADE,
  set_out INTEGER,                     -- when the courier set out; NULL: nobody said it
  eta INTEGER,                         -- when he expects to be there
  notices INTEGER NOT NULL,            -- accepted messages
  told INTEGER NOT NULL,               -- messages to the owner
  told_eta INTEGER                     -- the time in the newest of them
) STRICT, WITHOUT ROWID;

-- What a retailer expects the home's postcode or word to be: JSON; NULL: the order does not say.
ALTER TABLE delivery ADD COLUMN expected_address TEXT;
