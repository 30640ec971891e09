"""Reads an event, and the body of a webhook's message: the class follows from `type`."""

from typing import Final

from pydantic import TypeAdapter

from .models import Event, WebhookBody

_EVENT: Final[TypeAdapter[Event]] = TypeAdapter(Event)
_WEBHOOK_BODY: Final[TypeAdapter[WebhookBody]] = TypeAdapter(WebhookBody)


def parse_event(text: bytes) -> Event:
    """Return an event; one of a type that this release does not know is an `OtherEvent`.

    Raises:
        ValueError: it is not an event.
    """
    return _EVENT.validate_json(text)


def parse_webhook_body(text: bytes) -> WebhookBody:
    """Return a webhook's message, which the caller has verified; one of an unknown type is an `OtherMessage`.

    Raises:
        ValueError: it is not a message.
    """
    return _WEBHOOK_BODY.validate_json(text)
