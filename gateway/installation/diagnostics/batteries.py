"""How the batteries are by which an entrance lives, as the gateway last heard of them: most devices sleep."""

from collections.abc import Iterator, Mapping

from devices.reports import BatteryLevel, BatteryReport
from devices.vendors.strictjson import parse
from gateway.config.home import Home
from gateway.config.topics import entrance_topic
from gateway.installation.diagnostics.finding import Finding, Said, Verdict

REFUSING = frozenset({"lock", "door"})  # whose critical battery opens no door
OF = frozenset({"lock", "door", "cover", "signal", "button", "scanner", "camera", "fridge", "presence", "alarm"})


def states(home: Home) -> list[str]:
    """Name the topics on which the gateway keeps what it last heard."""
    return [entrance_topic(entrance, "state") for entrance in home.entrances]


def batteries(home: Home, stored: Mapping[str, bytes]) -> Iterator[Finding]:
    """Say of each entrance which batteries are weak; nothing of one where none was ever told."""
    for entrance in home.entrances:
        levels, soon = _told(stored.get(entrance_topic(entrance, "state"), b""))
        if not levels:
            continue
        worst = {whose for whose, level in levels.items() if level is not BatteryLevel.GOOD} | (soon & levels.keys())
        dead = {whose for whose in REFUSING & levels.keys() if levels[whose] is BatteryLevel.CRITICAL}
        verdict = Verdict.BAD if dead else Verdict.DOUBTFUL if worst else Verdict.GOOD
        said = Said("batteries.told", {"each": tuple(_one(whose, level, soon) for whose, level in levels.items())})
        todo = Said("batteries.todo") if worst else None
        yield Finding(Said("what.batteries", {"name": entrance}), verdict, said, todo)


def _told(state: bytes) -> tuple[dict[str, BatteryLevel], set[str]]:
    """What stands in an entrance's state; nothing of one that cannot be read."""
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
        if isinstance(level, str) and level in set(BatteryLevel) and whose.partition("/")[0] in OF
    }
    return known, {one for one in (soon if isinstance(soon, list) else ()) if isinstance(one, str)}


def _one(whose: str, level: BatteryLevel, soon: set[str]) -> Said:
    kind, _, id_ = whose.partition("/")
    of = Said(f"batteries.of.{kind}", {"id": id_})
    if whose in soon and level is BatteryLevel.GOOD:
        return Said("batteries.soon", {"whose": of})
    return Said("batteries.one", {"whose": of, "level": BatteryReport(level=level)})
