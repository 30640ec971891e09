-- The state of an entrance, rewritten by each decision, in a table that keeps a row of up to 4 kB in one page; a table
-- without rowid keeps 1 kB. The readiness checks in it are larger and change seldom: they have a row of their own.

CREATE TABLE entrance_state (
  entrance TEXT PRIMARY KEY,
  state TEXT NOT NULL                  -- JSON of gateway.domain.visit.state.Entrance
) STRICT;
CREATE TABLE entrance_preflights (
  entrance TEXT PRIMARY KEY,
  preflights TEXT NOT NULL             -- JSON of the field `preflights`; before version 34 the state had it
) STRICT;
INSERT INTO entrance_state (entrance, state) SELECT id, state FROM entrance WHERE state IS NOT NULL;
ALTER TABLE entrance DROP COLUMN state;
