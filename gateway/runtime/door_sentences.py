"""Has a speaker at the door say in words what the signal's sound means: in the courier's language, if it is known.

The light and the buzzer say the same; a speaker that is silent, late or gone changes nothing at the door.
"""

from collections import OrderedDict
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Final

from devices.commands import SaySentence, Sound
from gateway.domain.visit.state import Entrance
from gateway.system.i18n import SOURCE, Language, Text, _, languages_of
from gateway.system.ids import unique_id

MAX_COURIERS: Final = 256  # whose language is remembered; a day has fewer deliveries

SENTENCES: Final[Mapping[Sound, Text]] = MappingProxyType(
    {
        Sound.RING: _("Please wait. It rings inside."),
        Sound.WAIT: _("Please wait."),
        Sound.GO: _("Please come in."),
        Sound.NO: _("The door does not open now. Please take the parcel with you."),
        Sound.LEAVE: _("Please come out and stand clear of the door."),
        Sound.CLOSE_THE_DOOR: _("Please close the door behind you."),
        Sound.LIFT_THE_HANDLE: _("Please lift the handle."),
        Sound.ALARM: _("Something is wrong. The owner has been told."),
    }
)
"""What is said for each sound of the signal. Silence says nothing."""


class CourierLanguages:
    """The language in which the courier of each delivery reads the page of his link. The newest are remembered."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Language] = OrderedDict()

    def note(self, delivery: str, language: Language) -> None:
        """Remember the language of a delivery's courier."""
        self._known[delivery] = language
        self._known.move_to_end(delivery)
        if len(self._known) > MAX_COURIERS:
            self._known.popitem(last=False)

    def of(self, delivery: str) -> Language | None:
        """Return the language of a delivery's courier; None: nobody has opened the link."""
        return self._known.get(delivery)


@cache
def spoken_languages() -> tuple[Language, ...]:
    """Return the languages in which all sentences exist."""
    first, *others = (languages_of(text) for text in SENTENCES.values())
    return tuple(language for language in first if all(language in known for known in others))


def sentence_for(sound: Sound, state: Entrance, languages: CourierLanguages, default: Language) -> SaySentence | None:
    """Return what the speaker of an entrance says for a sound; None: there is nothing to say.

    It is said in the language of the courier who is at the door or in `default`, in English if there is no such text.
    """
    text = SENTENCES.get(sound)
    if text is None:
        return None
    visit = state.visit or state.grace_visit
    delivery = visit.delivery.id if visit is not None else state.pending_scan and state.pending_scan.delivery
    language = (languages.of(delivery) if delivery else None) or default
    spoken = language if language in spoken_languages() else SOURCE
    return SaySentence(id=unique_id(), sound=sound, language=spoken, text=text.to(spoken))
