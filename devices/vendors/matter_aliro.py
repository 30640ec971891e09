"""The keys of Aliro at a Matter lock: who may issue access documents, as a credential of a user of its Door Lock.

A phone or watch shows the lock an access document that an issuer has signed; the lock checks it without a network. Only
public keys are stored (P-256, uncompressed), and a lock reports them back: what it stored is compared byte by byte.

Sources: the Matter Application Cluster Specification 1.5, Door Lock (CredentialTypeEnum 6 to 8; GetCredentialStatus
returns the data of these credentials); Aliro 1.0.
"""

import base64
import binascii
from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from devices.vendors.matter_keypad import ADD, ENABLED, UNRESTRICTED_USER, CodeStep

ALIRO_FEATURE: Final = 1 << 13  # of a door lock's feature map: it stores keys of Aliro
KEY_BYTES: Final = 65  # 4, then both coordinates


class AliroKey(IntEnum):
    """Whose key it is (Matter CredentialTypeEnum)."""

    ISSUER = 6
    EVICTABLE_ENDPOINT = 7
    NON_EVICTABLE_ENDPOINT = 8


def has_aliro(lock_features: int) -> bool:
    """Return whether a door lock stores keys of Aliro."""
    return bool(lock_features & ALIRO_FEATURE)


def storing_steps(kind: AliroKey, slot: int, name: str, key: bytes) -> tuple[CodeStep, ...]:
    """Return the commands that store a key for a user of its own; each fails if the slot is taken.

    Raises:
        ValueError: the key is no uncompressed point of P-256.
    """
    if len(key) != KEY_BYTES or key[0] != 4:
        raise ValueError("a key of Aliro is an uncompressed public key of P-256")
    user = {
        "operationType": ADD, "userIndex": slot, "userName": name, "userUniqueID": None, "userStatus": ENABLED,
        "userType": UNRESTRICTED_USER, "credentialRule": 0,
    }  # fmt: skip
    credential = {
        "operationType": ADD, "credential": _credential(kind, slot), "credentialData": base64.b64encode(key).decode(),
        "userIndex": slot, "userStatus": None, "userType": None,
    }  # fmt: skip
    return ("SetUser", user), ("SetCredential", credential)


def reading_steps(kind: AliroKey, slot: int) -> tuple[CodeStep, ...]:
    """Return the commands that read it back, in the order of the answers in `is_stored`."""
    return ("GetUser", {"userIndex": slot}), ("GetCredentialStatus", {"credential": _credential(kind, slot)})


def is_stored(slot: int, key: bytes, user: object, credential: object) -> bool:
    """Return whether the lock says that exactly this key belongs to the user in this slot, who is enabled."""
    if not isinstance(user, Mapping) or not isinstance(credential, Mapping):
        return False
    data = credential.get("credentialData")
    try:
        stored = base64.b64decode(data, validate=True) if isinstance(data, str) else b""
    except (binascii.Error, ValueError):
        stored = b""
    belongs = credential.get("credentialExists") is True and credential.get("userIndex") == slot
    return belongs and user.get("userStatus") == ENABLED and stored == key


def _credential(kind: AliroKey, slot: int) -> dict[str, object]:
    return {"credentialType": kind.value, "credentialIndex": slot}
