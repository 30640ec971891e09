-- How many items the household says that a place still has room for. No row: nobody counts it.

CREATE TABLE free_room (
  entrance TEXT NOT NULL,
  place TEXT NOT NULL,
  free INTEGER NOT NULL CHECK (free BETWEEN 0 AND 999),
  at INTEGER NOT NULL,                 -- when somebody said it, or a visit took some of it
  PRIMARY KEY (entrance, place)
) STRICT, WITHOUT ROWID;
