"""Prints a run at a terminal: one short line for each thing that happens, and at the end what came of it."""

import asyncio
from datetime import tzinfo

from rich.console import Console
from rich.text import Text

from gateway.demo.observers import DemoEvent
from gateway.demo.page.event_lines import RETAILER_TEXTS, line_of_event
from gateway.demo.page.snapshot import line_text
from gateway.demo.result import PhysicalOpening
from gateway.demo.run import DemoObserver
from gateway.demo.scenario import Scenario
from gateway.demo.verdict import Judgement
from gateway.demo.wording import HOUSE_TEXTS, DoorNames, thing_text
from gateway.domain.delivery.result import DoorResult
from gateway.domain.visit.state import Phase
from gateway.system.i18n import SOURCE
from gateway.web.texts.catalogue import TEXTS as PAGES


class TerminalObserver(DemoObserver):
    """Prints one line for each thing that happens, after the seconds since the first of them."""

    def __init__(self, console: Console, scenario: Scenario) -> None:
        self._console = console
        self._started_mono: float | None = None
        console.print(Text(f"{scenario.title}: {scenario.summary.to(SOURCE)}", style="bold"), soft_wrap=True)

    def on_start(self, what: str) -> None:
        """Print what is being started."""
        self._console.print(Text(f"starting: {what} …", style="dim"))

    def on_action(self, who: str, what: str) -> None:
        """Print what somebody does."""
        self._print(what if who in {"house", "show"} else f"{who} {what}")

    def on_event(self, event: DemoEvent) -> None:
        """Print what the gateway published or what physically happened, where it is worth a line."""
        super().on_event(event)
        line = line_of_event(event, self.doors)
        if line is not None and not line.is_narrated:
            self._print(line_text(line, SOURCE))

    def _print(self, text: str) -> None:
        now = asyncio.get_running_loop().time()
        self._started_mono = now if self._started_mono is None else self._started_mono
        self._console.print(Text(f"{now - self._started_mono:6.1f}  {text}"), soft_wrap=True)


def print_summary(console: Console, judged: Judgement, picture: str, *, zone: tzinfo, doors: DoorNames) -> None:
    """Print what came of a run. `picture`: the path of its picture; times are in `zone`, that of the house."""
    result = judged.result
    word, style = ("as expected", "bold green") if result.ok else ("NOT as expected", "bold red")
    console.print(f"\n{result.scenario}: {_result_text(judged)}: {word}", style=style, markup=False)
    for complaint in judged.complaints:
        console.print(f"  ! {complaint}", style="red", markup=False)
    facts = [
        (f"opening of {thing_text(opening.thing, doors)}, by its own log", _opening_text(opening, zone))
        for opening in result.openings
    ]
    if result.proof.folder is not None:
        holds = "verifies" if result.proof.verified else "does NOT verify"
        films = f"{len(result.clips)} {'film' if len(result.clips) == 1 else 'films'}"
        facts.append((f"proof with {films}, {holds}", result.proof.folder))
    facts += [("what physically happened", result.house_log), ("the visit as a picture", picture)]
    for what, fact in facts:
        fits = len(what) + len(fact) + 4 <= console.width
        console.print(f"  {what}:{' ' if fits else chr(10) + ' ' * 4}{fact}", markup=False, soft_wrap=True)


def _result_text(judged: Judgement) -> str:
    """Return what came of parcels and house; a house that the owner secured after the visit is both."""
    result, parcels = judged.result, _parcels_text(judged)
    house = [] if result.house is None else [HOUSE_TEXTS[result.house].to(SOURCE)]
    if result.house is DoorResult.HANDED_TO_OWNER and Phase.LOCKED_AGAIN in {phase.phase for phase in result.phases}:
        house.append(f"then {HOUSE_TEXTS[DoorResult.LOCKED_AGAIN].to(SOURCE)}")
    parts = (f"parcels {parcels}" if parcels else "", f"house {', '.join(house)}" if house else "")
    return ", ".join(filter(None, parts)) or "no visit"


def _parcels_text(judged: Judgement) -> str | None:
    """Return what came of the parcels; without a visit, at a reception, that is what the retailer reads in the end."""
    outcome, final = judged.result.outcome, RETAILER_TEXTS.get(judged.retailer_state or "")
    if final is not None and not judged.result.phases:
        return final.to(SOURCE)
    return None if outcome is None else PAGES[f"outcome.{outcome}"].to(SOURCE).lower()


def _opening_text(opening: PhysicalOpening, zone: tzinfo) -> str:
    times = (opening.unlocked_at, opening.opened_at, opening.closed_at, opening.locked_at)
    words = ("unlocked", "opened", "closed", "locked")
    return ", ".join(
        f"{word} {at.astimezone(zone):%H:%M:%S}" for word, at in zip(words, times, strict=True) if at is not None
    )
