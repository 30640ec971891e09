-- Privacy and moving out.

-- What an owner chose on a page in the place of the house file's word or the default; no row: that counts.
-- `new_house.*` is what a hand-over still has to do at the next start (gateway/store/handover.py).
CREATE TABLE choice (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- Who looked at what, from when until when; `person` NULL: whoever held a link. The newest 500 are kept.
CREATE TABLE look (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  began INTEGER NOT NULL,
  ended INTEGER NOT NULL,
  person TEXT,
  kind TEXT NOT NULL CHECK (kind IN ('live', 'film', 'report', 'copy')),
  what TEXT NOT NULL                   -- a camera, a visit, or nothing
) STRICT;

-- The one link by which the next owner takes the house over.
CREATE TABLE house_offer (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  id TEXT NOT NULL,
  secret BLOB NOT NULL,
  by TEXT NOT NULL,                    -- the owner who leaves
  made INTEGER NOT NULL,               -- reckoned
  leaves_films INTEGER NOT NULL,
  held_too INTEGER NOT NULL            -- whether films go that are held: what is held later stays
) STRICT;
