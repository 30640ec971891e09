-- Guests: their passes, their codes at keypads, and the stays in which nothing is filmed.

CREATE TABLE guest_pass (
  id TEXT PRIMARY KEY,
  version INTEGER NOT NULL,
  guest TEXT NOT NULL,
  entrances TEXT NOT NULL,             -- JSON list
  starts INTEGER NOT NULL,
  ends INTEGER NOT NULL,
  days TEXT NOT NULL,                  -- JSON list
  hours TEXT NOT NULL,
  openings INTEGER,                    -- NULL: without a limit
  state TEXT NOT NULL CHECK (state IN ('proposed', 'granted', 'ended', 'revoked')),
  code TEXT NOT NULL,                  -- SHA-256 of this version's code; the code itself is computed from the box's key
  proposed_by TEXT UNIQUE,             -- calendar or import, and its id there
  by TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX guest_pass_of_code ON guest_pass (code);

CREATE TABLE stay (
  id TEXT PRIMARY KEY,
  guest TEXT NOT NULL,
  starts INTEGER NOT NULL,
  ends INTEGER NOT NULL,
  entrances TEXT NOT NULL,             -- JSON list; empty: every entrance
  admits_deliveries INTEGER NOT NULL,
  proposed_by TEXT UNIQUE,
  is_proposed INTEGER NOT NULL,
  by TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE pass_code (
  id TEXT PRIMARY KEY,
  held TEXT NOT NULL REFERENCES guest_pass (id) ON DELETE CASCADE,
  keypad TEXT NOT NULL,
  name TEXT NOT NULL,
  pin TEXT NOT NULL,                   -- empty once the code is proven gone
  starts INTEGER NOT NULL,
  ends INTEGER NOT NULL,
  number INTEGER,
  state TEXT NOT NULL CHECK (state IN ('wanted', 'set', 'proven', 'withdrawing', 'withdrawn')),
  is_alarmed INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX pass_code_of_pass ON pass_code (held);
