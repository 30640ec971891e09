-- The line to a hub: what came by it, and the box's own events for it, numbered, chained and signed.

-- One row: where the events stand. The base is the last event before those that are kept here.
CREATE TABLE uplink (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  home TEXT,                           -- the home at the hub to which all of this belongs; NULL: none yet
  signer TEXT,                         -- the box's public key under which those not acknowledged are signed
  base_seq INTEGER NOT NULL,
  base_head TEXT NOT NULL,             -- its digest
  acknowledged INTEGER NOT NULL        -- the hub keeps all up to and with this one
) STRICT;
INSERT INTO uplink (one, base_seq, base_head, acknowledged) VALUES (1, 0, printf('%064d', 0), 0);

CREATE TABLE uplink_event (
  seq INTEGER PRIMARY KEY,
  body TEXT NOT NULL,                  -- JSON: what happened, without number and chain: it can be numbered anew
  token BLOB NOT NULL,                 -- as it is sent
  at INTEGER NOT NULL
) STRICT;

-- Messages that came by the hub and were answered to it, by the SHA-256 of their bytes.
CREATE TABLE uplink_message (
  token BLOB PRIMARY KEY,
  believed INTEGER NOT NULL,
  at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX uplink_message_at ON uplink_message (at);

-- Deliveries that came by the hub: what it was told of each.
CREATE TABLE uplink_delivery (
  key TEXT PRIMARY KEY REFERENCES delivery (key) ON DELETE CASCADE,
  told TEXT,                           -- JSON
  look_at INTEGER                      -- from then on it may have to be told anew; NULL: never by time alone
) STRICT, WITHOUT ROWID;
CREATE INDEX uplink_delivery_to_look_at ON uplink_delivery (look_at) WHERE look_at IS NOT NULL;

-- Whatever makes a retailer's answer worth a look makes the hub's so.
CREATE TRIGGER uplink_delivery_changed AFTER UPDATE OF look_at, version ON delivery
WHEN NEW.look_at = 0 OR NEW.version != OLD.version
BEGIN
  UPDATE uplink_delivery SET look_at = 0 WHERE key = NEW.key;
END;

-- Brands that came by the hub: which of the owner's decisions it was told.
CREATE TABLE uplink_brand (
  brand TEXT PRIMARY KEY,
  told INTEGER NOT NULL                -- the permission's version; 0: none
) STRICT, WITHOUT ROWID;
