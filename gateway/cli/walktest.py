"""`perron walk-test`: leads whoever stands at the door through the walk test, and verifies a report that lies there."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from gateway.cli.failure import Exit, Failure, plain
from gateway.config.home import Home
from gateway.installation.capability import Walked
from gateway.installation.notes import FOLDER
from gateway.installation.walk import Step, Trial, Word
from gateway.installation.walk_test_report import verified
from gateway.installation.walk_test_socket import Answer, AnyRequest, Begin, Lock, Look, Refused, Told, View, speaking
from gateway.installation.words import PROMISES, QUESTIONS, TITLES, TO_DO, ending, said, trial, waits_for
from gateway.protocol.keys import KeyUnusable, PublicKey
from gateway.system.i18n import Language, _
from gateway.system.regular_file import read_bytes

LARGEST = 64 * 2**20  # bytes of a report: a picture a camera
LOOK = 0.5  # seconds between two looks while somebody does something at the door
WORDS = {
    "y": Word.YES, "o": Word.YES, "n": Word.NO, "f": Word.FAILED, "x": Word.NOT_HERE, "yes": Word.YES, "no": Word.NO,
    "failed": Word.FAILED, "not-here": Word.NOT_HERE,
}  # fmt: skip
KEYS = _("y yes, n no, l lock now, f it did not work, x cannot be tried here, q leave (nothing is lost)")
GONE = "The gateway of this house does not run: nobody could see what happens at the door."

Ask = Callable[[AnyRequest], Awaitable[Told]]


async def walk(home: Home, entrance: str, *, anew: bool, tell: Callable[[str], None]) -> bool:
    """Lead through the walk test at this terminal until it ends or is left; whether it is passed.

    Raises:
        Failure: the gateway does not run, or does not take what was said.
    """
    try:
        async with speaking(home) as ask:
            view = await ask(View(entrance=entrance))
            if anew or view.walk is None:
                view = await ask(Begin(entrance=entrance))
            return await _led(home, entrance, ask, tell)
    except PermissionError as error:  # a file or nothing at all instead of a terminal
        raise Failure("There is nobody to ask: this is no terminal.", "Use `--show` and `--say`.") from error
    except Refused as refused:
        raise Failure(f"{refused}.", "See `perron walk-test --show`.", Exit.NO) from refused
    except OSError as error:
        raise Failure(
            GONE, "Start it with `perron run`, then go on: nothing of the test is lost.", Exit.SILENT
        ) from error


async def say(home: Home, entrance: str, word: str | None, *, again: int | None = None) -> Told:
    """Say one word of the test, or only ask how it stands (None), and return that.

    Raises:
        Failure: the gateway does not run, or does not take it.
    """
    try:
        async with speaking(home) as ask:
            view = await ask(View(entrance=entrance))
            if word == "begin":
                return await ask(Begin(entrance=entrance))
            if word == "lock":
                return await ask(Lock(entrance=entrance))
            if again is not None:
                return await ask(Answer(entrance=entrance, number=again - 1, word=Word.AGAIN))
            number = None if view.walk is None else view.walk.current
            if word is None or number is None:
                return view
            if word == "look":
                return await ask(Look(entrance=entrance, number=number))
            return await ask(Answer(entrance=entrance, number=number, word=WORDS[word]))
    except Refused as refused:
        raise Failure(f"{refused}.", "See `perron walk-test --show`.", Exit.NO) from refused
    except OSError as error:
        raise Failure(
            GONE, "Start it with `perron run`, then go on: nothing of the test is lost.", Exit.SILENT
        ) from error


def lines(view: Told, entrance: str, language: Language) -> Iterator[str]:
    """Tell how a walk stands: each trial, and of the open one what is to be done."""
    yield said(f"walk.{view.standing}", language, {"entrance": entrance}, PROMISES)
    if view.walk is None:
        return
    for number, step in enumerate(view.walk.steps, start=1):
        yield f"{number:3} {trial(TITLES, step, language)}: {ending(step, language)}"
    current = view.walk.current
    if current is not None:
        yield from open_lines(view, view.walk.steps[current], language)
    if view.report is not None:
        yield view.report


def open_lines(view: Told, step: Step, language: Language) -> Iterator[str]:
    """Tell what is to be done now."""
    yield f"> {trial(TITLES, step, language)}: {trial(TO_DO, step, language)}"
    if step.trial is Trial.DELIVERY:
        yield from (f"  {code}" for code in view.codes)
    waits = waits_for(step, language)
    if waits:
        yield f"  ({waits})"
    if step.asks:
        yield f"  {trial(QUESTIONS, step, language)}"


async def _led(home: Home, entrance: str, ask: Ask, tell: Callable[[str], None]) -> bool:
    """Show what is open whenever that changes, and take what is typed."""
    language = home.language
    tell(KEYS.to(language))
    loop = asyncio.get_running_loop()
    typed: asyncio.Queue[str] = asyncio.Queue()
    loop.add_reader(sys.stdin, lambda: typed.put_nowait(sys.stdin.readline()))
    shown: tuple[int | None, Step | None, tuple[str, ...]] | None = None
    try:
        while True:
            view = await _pictured(ask, entrance, await ask(View(entrance=entrance)), tell)
            current = None if view.walk is None else view.walk.current
            step = None if view.walk is None or current is None else view.walk.steps[current]
            if (current, step, view.codes) != shown:
                shown = (current, step, view.codes)
                for line in open_lines(view, step, language) if step is not None else lines(view, entrance, language):
                    tell(line)
            if step is None:
                return view.standing is Walked.PASSED
            try:
                async with asyncio.timeout(LOOK):
                    word = await typed.get()
            except TimeoutError:
                continue
            if word.strip() in ("q", "") and (not word or word.strip() == "q"):
                return False
            await _typed(ask, entrance, current or 0, word.strip(), tell)
    finally:
        loop.remove_reader(sys.stdin)


async def _pictured(ask: Ask, entrance: str, view: Told, tell: Callable[[str], None]) -> Told:
    """Have the picture taken that the open trial asks about, and tell where it lies."""
    current = None if view.walk is None else view.walk.current
    if view.walk is None or current is None:
        return view
    step = view.walk.steps[current]
    if step.trial is not Trial.PICTURE or step.picture is not None:
        return view
    try:
        view = await ask(Look(entrance=entrance, number=current))
    except Refused:  # the camera is not there yet
        return view
    tell(f"  {view.picture}")
    return view


async def _typed(ask: Ask, entrance: str, number: int, word: str, tell: Callable[[str], None]) -> None:
    try:
        if word == "l":
            await ask(Lock(entrance=entrance))
        elif word in WORDS:
            await ask(Answer(entrance=entrance, number=number, word=WORDS[word]))
    except Refused as refused:
        tell(f"  {refused}")


def verify(report: Path, key: Path | None) -> str:
    """Check a report by what the box has signed of it; what was signed, in one line.

    Raises:
        Failure: it does not hold, or cannot be read.
    """
    beside = report.with_suffix(".signed.json")
    try:
        trusted = None if key is None else PublicKey.from_pem(read_bytes(key))
        found = verified(read_bytes(beside), read_bytes(report, at_most=LARGEST), trusted)
    except OSError as error:
        what = f"{error.filename} cannot be read ({plain(error)})" if error.filename else plain(error)
        raise Failure(
            f"{what}.",
            f"Name the report where the box wrote it, {FOLDER}/ of its storage folder: {beside.name} lies beside it.",
        ) from error
    except KeyUnusable as error:
        raise Failure(f"{key}: {error}.", "Name the box's public key, a PEM file.") from error
    if isinstance(found, str):
        raise Failure(f"{report}: {found}.", "Take the report from the box again.", Exit.NO)
    fingerprint = PublicKey.from_text(found.key).fingerprint
    return f"signed by the box {found.box} (key {fingerprint}): {found.entrance}, begun {found.begun}, {found.standing}"
