-- Pauses: between two instants no delivery is let in, said by the household. They are forgotten when they are over.
CREATE TABLE pause (
  id TEXT PRIMARY KEY,
  entrance TEXT,                       -- NULL: every entrance of the house
  starts INTEGER NOT NULL,
  ends INTEGER NOT NULL CHECK (ends > starts),
  by TEXT                              -- the person who said so; NULL: not by an account
) STRICT, WITHOUT ROWID;
