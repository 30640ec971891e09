"""The hub's migrations in Alembic's layout: `env.py` is what Alembic runs, `versions` has one file for each change."""
