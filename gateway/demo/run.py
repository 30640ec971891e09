"""Plays one scenario and judges it."""

import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

from devices.simulators.control import Impossible
from gateway.cli.failure import Failure
from gateway.demo.picture import picture
from gateway.demo.plan import plan
from gateway.demo.processes import last_words
from gateway.demo.result import Line
from gateway.demo.scenario import Play, Scenario
from gateway.demo.stage import Stage, stage
from gateway.demo.verdict import Judged, judge
from gateway.demo.watch import NeverCame, Seen, Watch
from gateway.system.i18n import Language

LAST_WORD = 5.0  # seconds
PICTURE = "visit.svg"


class Audience:
    """Who looks on. This one is silent; `gateway.demo.timeline` has one with eyes."""

    def starting(self, what: str) -> None:
        """Learn what is being started."""

    def seen(self, what: Seen | Line) -> None:
        """Learn what the gateway said (`Seen`) or what happened in the house (`Line`)."""

    def narrated(self, who: str, what: str) -> None:
        """Learn what somebody does."""


async def run(  # noqa: PLR0913 - what a run may be told, named one by one
    scenario: Scenario,
    folder: Path,
    *,
    fast: bool,
    audience: Audience,
    language: Language | None = None,
    afterwards: Callable[[Stage, Judged], Awaitable[None]] | None = None,
) -> Judged:
    """Play a scenario in `folder`, judge it, and leave its picture there (`visit.svg`).

    `language` is what the owner is told in (None: as `config/home.yaml` says); `afterwards` runs while everything is
    still up.

    Raises:
        Died: a process did not start.
        BrokerMissing: there is no broker.
        NoTemplate: not in a clone of the repository.
    """
    made = scenario.made(plan(folder, fast=fast, language=language))
    async with stage(made, folder, say=audience.starting, told=audience.seen) as ready:
        failure = await _played(scenario, ready, audience)
        await _last_word(scenario.expected.result, ready.watch)
        judged = judge(scenario, ready, failure)
        (folder / PICTURE).write_text(picture(judged.result, judged.log), encoding="utf-8")
        if afterwards is not None:
            await afterwards(ready, judged)
    return judged


async def _last_word(expected: str | None, watch: Watch) -> None:
    """Give the retailer's last word, which comes beside the visit, its time; whether it came is judged later."""

    def said() -> bool:
        states = [body["state"] for body in watch.of("result") if body.get("state")]
        return expected is None or states[-1:] == [expected]

    with contextlib.suppress(NeverCame):
        await watch.until(f"the retailer told {expected}", said, within=LAST_WORD)


async def _played(scenario: Scenario, ready: Stage, audience: Audience) -> str | None:
    """Play; return why it could not be played to its end, if so."""
    try:
        await scenario.play(Play(ready, audience.narrated))
    except (NeverCame, Impossible, ConnectionError, Failure) as failure:
        words = last_words(ready.folder / "gateway.log", 5) if ready.gateway.deaths else ""
        return f"{failure}{words and chr(10)}{words}"
    return None
