-- Visits that are shared through the hub: the link is a browser that may ask for one visit.

CREATE TABLE guest_browser (
  id TEXT PRIMARY KEY,                 -- its name at the hub
  share TEXT NOT NULL UNIQUE REFERENCES share (id) ON DELETE CASCADE,
  home TEXT NOT NULL,                  -- the home at the hub for which the link is
  sign TEXT NOT NULL,                  -- JWK of the key that signs its tokens; the link alone has the private key
  secret BLOB NOT NULL,                -- from which box and link derive the keys of the envelopes
  farewell TEXT NOT NULL               -- sealed for it beforehand: that it has ended
) STRICT, WITHOUT ROWID;

CREATE TRIGGER guest_browser_made AFTER INSERT ON guest_browser
BEGIN
  INSERT OR REPLACE INTO uplink_browser (browser, farewell, told) VALUES (NEW.id, NEW.farewell, 0);
END;

CREATE TRIGGER guest_browser_ended AFTER DELETE ON guest_browser
BEGIN
  UPDATE uplink_browser SET told = 0 WHERE browser = OLD.id;
END;
