"""The store, the only user of SQLite: it commits before effects and answers queries."""

from gateway.storage.accounts import AccountStore
from gateway.storage.hub_journal import EventSigner
from gateway.storage.models import (
    AccountChangeResult,
    AccountHolder,
    ClaimResult,
    CommitResult,
    DatabaseRefused,
    FilmRecord,
    HouseholdPresence,
    HouseOffer,
    Invitation,
    KnownDevice,
    MessageAnswer,
    NewAccount,
    PhoneStatus,
    RecoveryCodeUse,
    RecoveryResult,
    Session,
    StoredBrandKey,
    StoredClip,
    StoredDecision,
    StoredMessage,
    StoreFailed,
)
from gateway.storage.sessions import SignInEntry
from gateway.storage.store import Store

__all__ = [
    "AccountChangeResult",
    "AccountHolder",
    "AccountStore",
    "ClaimResult",
    "CommitResult",
    "DatabaseRefused",
    "EventSigner",
    "FilmRecord",
    "HouseOffer",
    "HouseholdPresence",
    "Invitation",
    "KnownDevice",
    "MessageAnswer",
    "NewAccount",
    "PhoneStatus",
    "RecoveryCodeUse",
    "RecoveryResult",
    "Session",
    "SignInEntry",
    "Store",
    "StoreFailed",
    "StoredBrandKey",
    "StoredClip",
    "StoredDecision",
    "StoredMessage",
]
