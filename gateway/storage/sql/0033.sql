-- Calendars whose addresses the host gave on the page Guests; those of the house file are not here.

CREATE TABLE calendar (
  id TEXT PRIMARY KEY,                 -- the source of its bookings
  address TEXT NOT NULL,               -- who knows it reads the calendar
  arrival TEXT NOT NULL,               -- HH:MM, of a booking of whole days
  departure TEXT NOT NULL,
  entrances TEXT NOT NULL,             -- JSON list; empty: every entrance that admits guests
  added INTEGER NOT NULL,
  by TEXT
) STRICT, WITHOUT ROWID;
