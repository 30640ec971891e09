-- Scans that an entrance turned away, while nothing was open there; those that follow each other are one row.

CREATE TABLE turned_away (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  entrance TEXT NOT NULL,
  refusal TEXT NOT NULL,
  delivery TEXT,                       -- NULL: no delivery has the code, or nobody knows which one came
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  scans INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX turned_away_alike ON turned_away (entrance, refusal, delivery, id);
CREATE INDEX turned_away_last ON turned_away (last, id);
