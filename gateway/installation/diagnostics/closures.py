"""Says what each closure of an entrance lacks now, by the answers of this examination, in the words of the pages."""

from collections.abc import Iterator, Mapping

from gateway.config.closure_names import closure_label
from gateway.config.closures import entrance_closures, sensor_bindings
from gateway.config.home import Home
from gateway.domain.visit.closures import AnyClosure
from gateway.domain.visit.closures.contract import Fact, View
from gateway.domain.visit.events import ReportContext
from gateway.installation.device_probe import DeviceAnswer
from gateway.installation.diagnostics.devices import HIDDEN_TEXT
from gateway.installation.diagnostics.finding import Finding, doubtful, good, joined
from gateway.runtime.adapters.sensors import sensor_events
from gateway.runtime.notifications.texts import READINESS_TEXTS
from gateway.system.i18n import Text, _

_NO_SESSION = ReportContext(session=0)  # the examination keeps the answers by itself


def closure_findings(home: Home, answers: Mapping[str, DeviceAnswer], *, shows_people: bool) -> Iterator[Finding]:
    """Yield a finding for each closure of which every sensor has answered; a silent device has its own finding.

    Without `shows_people` it does not say what the household does: where its car is, for example.
    """
    for entrance in home.entrances:
        closures = entrance_closures(home, entrance)
        facts = _facts(closures, answers)
        for closure in closures:
            if facts.keys() >= set(closure.sensor_names.values()):
                subject = _("{closure}, entrance {name}", closure=closure_label(closures, closure.id), name=entrance)
                yield _finding(subject, closure, View(facts, closure.sensor_names), shows_people=shows_people)


def _facts(closures: tuple[AnyClosure, ...], answers: Mapping[str, DeviceAnswer]) -> Mapping[str, Fact]:
    """Return what the sensors answered, by their names; each answer came to a query of this examination."""
    sensors = {
        closure.sensor_names[role]: sensor for closure in closures for role, sensor in closure.sensors.items()
    }  # fmt: skip
    bindings = sensor_bindings(closures)
    return {
        event.sensor: Fact(value=event.value, proven=event.value in sensors[event.sensor].needs_answer)
        for device in dict.fromkeys(binding.device for binding in bindings)
        for report in (answers[device].answer if device in answers else None) or ()
        for event in sensor_events(closures, bindings, device, report, _NO_SESSION)
    }


def _finding(subject: Text, closure: AnyClosure, view: View, *, shows_people: bool) -> Finding:
    words = closure.not_ready(view)
    if not words:
        return good(subject, _("its devices' answers keep nothing shut"))
    told = [word for word in words if shows_people or word not in closure.household_words]
    texts = [READINESS_TEXTS[word] for word in told] or [HIDDEN_TEXT]
    todo = _("Until then no delivery comes in there. Put it right, then examine again.")
    return doubtful(subject, _("Not ready: {what}.").with_facts(what=joined(texts)), todo)
