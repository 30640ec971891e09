-- Instants are whole microseconds since 1970, UTC. What can be derived is not stored.

CREATE TABLE box (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  generation TEXT NOT NULL,            -- random, made with this database: tells it from another one
  code_key BLOB NOT NULL,              -- the key under which the log names codes
  session INTEGER NOT NULL DEFAULT 0,  -- the last broker session's number
  floor INTEGER,                       -- the highest trusted time
  running INTEGER NOT NULL DEFAULT 0   -- 1 from boot to a clean end
) STRICT;

CREATE TABLE crash (n INTEGER PRIMARY KEY, noticed INTEGER NOT NULL) STRICT;

-- The hash chain. `body` holds at, kind, entrance and visit too: the columns only find it. An erased body leaves its
-- digest, so that the chain still holds.
CREATE TABLE entry (
  seq INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  entrance TEXT,
  visit TEXT,
  body BLOB,
  digest BLOB CHECK ((body IS NULL) = (digest IS NOT NULL)),
  hash BLOB NOT NULL
) STRICT;
CREATE INDEX entry_of_visit ON entry (visit, seq) WHERE visit IS NOT NULL;
CREATE INDEX entry_of_kind ON entry (kind, at);

CREATE TABLE entrance (
  id TEXT PRIMARY KEY,
  state TEXT,                          -- JSON of gateway.visit.state.Entrance; NULL before its first step
  phase TEXT NOT NULL DEFAULT 'ready',
  visit TEXT,
  delivery TEXT,                       -- of the running visit
  locked_at INTEGER,                   -- the last "locked again"
  stopped INTEGER NOT NULL DEFAULT 0,
  stop_epoch INTEGER NOT NULL DEFAULT 0,
  somebody_home INTEGER NOT NULL DEFAULT 0,
  away INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX entrance_visited ON entrance (delivery) WHERE delivery IS NOT NULL;

CREATE TABLE permission (
  brand TEXT PRIMARY KEY,
  version INTEGER NOT NULL,
  standing TEXT NOT NULL,
  terms TEXT NOT NULL                  -- JSON
) STRICT, WITHOUT ROWID;

CREATE TABLE delivery (
  key TEXT PRIMARY KEY,                -- brand.id
  brand TEXT NOT NULL,
  id TEXT NOT NULL,
  version INTEGER NOT NULL,
  entrance TEXT NOT NULL,
  carrier TEXT NOT NULL,
  place TEXT NOT NULL,
  starts INTEGER NOT NULL,
  ends INTEGER NOT NULL,
  cold_max_c REAL,
  cancelled INTEGER NOT NULL DEFAULT 0,
  lacking TEXT,                        -- JSON: why the entrance is not ready for it
  checked INTEGER,                     -- the last look at that
  told TEXT,                           -- JSON: what the retailer was told last
  look_at INTEGER                      -- from then on it may have to be told anew; NULL: never by time alone
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_upcoming ON delivery (entrance, ends);
CREATE INDEX delivery_unchecked ON delivery (entrance, ends) WHERE checked IS NULL;
CREATE INDEX delivery_of_brand ON delivery (brand, ends);
CREATE INDEX delivery_to_look_at ON delivery (look_at) WHERE look_at IS NOT NULL;
CREATE INDEX delivery_ended ON delivery (ends);

CREATE TABLE code (
  value TEXT NOT NULL,                 -- normalised; of a courier's code only the digest
  delivery TEXT NOT NULL REFERENCES delivery (key) ON DELETE CASCADE,
  kind TEXT NOT NULL CHECK (kind IN ('parcel', 'courier')),
  PRIMARY KEY (value, delivery)
) STRICT, WITHOUT ROWID;
CREATE INDEX code_of_delivery ON code (delivery, kind, value);

-- A cancel that came before its offer.
CREATE TABLE tombstone (key TEXT PRIMARY KEY, version INTEGER NOT NULL, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;

-- What was answered to which signed bytes, until they are no longer valid anyway.
CREATE TABLE answer (
  token BLOB PRIMARY KEY,              -- SHA-256
  brand TEXT NOT NULL,
  jti TEXT NOT NULL,
  expires INTEGER NOT NULL,
  result TEXT NOT NULL                 -- JSON
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX answer_jti ON answer (brand, jti);
CREATE INDEX answer_expires ON answer (expires);

CREATE TABLE visit (
  id TEXT PRIMARY KEY,
  delivery TEXT NOT NULL,
  entrance TEXT NOT NULL,
  began INTEGER NOT NULL,
  intent TEXT CHECK (intent IN ('reserved', 'spent', 'given_back', 'not_sent')),
  outcome TEXT,
  missing INTEGER NOT NULL DEFAULT 0,
  house TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX visit_of_delivery ON visit (delivery, began);

-- One part of a visit's (or an incident's) proof.
CREATE TABLE film (
  visit TEXT NOT NULL,
  part INTEGER NOT NULL,
  entrance TEXT NOT NULL,
  delivery TEXT,
  began INTEGER NOT NULL,
  manifest_sha256 TEXT,
  sealed INTEGER,
  held TEXT,                           -- why it may not be deleted
  erased INTEGER,
  PRIMARY KEY (visit, part)
) STRICT, WITHOUT ROWID;
CREATE INDEX film_began ON film (began);

CREATE TABLE clip (
  path TEXT PRIMARY KEY,
  visit TEXT NOT NULL,
  part INTEGER NOT NULL,
  camera TEXT NOT NULL,
  starts INTEGER NOT NULL,
  ends INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  fragments INTEGER NOT NULL,
  size INTEGER NOT NULL,
  gaps TEXT NOT NULL,                  -- JSON: pairs of microseconds
  FOREIGN KEY (visit, part) REFERENCES film (visit, part)
) STRICT, WITHOUT ROWID;
CREATE INDEX clip_of_film ON clip (visit, part, camera, starts);

-- What the owner is to be told, stored before it is sent.
CREATE TABLE message (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  entrance TEXT NOT NULL,
  visit TEXT,
  body BLOB NOT NULL,
  sent INTEGER
) STRICT;
CREATE INDEX message_unsent ON message (id) WHERE sent IS NULL;
