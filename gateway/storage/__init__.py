"""The store, the only user of SQLite: it commits before effects and answers queries."""

from gateway.storage.models import StoreFailed
from gateway.storage.store import Store

__all__ = ["Store", "StoreFailed"]
