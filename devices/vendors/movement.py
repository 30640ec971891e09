"""Perron's own keys of a command that moves a bolt, equal in every vendor's body.

They let a guarded lock refuse a repeated, a foreign or a late command by itself; a basic lock ignores them.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from devices.commands import LockDoor, UnlockDoor
from devices.strict_json import MalformedPayload, format_timestamp, identifier, integer, timestamp


def command_keys(command: UnlockDoor | LockDoor) -> dict[str, object]:
    """Return `id, intent, issued_at, expires_at` and, where the lock's uptime is known, `boot, until_ms`.

    Raises:
        ValueError: only one of `boot` and `until_ms` is known; neither means anything alone.
    """
    if (command.boot is None) != (command.until_ms is None):
        raise ValueError("boot and until_ms come together")
    fields: dict[str, object] = {
        "id": command.id,
        "intent": command.intent,
        "issued_at": format_timestamp(command.issued_at),
        "expires_at": format_timestamp(command.expires_at),
    }
    if command.boot is not None:
        fields |= {"boot": command.boot, "until_ms": command.until_ms}
    return fields


def read_command(body: Mapping[str, object], kind: type[UnlockDoor] | type[LockDoor]) -> UnlockDoor | LockDoor:
    """Return the command of this `kind` in `body`.

    Raises:
        MalformedPayload: a key is missing or has the wrong type.
    """
    if ("boot" in body) != ("until_ms" in body):
        raise MalformedPayload("boot and until_ms come together")
    return kind(
        id=identifier(body.get("id"), "id"),
        intent=identifier(body.get("intent"), "intent"),
        issued_at=timestamp(body.get("issued_at"), "issued_at"),
        expires_at=timestamp(body.get("expires_at"), "expires_at"),
        boot=identifier(body["boot"], "boot") if "boot" in body else None,
        until_ms=integer(body["until_ms"], "until_ms") if "until_ms" in body else None,
    )


def bare_command(kind: type[UnlockDoor] | type[LockDoor]) -> UnlockDoor | LockDoor:
    """Return the command of this `kind` as a basic lock understands it: no id, no intent, no time."""
    never = datetime.fromtimestamp(0, UTC)
    return kind(id="", intent="", issued_at=never, expires_at=never)
