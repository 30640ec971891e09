"""Says in one sentence whether the house is ready for a delivery, by its present state and by no older check."""

from enum import StrEnum

from gateway.config.closure_names import closure_names
from gateway.config.device_names import device_names
from gateway.domain.delivery.candidate import VisitDelivery
from gateway.domain.frozen import Frozen
from gateway.domain.visit.predicates import is_said_home
from gateway.domain.visit.readiness import PresentState, present_readiness
from gateway.installation.capability import WalkTestStatus
from gateway.runtime.notifications.texts import readiness_text, with_broker_reason
from gateway.system.i18n import Language, Text, _
from gateway.web.server.context import GatewayServices


class Tone(StrEnum):
    """How a sentence is shown: the class of its element."""

    GOOD = "good"
    BAD = "bad"
    NEUTRAL = "rests"


class ReadinessNow(Frozen):
    """One sentence for a reader, and how it is shown."""

    tone: Tone
    text: str


_UNTRIED = _("The devices are ready. The walk test at this door is still to do.")
_DOOR_IN_USE = _("Somebody uses the door, or did a moment ago: the courier rings, Perron does not open.")
_TEXTS: dict[PresentState, tuple[Tone, Text]] = {
    PresentState.READY: (Tone.GOOD, _("The entrance is ready.")),
    PresentState.LACKING: (Tone.BAD, _("Not ready: {what}.")),
    PresentState.HOUSEHOLD: (Tone.NEUTRAL, _("Somebody is home: the courier rings, Perron does not open.")),
    PresentState.VISIT: (Tone.NEUTRAL, _("A visit is under way: afterwards Perron looks again.")),
    PresentState.ATTENTION: (Tone.BAD, _("Not ready: the door needs your attention first.")),
}


def readiness_now(services: GatewayServices, delivery: VisitDelivery, language: Language) -> ReadinessNow:
    """Return whether the entrance of a delivery is ready for it at this moment. KeyError: no entrance has its name."""
    state, now = services.entrance_state(delivery.entrance)
    readiness = present_readiness(state, delivery, now)
    tone, text = _TEXTS[readiness.is_now]
    if readiness.is_now is PresentState.READY:
        if services.walk_tests.status(delivery.entrance) is not WalkTestStatus.PASSED:
            return ReadinessNow(tone=Tone.NEUTRAL, text=_UNTRIED.to(language))
        return ReadinessNow(tone=tone, text=text.to(language))
    if readiness.is_now is PresentState.HOUSEHOLD and not is_said_home(state):
        return ReadinessNow(tone=tone, text=_DOOR_IN_USE.to(language))
    if not readiness.lacking:
        return ReadinessNow(tone=tone, text=text.to(language, what=""))
    names, devices = closure_names(state.rules.closures, language), device_names(services.home, language)
    words = with_broker_reason(readiness.lacking, is_refused=services.is_refused_by_broker())
    lacking = ", ".join(readiness_text(word, language, names, devices=devices) for word in words)
    return ReadinessNow(tone=tone, text=text.to(language, what=lacking))
