"""The only user of SQLite: what must be on disk before anything happens, and everything that is looked up."""

from gateway.store.handover import Handover
from gateway.store.keeping import Erased, Keeping, Look, Tally
from gateway.store.register import ByCode, Register
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
    HouseOffer,
    Invitation,
    Message,
    Newcomer,
    Overtaken,
    Person,
    Recovered,
    Session,
    Step,
    Stop,
    StoreFailed,
    Upcoming,
)

__all__ = [
    "Answer",
    "ByCode",
    "Changed",
    "Claimed",
    "Clip",
    "Committed",
    "DatabaseRefused",
    "Device",
    "Entry",
    "Erased",
    "Film",
    "Handover",
    "Home",
    "HouseOffer",
    "Invitation",
    "Keeping",
    "Look",
    "Message",
    "Newcomer",
    "Overtaken",
    "Person",
    "Recovered",
    "Register",
    "Session",
    "Step",
    "Stop",
    "Store",
    "StoreFailed",
    "Tally",
    "Upcoming",
]
