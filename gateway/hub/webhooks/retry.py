"""Classifies the result of an attempt and computes the next one. Pure: the random number is an argument."""

from datetime import timedelta
from enum import StrEnum, auto
from http import HTTPStatus

from gateway.domain.frozen import Frozen
from gateway.protocol.strict_json import loads
from gateway.system.backoff import RetrySchedule

MAX_EXCERPT_CHARS = 200
MIN_GIVE_UP_AGE = timedelta(hours=24)  # a younger message is not given up
MAX_RETRY_AFTER = timedelta(hours=1)  # a longer Retry-After is shortened
SLOW_THRESHOLD_S = 5.0  # a slower endpoint gets the lane of slow ones

# After the first attempt, the second ...; docs/retailer/webhooks.md lists them.
WEBHOOK_RETRIES = RetrySchedule((5, 30, 120, 600, 1800, 3600, 7200, 14_400, 21_600, 28_800))


class WebhookResult(StrEnum):
    """The result of an attempt."""

    TAKEN = auto()  # an answer of 2xx
    GONE = auto()  # 410: the receiver wants no further message
    REDIRECTED = auto()  # 3xx: the hub follows no redirect; the retailer changes the address of an endpoint
    REFUSED = auto()  # any other status
    NOT_ALLOWED = auto()  # the host name resolves to an address to which the hub must not send
    NOT_FOUND = auto()  # the host name does not resolve
    TLS = auto()  # the hub does not accept the certificate
    UNREACHABLE = auto()  # there was no connection, or it broke
    TIMEOUT = auto()  # no answer in time
    NO_HTTP = auto()  # the response is not HTTP, or it is too large
    NO_CHALLENGE = auto()  # an answer of 2xx without the challenge that was sent to it
    NOT_SENT = auto()  # the hub itself could not make the request; it tries again


class WebhookAttempt(Frozen):
    """The end of one attempt. `retry_after`: the pause that the receiver requested."""

    result: WebhookResult
    seconds: float
    status: int | None = None
    excerpt: str | None = None
    retry_after: timedelta | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether the receiver accepted the message."""
        return self.result is WebhookResult.TAKEN


def result_of_status(status: int) -> WebhookResult:
    """Return the result that a status means."""
    if 200 <= status < 300:
        return WebhookResult.TAKEN
    if 300 <= status < 400:
        return WebhookResult.REDIRECTED
    return WebhookResult.GONE if status == HTTPStatus.GONE else WebhookResult.REFUSED


def excerpt_of(body: bytes) -> str | None:
    """Return the beginning of a response: one line of printable ASCII without `<`, `>`, `&` and quotes."""
    text = "".join(chr(byte) if 32 <= byte < 127 and chr(byte) not in "<>&\"'`\\" else " " for byte in body)
    return " ".join(text.split())[:MAX_EXCERPT_CHARS] or None


def parse_retry_after(header: str | None) -> timedelta | None:
    """Return a Retry-After in seconds, or None for a date."""
    if header is None or not (header.isascii() and header.isdigit() and len(header) <= 9):
        return None
    return min(timedelta(seconds=int(header)), MAX_RETRY_AFTER)


def retry_delay(tries: int, *, retry_after: timedelta | None, chance: float) -> timedelta:
    """Return the delay after the attempt of this number (1 is the first). `chance` is from 0 to 1."""
    return max(WEBHOOK_RETRIES.delay(tries, chance=chance), retry_after or timedelta())


def is_given_up(tries: int, age: timedelta, *, max_attempts: int) -> bool:
    """Return whether a message is given up after so many attempts since then."""
    return tries >= max_attempts and age >= MIN_GIVE_UP_AGE


def answers_challenge(body: bytes, challenge: str) -> bool:
    """Return whether a receiver has sent a challenge back: `{"challenge": "..."}`, or the bare text.

    A server that echoes the request proves nothing; there the challenge is deeper, in `data`.
    """
    try:
        answer = loads(body)
    except ValueError:
        answer = body.decode(errors="replace").strip()
    if isinstance(answer, dict):
        answer = answer.get("challenge")
    return answer == challenge
