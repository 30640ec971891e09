"""What a phone is told in one go: which of the waiting messages, in which words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from gateway.domain.visit.commands import AlarmCode, Notification
from gateway.runtime.notifications.texts import Message
from gateway.system.i18n import Language, Text, _

LATE = timedelta(seconds=60)  # what is told later says so
LOUD = timedelta(hours=24)  # so long an alarm or "locked again" is told alone; afterwards together with others
# What is told alone and never dropped, as alarms are; a brand asks once, and the links there answer it alone.
ALONE = frozenset({Notification.LOCKED_AGAIN, Notification.PASSWORD_RESET, Notification.BRAND_ASKS})
TOGETHER = 3  # of other messages more than so many that wait are told as one
LISTED = 5  # messages of those that are told as one, beside the newest, whose words are told too

_LATE: Text = _("(late: this was so {when})")
_TODAY: Text = _("at %H:%M")
_BEFORE: Text = _("on %Y-%m-%d at %H:%M")
_WAITED: Text = _("{count} other messages were waiting, the oldest {when}:")

TRIAL: Text = _("Perron is trying this phone: its messages arrive here.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """Something that can be done about it: a page that asks once more before it does it."""

    label: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What stands on the phone. `text` may have several lines; `picture` is a JPEG."""

    title: str
    text: str
    urgent: bool = False
    picture: bytes | None = None
    buttons: tuple[Button, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A message that a phone is owed; `number` is its key here, negative where it is not stored."""

    number: int
    about: Notification | AlarmCode
    at: datetime

    def late(self, utc: datetime) -> bool:
        """Whether it was so more than a minute ago."""
        return utc - self.at > LATE

    def loud(self, utc: datetime) -> bool:
        """Whether it is told alone, whatever else waits."""
        matters = isinstance(self.about, AlarmCode) or self.about in ALONE
        return matters and utc - self.at <= LOUD


def groups(waiting: Sequence[Waiting], utc: datetime) -> list[tuple[Waiting, ...]]:
    """Everything that waits, in groups: what happens now comes first, then alarms and "locked again", then the rest.

    A group is told as one, in the order in which it happened.
    """
    ordered = sorted(waiting, key=lambda one: (one.at, one.number))
    rest = [one for one in ordered if not one.loud(utc)]
    told: list[tuple[Waiting, ...]] = [(one,) for one in ordered if one.loud(utc)]
    told += [tuple(rest)] if len(rest) > TOGETHER else [(one,) for one in rest]
    return sorted(told, key=lambda group: (group[-1].late(utc), not group[-1].loud(utc), group[-1].at))


def words(newest: Message, *, utc: datetime, language: Language, zone: ZoneInfo) -> str:
    """Say what was so, and since when where it is told late."""
    text = newest.words(language)
    if utc - newest.at <= LATE:
        return text
    return f"{text} {_LATE.to(language, when=when(newest.at, utc, language, zone))}"


def together(  # noqa: PLR0913 - what several messages told as one consist of
    told: Sequence[Message], count: int, oldest: datetime, *, utc: datetime, language: Language, zone: ZoneInfo
) -> str:
    """Say several messages as one: `told` newest first, `count` all of them, the oldest of an instant."""
    newest, *others = told
    lines = [words(newest, utc=utc, language=language, zone=zone)]
    lines.append(_WAITED.to(language, count=str(count - 1), when=when(oldest, utc, language, zone)))
    lines += [f"- {words(one, utc=utc, language=language, zone=zone)}" for one in others[:LISTED]]
    if count - 1 > LISTED:
        lines.append("- …")
    return "\n".join(lines)


def when(at: datetime, utc: datetime, language: Language, zone: ZoneInfo) -> str:
    """Name an instant by the house's clock, with the day where it is another."""
    there, here = at.astimezone(zone), utc.astimezone(zone)
    return there.strftime((_TODAY if there.date() == here.date() else _BEFORE).to(language))
