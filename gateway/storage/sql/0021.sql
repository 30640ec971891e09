-- Browsers of the household that are told by Web Push, and what each phone is told.

CREATE TABLE push_subscription (
  phone TEXT PRIMARY KEY,              -- its name among the phones
  device TEXT NOT NULL UNIQUE REFERENCES device (id) ON DELETE CASCADE,
  endpoint TEXT NOT NULL UNIQUE,       -- the address at its push service
  p256dh BLOB NOT NULL,                -- the browser's public key
  auth BLOB NOT NULL,                  -- the secret that it shares with the box
  made INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE phone ADD COLUMN muted TEXT NOT NULL DEFAULT '';     -- categories that it is not told, by commas
ALTER TABLE phone ADD COLUMN pairing INTEGER NOT NULL DEFAULT 0; -- 1: its address is shown until a test arrived
