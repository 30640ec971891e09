-- The owner's phones, and what each of them has still to be told. A phone is named by a keyed digest of its URL, which
-- is a secret. A row of `owed` goes when its phone has the message; `held`: somebody tries it until then.
CREATE TABLE phone (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

CREATE TABLE owed (
  phone TEXT NOT NULL REFERENCES phone (name) ON DELETE CASCADE,
  message INTEGER NOT NULL REFERENCES message (id) ON DELETE CASCADE,
  held INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (phone, message)
) STRICT, WITHOUT ROWID;
CREATE INDEX owed_of_message ON owed (message);

-- One-time links that were used, until they have expired anyway.
CREATE TABLE used_link (nonce BLOB PRIMARY KEY, expires INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX used_link_expires ON used_link (expires);
