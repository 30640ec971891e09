-- Who may use the pages. Of every secret only its SHA-256 is kept (each has 80 random bits or more), of a password its
-- argon2id string: a stolen copy of this file opens nothing.

CREATE TABLE person (
  id TEXT PRIMARY KEY,                 -- how the log names them
  name TEXT NOT NULL,
  folded TEXT NOT NULL,                -- the name in its one spelling, as signing in looks it up
  role TEXT NOT NULL CHECK (role IN ('owner', 'household', 'installer')),  -- a courier has no account
  password TEXT,                       -- argon2id, PHC string
  added INTEGER NOT NULL,
  removed INTEGER,                     -- kept a while: the log names whoever is gone
  CHECK ((password IS NULL) = (removed IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX person_named ON person (folded) WHERE removed IS NULL;

-- The code that the box shows until it has an owner. No row: none was made, or it is void, or the box has an owner.
CREATE TABLE claim (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  secret BLOB NOT NULL,
  wrong INTEGER NOT NULL DEFAULT 0     -- tries so far
) STRICT;

-- Instants from here on are reckoned ones (gateway/web/reckoning.py): never later than the true time.
CREATE TABLE invitation (
  id TEXT PRIMARY KEY,
  secret BLOB NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('owner', 'household', 'installer')),
  by TEXT NOT NULL,                    -- the owner who invites
  made INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A browser in which somebody has signed in before: strangers who try his name cannot slow it.
CREATE TABLE device (
  id TEXT PRIMARY KEY,
  secret BLOB NOT NULL,
  person TEXT NOT NULL REFERENCES person (id) ON DELETE CASCADE,
  seen INTEGER NOT NULL,               -- the last sign-in
  failures INTEGER NOT NULL DEFAULT 0  -- wrong passwords on this device
) STRICT, WITHOUT ROWID;
CREATE INDEX device_of_person ON device (person, seen);

CREATE TABLE session (
  id TEXT PRIMARY KEY,
  secret BLOB NOT NULL,
  device TEXT NOT NULL UNIQUE REFERENCES device (id) ON DELETE CASCADE,
  began INTEGER NOT NULL,
  seen INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_seen ON session (seen);

-- Wrong passwords from elsewhere. A slot is a keyed digest of a name, or of a name and an address, cut short: so the
-- table cannot be filled by trying, and tells nobody who tried what.
CREATE TABLE backoff (
  kind TEXT NOT NULL CHECK (kind IN ('name', 'pair')),
  slot INTEGER NOT NULL,
  failures INTEGER NOT NULL,
  PRIMARY KEY (kind, slot)
) STRICT, WITHOUT ROWID;
