-- Codes by which keepers take the key of a key safe, each on one phone or on one card, and the links that give them.
-- Instants of these two tables are reckoned ones, as in 0002.sql, but `withdrawn`.

CREATE TABLE keeper_code (
  id TEXT PRIMARY KEY,
  keeper TEXT NOT NULL,                -- the id in the house file
  code BLOB NOT NULL UNIQUE,           -- SHA-256
  session BLOB,                        -- SHA-256 of the secret of the phone that shows it; NULL: it is on a card
  browser TEXT,                        -- a value of gateway/web/auth/user_agent.py
  by TEXT NOT NULL,                    -- the owner who gave it
  made INTEGER NOT NULL,
  seen INTEGER NOT NULL,               -- when its phone last opened the page
  withdrawn INTEGER                    -- since when it counts no more
) STRICT, WITHOUT ROWID;
CREATE INDEX keeper_code_of ON keeper_code (keeper);

CREATE TABLE keeper_link (
  id TEXT PRIMARY KEY,
  secret BLOB NOT NULL,                -- SHA-256
  keeper TEXT NOT NULL,
  by TEXT NOT NULL,
  made INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
