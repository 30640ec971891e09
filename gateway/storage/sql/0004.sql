-- The household and its box: pauses; keys, phones, shares; privacy and moving out.

-- Pauses: between two instants no delivery is let in, said by the household. They are forgotten when they are over.
CREATE TABLE pause (
  id TEXT PRIMARY KEY,
  entrance TEXT,                       -- NULL: every entrance of the house
  starts INTEGER NOT NULL,
  ends INTEGER NOT NULL CHECK (ends > starts),
  by TEXT                              -- the person who said so; NULL: not by an account
) STRICT, WITHOUT ROWID;

-- Keys, phones, shares, sign-ins.

-- The brands' signing keys by their public half: another key under the same kid is another key.
CREATE TABLE brand_key (
  x TEXT PRIMARY KEY,                  -- base64url, as in home.yaml
  kid TEXT NOT NULL,
  brand TEXT NOT NULL,
  since INTEGER NOT NULL,              -- since when it is trusted, without a break
  used INTEGER,                        -- the last message that it signed
  distrusted INTEGER,                  -- since when it is not
  by TEXT                              -- who said so
) STRICT, WITHOUT ROWID;
-- The key under which a delivery stands as it stands; NULL from before it was noted: then any of its brand's.
ALTER TABLE delivery ADD COLUMN signed_by TEXT;

-- When the owner was told that the brand asks to be let in: once.
ALTER TABLE permission ADD COLUMN asked INTEGER;

ALTER TABLE phone ADD COLUMN since INTEGER;    -- messages from then on are owed to it; NULL: from the beginning
ALTER TABLE phone ADD COLUMN language TEXT;    -- NULL: the house's
ALTER TABLE phone ADD COLUMN tried INTEGER;    -- the last try, and what came of it
ALTER TABLE phone ADD COLUMN heard TEXT;
ALTER TABLE phone ADD COLUMN reached INTEGER;  -- the last time it took something

-- What a browser says that it is, in words of gateway/web/browsers.py only.
ALTER TABLE device ADD COLUMN browser TEXT;

-- A visit that is shown to somebody outside, by a link. Of its secret only the SHA-256 is kept.
CREATE TABLE share (
  id TEXT PRIMARY KEY,
  secret BLOB NOT NULL,
  visit TEXT NOT NULL,
  by TEXT NOT NULL REFERENCES person (id) ON DELETE CASCADE,
  made INTEGER NOT NULL,
  until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX share_of_visit ON share (visit);

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
