"""Groups a phone's waiting messages into notifications and writes their text."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from gateway.domain.visit.commands import AlarmCode, Notification
from gateway.runtime.notifications.texts import ComposedMessage
from gateway.system.i18n import Language, Text, _

LATE_AFTER = timedelta(seconds=60)  # a message that is sent later states its time
MAX_SEPARATE_AGE = timedelta(hours=24)  # an older alarm or "locked again" is sent together with others
# Sent alone and never dropped, like alarms; a brand asks once, and only this message has the links for the answer.
SEPARATE_KINDS = frozenset({Notification.LOCKED_AGAIN, Notification.PASSWORD_RESET, Notification.BRAND_ASKS})
GROUP_ABOVE_MESSAGES = 3  # if more other messages wait, they are sent as one
MAX_LISTED_MESSAGES = 5  # messages listed in a group, beside the newest, whose texts are included

_LATE_TEXT: Text = _("(late: this was so {when})")
_TODAY_FORMAT: Text = _("at %H:%M")
_EARLIER_FORMAT: Text = _("on %Y-%m-%d at %H:%M")
_WAITING_TEXT: Text = _("{count} other messages were waiting, the oldest {when}:")

TEST_TEXT: Text = _("Perron is trying this phone: its messages arrive here.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """An action on a notification: a page that asks for confirmation first."""

    label: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneNotification:
    """The content of a notification. `text` may have several lines; `picture` is a JPEG."""

    title: str
    text: str
    urgent: bool = False
    picture: bytes | None = None
    buttons: tuple[Button, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingMessage:
    """A message that is due to a phone; `number` is its key here, negative if it is not stored."""

    number: int
    about: Notification | AlarmCode
    at: datetime

    def is_late(self, utc: datetime) -> bool:
        """Return whether the event is more than a minute old."""
        return utc - self.at > LATE_AFTER

    def is_sent_alone(self, utc: datetime) -> bool:
        """Return whether the message is sent alone, whatever else waits."""
        matters = isinstance(self.about, AlarmCode) or self.about in SEPARATE_KINDS
        return matters and utc - self.at <= MAX_SEPARATE_AGE


def group_messages(waiting: Sequence[PendingMessage], utc: datetime) -> list[tuple[PendingMessage, ...]]:
    """Group all waiting messages: current ones first, then alarms and "locked again", then the rest.

    Each group becomes one notification, in the order of the events.
    """
    ordered = sorted(waiting, key=lambda one: (one.at, one.number))
    rest = [one for one in ordered if not one.is_sent_alone(utc)]
    groups: list[tuple[PendingMessage, ...]] = [(one,) for one in ordered if one.is_sent_alone(utc)]
    groups += [tuple(rest)] if len(rest) > GROUP_ABOVE_MESSAGES else [(one,) for one in rest]
    return sorted(groups, key=lambda group: (group[-1].is_late(utc), not group[-1].is_sent_alone(utc), group[-1].at))


def message_text(newest: ComposedMessage, *, utc: datetime, language: Language, zone: ZoneInfo) -> str:
    """Return the message's text, with the time of the event if it is late."""
    text = newest.words(language)
    if utc - newest.at <= LATE_AFTER:
        return text
    return f"{text} {_LATE_TEXT.to(language, when=format_time(newest.at, utc, language, zone))}"


def grouped_text(  # noqa: PLR0913 - the messages, their count, and how to show times
    messages: Sequence[ComposedMessage],
    count: int,
    oldest: datetime,
    *,
    utc: datetime,
    language: Language,
    zone: ZoneInfo,
) -> str:
    """Return one text for several messages, newest first; `count`: of all, `oldest`: the instant of the first."""
    newest, *others = messages
    lines = [message_text(newest, utc=utc, language=language, zone=zone)]
    lines.append(_WAITING_TEXT.to(language, count=str(count - 1), when=format_time(oldest, utc, language, zone)))
    lines += [f"- {message_text(one, utc=utc, language=language, zone=zone)}" for one in others[:MAX_LISTED_MESSAGES]]
    if count - 1 > MAX_LISTED_MESSAGES:
        lines.append("- …")
    return "\n".join(lines)


def format_time(at: datetime, utc: datetime, language: Language, zone: ZoneInfo) -> str:
    """Return an instant by the house's clock, with the day if it is another one."""
    local, now = at.astimezone(zone), utc.astimezone(zone)
    return local.strftime((_TODAY_FORMAT if local.date() == now.date() else _EARLIER_FORMAT).to(language))
