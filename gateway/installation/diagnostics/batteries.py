"""Reports the batteries of an entrance from their last known levels, because most devices sleep."""

from collections.abc import Iterator, Mapping

from devices.reports import BatteryLevel, BatteryReport
from devices.strict_json import parse
from gateway.config.home import Home
from gateway.config.topics import entrance_topic
from gateway.installation.diagnostics.finding import Finding, FindingVerdict, Sentence

BLOCKING_BATTERIES = frozenset({"lock", "door"})  # a critical battery of these refuses deliveries
BATTERY_KINDS = frozenset(
    {"lock", "door", "cover", "signal", "button", "scanner", "camera", "fridge", "presence", "alarm"}
)


def state_topics(home: Home) -> list[str]:
    """Return the topics with the gateway's retained states of entrances."""
    return [entrance_topic(entrance, "state") for entrance in home.entrances]


def battery_findings(home: Home, retained: Mapping[str, bytes]) -> Iterator[Finding]:
    """Yield a finding for each entrance with a known battery."""
    for entrance in home.entrances:
        levels, soon = _parse_batteries(retained.get(entrance_topic(entrance, "state"), b""))
        if not levels:
            continue
        worst = {whose for whose, level in levels.items() if level is not BatteryLevel.GOOD} | (soon & levels.keys())
        dead = {whose for whose in BLOCKING_BATTERIES & levels.keys() if levels[whose] is BatteryLevel.CRITICAL}
        verdict = FindingVerdict.BAD if dead else FindingVerdict.DOUBTFUL if worst else FindingVerdict.GOOD
        said = Sentence(
            "batteries.told", {"each": tuple(_battery_sentence(whose, level, soon) for whose, level in levels.items())}
        )
        todo = Sentence("batteries.todo") if worst else None
        yield Finding(Sentence("what.batteries", {"name": entrance}), verdict, said, todo)


def _parse_batteries(state: bytes) -> tuple[dict[str, BatteryLevel], set[str]]:
    """Return the batteries in an entrance's state; empty if it cannot be read."""
    try:
        body = parse(state)
    except ValueError:
        return {}, set()
    if not isinstance(body, dict):
        return {}, set()
    levels, soon = body.get("batteries"), body.get("batteries_soon")
    known = {
        whose: BatteryLevel(level)
        for whose, level in (levels.items() if isinstance(levels, dict) else ())
        if isinstance(level, str) and level in set(BatteryLevel) and whose.partition("/")[0] in BATTERY_KINDS
    }
    return known, {one for one in (soon if isinstance(soon, list) else ()) if isinstance(one, str)}


def _battery_sentence(whose: str, level: BatteryLevel, soon: set[str]) -> Sentence:
    kind, _, id_ = whose.partition("/")
    of = Sentence(f"batteries.of.{kind}", {"id": id_})
    if whose in soon and level is BatteryLevel.GOOD:
        return Sentence("batteries.soon", {"whose": of})
    return Sentence("batteries.one", {"whose": of, "level": BatteryReport(level=level)})
