-- Bookings of calendars and other systems, which propose passes and stays (their `proposed_by` is the booking's key).

CREATE TABLE booking (
  key TEXT PRIMARY KEY,                -- the source's id, and a digest of the booking's id there
  source TEXT NOT NULL,
  guest TEXT NOT NULL,
  starts INTEGER NOT NULL,
  ends INTEGER NOT NULL,
  missing INTEGER NOT NULL,            -- good readings in a row without it
  is_answered INTEGER NOT NULL         -- 1: the host answered the question about it as it is now
) STRICT, WITHOUT ROWID;
