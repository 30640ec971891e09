"""Groups a phone's waiting messages into notifications and writes their text."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from gateway.domain.frozen import Frozen
from gateway.domain.visit.commands import Notification
from gateway.runtime.notifications.texts import ComposedMessage
from gateway.system.dates import day_text, time_text
from gateway.system.i18n import SOURCE, Language, Text, _

LATE_AFTER = timedelta(seconds=60)  # a message that is sent later states its time
MAX_SEPARATE_AGE = timedelta(hours=24)  # an older alarm or "locked again" is sent together with others
# Sent alone and never dropped, like alarms; a brand asks once, and only this message has the links for the answer.
SEPARATE_KINDS = frozenset({Notification.LOCKED_AGAIN, Notification.PASSWORD_RESET, Notification.BRAND_ASKS})
GROUP_ABOVE_MESSAGES = 3  # if more other messages wait, they are sent as one
MAX_LISTED_MESSAGES = 5  # messages listed in a group, beside the newest, whose texts are included

_LATE_TEXT: Text = _("(late: this was so {when})")
_TODAY_TEXT: Text = _("at {time}")
_EARLIER_TEXT: Text = _("on {day} at {time}")
_WAITING_TEXT: Text = _("{count} other messages were waiting, the oldest {when}:")

TEST_TEXT: Text = _("Perron is trying this phone: its messages arrive here.")


class Button(Frozen):
    """An action on a notification: the page at `path` asks for confirmation first.

    `url` is its whole address; None: nobody said under which address a phone finds the pages. `at_once`: a phone that
    can do so acts without the page, because the action only takes access away.
    """

    label: str
    url: str | None
    action: str = ""
    path: str = ""
    at_once: bool = False


class PhoneNotification(Frozen):
    """The content of a notification. `text` may have several lines; `picture` is a JPEG.

    `late_text` is what is added if the phone gets it too late, empty if the text says so already. A later notification
    about the same `subject` replaces this one; `alone` distinguishes one without a subject. `failed_text` is shown if
    an action does not reach the box.
    """

    title: str
    text: str
    urgent: bool = False
    is_ringing: bool = False
    picture: bytes | None = None
    buttons: tuple[Button, ...] = ()
    language: Language = SOURCE
    at: datetime | None = None
    late_text: str = ""
    failed_text: str = ""
    subject: str | None = None
    alone: str = "test"


def is_late(message: ComposedMessage, utc: datetime) -> bool:
    """Return whether the event is more than a minute old."""
    return utc - message.at > LATE_AFTER


def matters(message: ComposedMessage) -> bool:
    """Return whether the message is sent alone for a day, whatever else waits, and never dropped."""
    return message.urgent or message.about in SEPARATE_KINDS


def group_messages(waiting: Sequence[ComposedMessage], utc: datetime) -> list[tuple[ComposedMessage, ...]]:
    """Group all waiting messages into notifications: current ones first, then alarms and "locked again"."""

    def is_sent_alone(message: ComposedMessage) -> bool:
        return matters(message) and utc - message.at <= MAX_SEPARATE_AGE

    ordered = sorted(waiting, key=lambda one: (one.at, one.number))
    rest = [message for message in ordered if not is_sent_alone(message)]
    groups: list[tuple[ComposedMessage, ...]] = [(message,) for message in ordered if is_sent_alone(message)]
    groups += [tuple(rest)] if len(rest) > GROUP_ABOVE_MESSAGES else [(message,) for message in rest]
    return sorted(groups, key=lambda group: (is_late(group[-1], utc), not is_sent_alone(group[-1]), group[-1].at))


def message_text(message: ComposedMessage, *, utc: datetime, language: Language, zone: ZoneInfo) -> str:
    """Return the message's text, with the time of the event if it is late."""
    text = message.words(language)
    if not is_late(message, utc):
        return text
    return f"{text} {_LATE_TEXT.to(language, when=format_time(message.at, utc, language, zone))}"


def late_text(message: ComposedMessage, *, utc: datetime, language: Language, zone: ZoneInfo) -> str:
    """Return what a phone adds that gets the message too late; empty if its text says so already."""
    if is_late(message, utc):
        return ""
    return _LATE_TEXT.to(language, when=format_time(message.at, utc, language, zone))


def group_text(messages: Sequence[ComposedMessage], *, utc: datetime, language: Language, zone: ZoneInfo) -> str:
    """Return one text for messages, oldest first: the newest, how many more there are, and the next newest."""
    *others, newest = messages
    lines = [message_text(newest, utc=utc, language=language, zone=zone)]
    if others:
        when = format_time(others[0].at, utc, language, zone)
        lines.append(_WAITING_TEXT.to(language, count=str(len(others)), when=when))
    listed = others[::-1][:MAX_LISTED_MESSAGES]
    lines += [f"- {message_text(message, utc=utc, language=language, zone=zone)}" for message in listed]
    if len(others) > MAX_LISTED_MESSAGES:
        lines.append("- …")
    return "\n".join(lines)


def format_time(at: datetime, utc: datetime, language: Language, zone: ZoneInfo) -> str:
    """Return an instant by the house's clock, with the day if it is another one."""
    local, now = at.astimezone(zone), utc.astimezone(zone)
    time = time_text(at, zone)
    if local.date() == now.date():
        return _TODAY_TEXT.to(language, time=time)
    return _EARLIER_TEXT.to(language, day=day_text(local.date(), today=now.date()), time=time)
