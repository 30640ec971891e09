"""The only user of SQLite: what must be on disk before anything happens, and everything that is looked up."""

from gateway.store.register import Register
from gateway.store.sessions import Entry
from gateway.store.store import Store
from gateway.store.words import (
    Answer,
    Changed,
    Claimed,
    Clip,
    Committed,
    DatabaseRefused,
    Device,
    Film,
    Home,
    Invitation,
    Message,
    Newcomer,
    Overtaken,
    Person,
    Session,
    Step,
    Stop,
    StoreFailed,
    Upcoming,
)

__all__ = [
    "Answer",
    "Changed",
    "Claimed",
    "Clip",
    "Committed",
    "DatabaseRefused",
    "Device",
    "Entry",
    "Film",
    "Home",
    "Invitation",
    "Message",
    "Newcomer",
    "Overtaken",
    "Person",
    "Register",
    "Session",
    "Step",
    "Stop",
    "Store",
    "StoreFailed",
    "Upcoming",
]
