"""`perron demo`: deliveries in a simulated house, with everything on 127.0.0.1."""

import asyncio
import os
import shlex
import signal
import sys
from collections.abc import Coroutine, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.console import Console

from gateway.cli.failure import ExitCode, Failure, failure_on
from gateway.cli.folder_path import MAX_FOLDER_PATH_BYTES, check_folder_path
from gateway.cli.lines import program_name, relative_path
from gateway.cli.options import cli, known_language, print_line
from gateway.demo.observers import WaitTimeout
from gateway.demo.page.runner import DemoRunner
from gateway.demo.page.script import make_show
from gateway.demo.page.site import DemoSite
from gateway.demo.page.words import LANGUAGES
from gateway.demo.processes import BUSY_HINT
from gateway.demo.run import PICTURE_NAME, DemoObserver, run_scenario
from gateway.demo.scenario import Scenario
from gateway.demo.scenarios import SCENARIOS, bare_name, find_scenarios
from gateway.demo.stage import Stage
from gateway.demo.terminal import TerminalObserver, print_summary
from gateway.demo.verdict import Judgement
from gateway.demo.wording import door_names
from gateway.mqtt.mosquitto.provisioning import BrokerMissing
from gateway.system.clock import machine_time
from gateway.system.i18n import SOURCE, Language, language_of

SHORTER_FOLDER_HINT = "Name a shorter --folder, for example /tmp/perron."
_NO_TERMINAL = (
    "This is no terminal: one scene plays, `delivered`. `perron demo --lan` serves the page with all of it, to the"
    " network too; `perron demo --list` names every scene."
)
MAX_RUN_NAME_LENGTH = 16  # characters of a run's folder: the sockets in it have room in the path of an ordinary clone


@dataclass(slots=True, kw_only=True)
class DemoOptions:
    """How scenarios are played and shown. `end_of_run` is set while a finished run stays up until Ctrl-C."""

    fast: bool = False
    as_json: bool = False
    stays_up: bool = False
    language: Language | None = None
    folder: Path | None = None
    end_of_run: asyncio.Event | None = None


@cli.example(
    "perron demo",
    "perron demo --list",
    "perron demo lock-lies --fast --once --language fr",
    "perron demo owner-stops --fast --json",
)
def demo(  # noqa: PLR0913 - one argument an option of the command
    scenario: Annotated[
        str | None,
        typer.Argument(
            help="What to play; see --list. A bare name plays all its variants. Left out at a terminal: all of it, on"
            " a page in your browser.",
            autocompletion=lambda: sorted({bare_name(known) for known in SCENARIOS}),
        ),
    ] = None,
    *,
    once: Annotated[
        bool, typer.Option("--once", help="End after it; else, at a terminal, the house stays up for your turn.")
    ] = False,
    fast: Annotated[bool, typer.Option("--fast", help="Shorter waiting times; the rules stay the same.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a scenario; implies --once.")] = False,
    list_them: Annotated[bool, typer.Option("--list", help="Tell every scenario in one line.")] = False,
    language: Annotated[
        Language | None,
        typer.Option(help="What the owner is told in; as LANG says if left out.", callback=known_language),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Where everything of the run is left; under var/demo if left out.")
    ] = None,
    lan: Annotated[
        bool, typer.Option("--lan", help="Let phones in this network open the page too, and show a QR to it.")
    ] = False,
) -> None:
    """Play a delivery in a simulated house: real broker, real H.264, the door decides by itself.

    Exit code 0 only if the outcome is the expected one and the proof verifies.
    """
    if list_them:
        width = max(len(known.title) for known in SCENARIOS)
        for known in SCENARIOS:
            typer.echo(f"{known.title:{width}}  {known.summary.to(SOURCE)}")
        return
    options = DemoOptions(
        fast=fast, as_json=as_json, language=language or language_of(os.environ, LANGUAGES), folder=folder
    )
    plays_by_itself = once or as_json
    if scenario is None and not plays_by_itself and (lan or sys.stdin.isatty()):
        code = asyncio.run(_run_until_stopped(_serve_page(options, lan=lan), options))
    else:
        if scenario is None and not plays_by_itself:
            print_line(_NO_TERMINAL)
        chosen = find_scenarios(scenario or "delivered")
        options.stays_up = not plays_by_itself and len(chosen) == 1 and sys.stdin.isatty()
        code = asyncio.run(play_scenarios(chosen, options))
    if code:
        raise typer.Exit(code)


async def play_scenarios(scenarios: Sequence[Scenario], options: DemoOptions) -> int:
    """Play scenarios one after the other and return the exit code: 0 if all were as expected.

    SIGINT, SIGTERM and SIGHUP end a run and all its processes.
    """
    return await _run_until_stopped(_play_all(scenarios, options), options)


async def _run_until_stopped(work: Coroutine[Any, Any, int], options: DemoOptions) -> int:
    """Run `work` until it is done or a signal ends it; return the exit code."""
    playing = asyncio.ensure_future(work)

    def end() -> None:
        if options.end_of_run is not None:
            options.end_of_run.set()
        else:
            playing.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, end)
    with (
        suppress(asyncio.CancelledError),
        failure_on(BrokerMissing, "{why}", "Then try again.", ExitCode.NO_ANSWER),
        failure_on(WaitTimeout, "{why}", BUSY_HINT, ExitCode.NO_ANSWER),
    ):
        return await playing
    return 128 + signal.SIGINT


def _console() -> Console:
    return Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else 160)


def run_folder_name(title: str) -> str:
    """Return the name of a scenario's folder: its title, or the title's beginning and a digest of the whole title."""
    name = title.replace(":", "-")
    if len(name) <= MAX_RUN_NAME_LENGTH:
        return name
    digest = sha256(title.encode()).hexdigest()[:4]
    return f"{name[: MAX_RUN_NAME_LENGTH - len(digest) - 1].rstrip('-')}-{digest}"


def numbered_folder_name(number: int, title: str, base: Path) -> str:
    """Return the name of the folder of the page's run with this number: as much of its title as `base` has room for."""
    room = min(MAX_RUN_NAME_LENGTH, MAX_FOLDER_PATH_BYTES - len(os.fsencode(base / "n")) + 1)
    return f"{number}-{title.replace(':', '-')}"[:room].rstrip("-")


def _base_folder(options: DemoOptions, longest_name: str) -> Path:
    """Return the folder of all runs. Refuse it first if a run with the longest name has no room for its sockets."""
    folder = options.folder or Path("var/demo") / f"{machine_time():%Y%m%dT%H%M%S}"
    check_folder_path((folder / longest_name).resolve(), SHORTER_FOLDER_HINT, shown=folder.resolve())
    return (options.folder or new_folder(folder)).resolve()


async def _serve_page(options: DemoOptions, *, lan: bool) -> int:
    """Serve the page until cancelled, and play the requested scenarios; the terminal prints them too."""
    console, base = _console(), _base_folder(options, "99")
    numbers = count(1)
    runner = DemoRunner(
        lambda title: new_folder(base / numbered_folder_name(next(numbers), title, base)),
        machine_time,
        fast=options.fast,
        language=options.language or "en",
        make_show=make_show,
        make_observer=lambda scenario: TerminalObserver(console, scenario),
    )
    async with DemoSite(runner, lan=lan) as site:
        console.print(f"\n  {site.address}\n", style="bold")
        if lan:
            import segno  # noqa: PLC0415 - needed only if the demo is open to the network

            segno.make(site.address, error="m").terminal(compact=True)
            console.print("  Only who has this address gets in. It travels in clear: for a network that you trust.")
        console.print("  Open it in a browser: the show begins then. Ctrl-C ends everything.\n")
        await runner.run()
    return ExitCode.DONE if runner.all_passed else ExitCode.NEGATIVE


async def _play_all(scenarios: Sequence[Scenario], options: DemoOptions) -> int:
    alone = options.folder is not None and len(scenarios) == 1
    names = ["" if alone else run_folder_name(scenario.title) for scenario in scenarios]
    base, good = _base_folder(options, max(names, key=len)), True
    for scenario, name in zip(scenarios, names, strict=True):
        folder = base / name
        if (folder / "box").exists():
            raise Failure(f"{folder} holds another run already.", "Name another with --folder.")
        with _folder_failure(folder):
            folder.mkdir(parents=True, exist_ok=True)
        play = _play_as_json if options.as_json else _play_live
        judged = await play(scenario, folder, options)
        good = good and judged.result.ok
    return ExitCode.DONE if good else ExitCode.NEGATIVE


def _folder_failure(folder: Path) -> AbstractContextManager[None]:
    return failure_on(OSError, f"{folder} cannot be written ({{why}}).", "Name another with --folder.")


def new_folder(folder: Path) -> Path:
    """Create a new folder, with a number if the name is taken: two demos may begin within one second."""
    name = folder.name
    for number in count(2):
        with _folder_failure(folder), suppress(FileExistsError):
            folder.mkdir(parents=True)
            break
        folder = folder.with_name(f"{name}-{number}")
    return folder


async def _play_as_json(scenario: Scenario, folder: Path, options: DemoOptions) -> Judgement:
    judged = await run_scenario(scenario, folder, fast=options.fast, language=options.language, observer=DemoObserver())
    typer.echo(judged.result.model_dump_json())
    for complaint in judged.complaints:
        typer.echo(f"{scenario.title}: {complaint}", err=True)
    return judged


async def _play_live(scenario: Scenario, folder: Path, options: DemoOptions) -> Judgement:
    console = _console()

    async def afterwards(stage: Stage, judged: Judgement) -> None:
        zone, picture = ZoneInfo(stage.plan.home.timezone), relative_path(folder / PICTURE_NAME)
        print_summary(console, judged, picture, zone=zone, doors=door_names(stage.plan))
        _print_hints(console, folder, judged, stays_up=options.stays_up)
        if options.stays_up:
            options.end_of_run = asyncio.Event()
            await options.end_of_run.wait()

    return await run_scenario(
        scenario, folder, fast=options.fast, language=options.language, observer=TerminalObserver(console, scenario),
        on_judged=afterwards,
    )  # fmt: skip


def _print_hints(console: Console, folder: Path, judged: Judgement, *, stays_up: bool) -> None:
    """Print commands that examine the run, and those that need it running."""
    here = shlex.quote(relative_path(folder))
    commands = []
    if judged.result.proof.folder is not None:
        known = f"--key {here}/box/key/box.pub.pem --checkpoint {here}/phone.jsonl"
        commands.append(f"verify {shlex.quote(judged.result.proof.folder)} {known}")
    if stays_up:
        console.print("\n  House and box stay up until Ctrl-C. In another terminal, for example:", style="bold")
        commands += [f"{command} --home {here}/home.yaml" for command in ("doctor", "scan 8L20524752032", "stop")]
    for command in commands:
        console.print(f"  $ {program_name()} {command}", markup=False, soft_wrap=True)
