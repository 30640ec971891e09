"""Runs the revisions on the connection, and in the transaction, of `gateway.hub.database.migrations`."""

from alembic import context

from gateway.hub.database.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
