-- Robots under human supervision: their orders, each yes to an opening, and the browsers of supervisors.

ALTER TABLE delivery ADD COLUMN for_robot INTEGER NOT NULL DEFAULT 0;  -- 1: a robot brings it
ALTER TABLE opening ADD COLUMN permit TEXT;  -- SHA-256 of the signed yes to this opening; NULL: none was needed
CREATE UNIQUE INDEX opening_permit ON opening (permit) WHERE permit IS NOT NULL;  -- a yes opens once

-- A link that signs a supervisor's browser in, once. Instants of these two tables are reckoned ones, as in 0002.sql.
CREATE TABLE supervisor_link (
  id TEXT PRIMARY KEY,
  secret BLOB NOT NULL,                -- SHA-256
  supervisor TEXT NOT NULL,            -- the id in the house file
  by TEXT NOT NULL,                    -- the owner who made it
  made INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE supervisor_session (
  id TEXT PRIMARY KEY,
  secret BLOB NOT NULL,                -- SHA-256
  supervisor TEXT NOT NULL,
  sign TEXT NOT NULL UNIQUE,           -- JWK of the key that signs in this browser; the browser alone has the private key
  browser TEXT,
  began INTEGER NOT NULL,
  seen INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
