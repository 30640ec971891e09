"""The store, the only user of SQLite: it commits before effects and answers queries."""
