-- Browsers of the household whose keys were enrolled in the house: by them they speak to the box through a hub.
-- One that is no known device any more (its person is gone, has another password ...) is none of these either.
CREATE TABLE browser (
  id TEXT PRIMARY KEY,
  device TEXT NOT NULL UNIQUE REFERENCES device (id) ON DELETE CASCADE,
  home TEXT NOT NULL,                  -- the home at the hub for which its keys are
  label TEXT NOT NULL,
  sign TEXT NOT NULL,                  -- JWK: what its orders are signed by
  agree TEXT NOT NULL,                 -- JWK: its half of what the envelopes are sealed by
  own BLOB NOT NULL,                   -- the box's private key for it alone
  farewell TEXT NOT NULL,              -- sealed for it beforehand: that it has ended
  since INTEGER NOT NULL,
  number INTEGER NOT NULL DEFAULT 0    -- of the newest order that was taken
) STRICT, WITHOUT ROWID;

-- What they ordered: kept before it is done.
CREATE TABLE browser_order (
  browser TEXT NOT NULL REFERENCES browser (id) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  sha256 BLOB NOT NULL,                -- of the signed order
  signed BLOB NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('kept', 'done', 'failed')),
  why TEXT,
  at INTEGER NOT NULL,
  PRIMARY KEY (browser, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX browser_order_kept ON browser_order (at) WHERE state = 'kept';

-- What the hub was told of them. One that ended stays here: a hub that was put back is told so again.
CREATE TABLE uplink_browser (
  browser TEXT PRIMARY KEY,
  farewell TEXT NOT NULL,
  told INTEGER NOT NULL                -- 0: how it stands is still to be told
) STRICT, WITHOUT ROWID;
CREATE INDEX uplink_browser_untold ON uplink_browser (browser) WHERE told = 0;

CREATE TRIGGER browser_enrolled AFTER INSERT ON browser
BEGIN
  INSERT OR REPLACE INTO uplink_browser (browser, farewell, told) VALUES (NEW.id, NEW.farewell, 0);
END;

CREATE TRIGGER browser_ended AFTER DELETE ON browser
BEGIN
  UPDATE uplink_browser SET told = 0 WHERE browser = OLD.id;
END;
