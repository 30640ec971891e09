-- Parcels that a receiver takes for the household, who of the receivers is on duty, and their browsers.

CREATE TABLE custody (
  delivery TEXT NOT NULL REFERENCES delivery (key) ON DELETE CASCADE,
  parcel TEXT NOT NULL,                -- normalised
  reception TEXT NOT NULL,
  visit TEXT NOT NULL,                 -- its log entries, its outcome and its proof have this id; one for each delivery
  stage TEXT NOT NULL,                 -- a value of gateway.domain.custody.CustodyStage
  since INTEGER,
  holder TEXT,                         -- the receiver's id in the house file
  reason TEXT,                         -- why it was declined
  handed_to TEXT,                      -- a person's name, as the receiver wrote it; the log does not have it
  keep_cold REAL,                      -- seconds
  warned INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (delivery, parcel)
) STRICT, WITHOUT ROWID;
CREATE INDEX custody_of_reception ON custody (reception, stage);
CREATE INDEX custody_of_visit ON custody (visit);

CREATE TABLE duty (
  reception TEXT NOT NULL,
  receiver TEXT NOT NULL,
  since INTEGER NOT NULL,
  PRIMARY KEY (reception, receiver)
) STRICT, WITHOUT ROWID;

-- A link that signs a receiver's browser in, once. Instants of these two tables are reckoned ones, as in 0002.sql.
CREATE TABLE receiver_link (
  id TEXT PRIMARY KEY,
  secret BLOB NOT NULL,                -- SHA-256
  reception TEXT NOT NULL,
  receiver TEXT NOT NULL,
  by TEXT NOT NULL,                    -- the owner who made it
  made INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE receiver_session (
  id TEXT PRIMARY KEY,
  secret BLOB NOT NULL,                -- SHA-256
  reception TEXT NOT NULL,
  receiver TEXT NOT NULL,
  browser TEXT,                        -- a value of gateway/web/auth/user_agent.py
  began INTEGER NOT NULL,
  seen INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX receiver_session_of ON receiver_session (reception, receiver);
