"""Prints the live timeline of a run: people, decisions, door, films and messages."""

import asyncio
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gateway.demo.result import LogLine, PhysicalOpening
from gateway.demo.run import DemoObserver
from gateway.demo.scenario import Scenario
from gateway.demo.verdict import Judgement
from gateway.demo.watch import Body, ObservedMessage
from gateway.system.i18n import SOURCE

COLUMNS = ("at the door", "decision", "door", "film", "owner")
AT_THE_DOOR, DECISION, DOOR, FILM, OWNER = range(len(COLUMNS))
COLUMN_STARTS_PERCENT = (
    0,
    18,
    33,
    45,
    56,
)  # where each column begins, in hundredths; a row has one text, which goes on to the right
TIME_WIDTH_CHARS = 7  # characters for the seconds
MIN_WIDTH_CHARS = 72  # characters: in less the columns' names would touch


class DemoTimeline(DemoObserver):
    """Prints one row for each thing that happens, and below all what is true now. Colour is never the only sign."""

    def __init__(self, console: Console, scenario: Scenario) -> None:
        self._console = console
        self._scenario = scenario
        self._live = Live(Text("starting …"), console=console, refresh_per_second=8, transient=True)
        self._started_mono: float | None = None
        self._state: Body = {}
        self._width = max(MIN_WIDTH_CHARS, console.width) - TIME_WIDTH_CHARS

    def __enter__(self) -> Self:
        self._console.print(Text(f"{self._scenario.title}: {self._scenario.line.to(SOURCE)}", style="bold"))
        self._live.start()
        return self

    def end(self) -> None:
        """Show no longer what is true now."""
        self._live.stop()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def starting(self, what: str) -> None:
        """Show what is being started."""
        self._live.update(Text(f"starting: {what} …", style="dim"))

    def narrated(self, who: str, what: str) -> None:
        """Show what somebody does."""
        if who == "owner":
            self._print_row(OWNER, f"“{what}”", "bold")
        elif who == "box":
            self._print_row(DECISION, f"the box {what}", "bold red")
        else:
            self._print_row(
                AT_THE_DOOR,
                f"{who} {what}" if who not in {"house", "show"} else what,
                "cyan" if who == "courier" else "dim",
            )

    def seen(self, what: ObservedMessage | LogLine) -> None:
        """Show what the gateway said or what physically happened."""
        if not isinstance(what, ObservedMessage):
            physical = _house_text(what)
            if physical is not None:
                self._print_row(DOOR, *physical)
            return
        match what.kind:
            case "event":
                decided = _event_text(what.body)
                if decided is not None:
                    self._print_row(DECISION, *decided)
            case "message":
                late = " (told late)" if what.body.get("late") else ""
                self._print_row(OWNER, what.body["text"] + late, "bold red" if what.body["urgent"] else "magenta")
            case "state":
                self._print_films(what.body)
                self._state = what.body
                self._live.update(_state_text(what.body))
            case "bridge":
                self._print_row(DECISION, f"the box is {what.body['state']}", "dim")
            case _:
                pass

    def _print_films(self, state: Body) -> None:
        for word, sign in (("recording", "●"), ("live", "○")):
            before, now = _camera_names(self._state, word), _camera_names(state, word)
            if now - before:
                self._print_row(
                    FILM, f"{sign} {word}: {', '.join(sorted(now - before))}", "red" if sign == "●" else "dim"
                )
            if before - now:
                self._print_row(FILM, f"no longer {word}: {', '.join(sorted(before - now))}", "dim")

    def _print_row(self, column: int, text: str, style: str) -> None:
        now = asyncio.get_running_loop().time()
        if self._started_mono is None:
            self._started_mono = now
            names = Text(style="bold")
            for number, name in enumerate(COLUMNS):
                names.pad_right(self._column_start(number) - len(names))
                names.append(name, style="underline")
            self._print("", names)
        self._print(
            f"{now - self._started_mono:.1f}", Padding(Text(text, style=style), (0, 0, 0, self._column_start(column)))
        )

    def _column_start(self, column: int) -> int:
        return self._width * COLUMN_STARTS_PERCENT[column] // 100

    def _print(self, time: str, what: RenderableType) -> None:
        grid = Table.grid(padding=(0, 1, 0, 0))
        grid.add_column(width=TIME_WIDTH_CHARS - 1, justify="right", style="dim")
        grid.add_column(width=self._width)
        grid.add_row(time, what)
        self._console.print(grid)


def _camera_names(state: Body, word: str) -> set[str]:
    return {name for name, camera in state.get("cameras", {}).items() if camera[word]}


def _state_text(state: Body) -> Text:
    filming = ", ".join(sorted(_camera_names(state, "recording"))) or "nobody"
    said = "locked" if state["locked"] else f"bolt {state['bolt']}"
    return Text(f"now: {state['phase']}, {said}, door {state['door']}, filming: {filming}", style="reverse")


def _house_text(line: LogLine) -> tuple[str, str] | None:
    match line["what"]:
        case "bolt":
            air = " in the air" if line["in_air"] else ""
            return f"bolt {line['state']}{air}", "bold yellow"
        case "door":
            return f"door {line['state']}{' by force' if line.get('forced') else ''}", "bold yellow"
        case "signal":
            return f"light {line['light']}, sound {line['sound']}", "green" if line["light"] == "green" else "dim"
        case "refused":
            return f"{line['device']} refuses: {line['why']}", "yellow"
        case _:
            return None


def _event_text(event: Body) -> tuple[str, str] | None:
    match event["kind"]:
        case "phase":
            return str(event["phase"]).upper().replace("_", " "), "bold blue"
        case "answer":
            why = f" ({event['refusal']})" if event["refusal"] else ""
            return f"scanner: {event['word']}{why}", "red" if event["refusal"] else "green"
        case "outcome":
            return f"parcels: {event['outcome']}", "bold"
        case "house":
            return f"house: {event['house']}", "bold"
        case "held_back":
            return f"unlock held back ({event['why']})", "red"
        case "reserve" | "unlock" | "lock" | "release" | "seal":
            words = {
                "reserve": "intent stored", "unlock": "unlock sent", "lock": "lock sent",
                "release": "opening given back", "seal": "sealing film and log",
            }  # fmt: skip
            return words[event["kind"]], "blue"
        case _:
            return None


def print_summary(console: Console, judged: Judgement, picture: str) -> None:
    """Say what came of it."""
    result = judged.result
    word, style = ("as expected", "bold green") if result.ok else ("NOT as expected", "bold red")
    console.print(
        f"\n{result.scenario}: parcels {result.outcome or '-'}, house {result.house or '-'}: {word}", style=style
    )
    for complaint in judged.complaints:
        console.print(f"  ! {complaint}", style="red", markup=False)
    facts = [("opening, by the door's own log (UTC)", _opening_text(opening)) for opening in result.openings]
    if result.proof.folder is not None:
        holds = "verifies" if result.proof.verified else "does NOT verify"
        facts.append((f"proof with {len(result.clips)} films, {holds}", result.proof.folder))
    facts += [("what physically happened", result.house_log), ("the visit as a picture", picture)]
    for what, fact in facts:
        fits = len(what) + len(fact) + 4 <= console.width
        console.print(f"  {what}:{' ' if fits else chr(10) + ' ' * 4}{fact}", markup=False, soft_wrap=True)


def _opening_text(opening: PhysicalOpening) -> str:
    times = (opening.unlocked_at, opening.opened_at, opening.closed_at, opening.locked_at)
    words = ("unlocked", "opened", "closed", "locked")
    return ", ".join(f"{word} {at:%H:%M:%S}" for word, at in zip(words, times, strict=True) if at is not None)
