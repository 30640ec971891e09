-- Each closure that a visit was allowed to open: one durable intent each, and never a second one.

CREATE TABLE opening (
    visit TEXT NOT NULL REFERENCES visit (id) ON DELETE CASCADE,
    closure TEXT NOT NULL,
    stage INTEGER NOT NULL,  -- its place in the route of the visit
    at INTEGER NOT NULL,  -- when the intent was stored, in microseconds since 1970 (UTC)
    PRIMARY KEY (visit, closure)
) STRICT, WITHOUT ROWID;

-- Until now an entrance had one door.
INSERT INTO opening (visit, closure, stage, at) SELECT id, 'door', 0, began FROM visit WHERE intent IS NOT NULL;
