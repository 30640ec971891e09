"""What the queue of notifications knows of a phone: a name, and a way to send to it."""

from enum import StrEnum, auto
from typing import Protocol

from gateway.runtime.notifications.batching import PhoneNotification

SEND_TIMEOUT_S = 20.0  # seconds: a send that takes longer counts as failed, whatever happens then


class SendResult(StrEnum):
    """The result of sending to a phone."""

    TAKEN = auto()
    REFUSED = auto()
    SILENT = auto()  # no result within the limit: it may still arrive
    GONE = auto()  # its service does not know it any more, or its person may no longer be told


class Phone(Protocol):
    """A channel to one phone, or to several under one address.

    Only `scheme`, `host` (None if it could be a secret) and `name`, which reveals nothing, may be shown.
    """

    @property
    def name(self) -> str:
        """The same for the same address."""

    @property
    def scheme(self) -> str:
        """How it is reached."""

    @property
    def host(self) -> str | None:
        """Through whom."""

    @property
    def decides_brands(self) -> bool:
        """Whether its person may let brands in."""

    async def send(self, notification: PhoneNotification) -> SendResult:
        """Send the notification within the limit; no failure of network or service raises."""
