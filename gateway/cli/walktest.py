"""`perron walk-test`: leads whoever stands at the door through the walk test, and verifies a report that lies there."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from gateway.cli.failure import ExitCode, Failure, error_text
from gateway.config.home import Home
from gateway.installation.capability import WalkTestStatus
from gateway.installation.notes import INSTALLATION_FOLDER
from gateway.installation.walk import TrialAnswer, WalkTestStep, WalkTrial
from gateway.installation.walk_test_report import verify_walk
from gateway.installation.walk_test_socket import (
    AnswerWalkTest,
    AnyWalkTestRequest,
    BeginWalkTest,
    LockForWalkTest,
    ViewWalkTest,
    WalkTestPicture,
    WalkTestRefused,
    WalkTestReply,
    walk_test_client,
)
from gateway.installation.words import (
    CAPABILITY_TEXTS,
    TRIAL_INSTRUCTIONS,
    TRIAL_QUESTIONS,
    TRIAL_TITLES,
    goal_text,
    result_text,
    sentence_text,
    trial_text,
)
from gateway.protocol.keys import KeyUnusable, PublicKey
from gateway.system.i18n import Language, _
from gateway.system.regular_file import read_bytes

MAX_REPORT_BYTES = 64 * 2**20  # bytes of a report: a picture a camera
POLL_INTERVAL_S = 0.5  # seconds between two looks while somebody does something at the door
ANSWER_KEYS = {
    "y": TrialAnswer.YES,
    "o": TrialAnswer.YES,
    "n": TrialAnswer.NO,
    "f": TrialAnswer.FAILED,
    "x": TrialAnswer.NOT_HERE,
    "yes": TrialAnswer.YES,
    "no": TrialAnswer.NO,
    "failed": TrialAnswer.FAILED,
    "not-here": TrialAnswer.NOT_HERE,
}
KEY_HINTS = _("y yes, n no, l lock now, f it did not work, x cannot be tried here, q leave (nothing is lost)")
GATEWAY_NOT_RUNNING = "The gateway of this house does not run: nobody could see what happens at the door."

SendRequest = Callable[[AnyWalkTestRequest], Awaitable[WalkTestReply]]


async def run_walk_test(home: Home, entrance: str, *, anew: bool, tell: Callable[[str], None]) -> bool:
    """Lead through the walk test at this terminal until it ends or is left; whether it is passed.

    Raises:
        Failure: the gateway does not run, or does not take what was said.
    """
    try:
        async with walk_test_client(home) as ask:
            view = await ask(ViewWalkTest(entrance=entrance))
            if anew or view.walk is None:
                view = await ask(BeginWalkTest(entrance=entrance))
            return await _run_dialog(home, entrance, ask, tell)
    except PermissionError as error:  # a file or nothing at all instead of a terminal
        raise Failure("There is nobody to ask: this is no terminal.", "Use `--show` and `--say`.") from error
    except WalkTestRefused as refused:
        raise Failure(f"{refused}.", "See `perron walk-test --show`.", ExitCode.NO) from refused
    except OSError as error:
        raise Failure(
            GATEWAY_NOT_RUNNING, "Start it with `perron run`, then go on: nothing of the test is lost.", ExitCode.SILENT
        ) from error


async def send_answer(home: Home, entrance: str, word: str | None, *, again: int | None = None) -> WalkTestReply:
    """Say one word of the test, or only ask how it stands (None), and return that.

    Raises:
        Failure: the gateway does not run, or does not take it.
    """
    try:
        async with walk_test_client(home) as ask:
            view = await ask(ViewWalkTest(entrance=entrance))
            if word == "begin":
                return await ask(BeginWalkTest(entrance=entrance))
            if word == "lock":
                return await ask(LockForWalkTest(entrance=entrance))
            if again is not None:
                return await ask(AnswerWalkTest(entrance=entrance, number=again - 1, word=TrialAnswer.AGAIN))
            number = None if view.walk is None else view.walk.current
            if word is None or number is None:
                return view
            if word == "look":
                return await ask(WalkTestPicture(entrance=entrance, number=number))
            return await ask(AnswerWalkTest(entrance=entrance, number=number, word=ANSWER_KEYS[word]))
    except WalkTestRefused as refused:
        raise Failure(f"{refused}.", "See `perron walk-test --show`.", ExitCode.NO) from refused
    except OSError as error:
        raise Failure(
            GATEWAY_NOT_RUNNING, "Start it with `perron run`, then go on: nothing of the test is lost.", ExitCode.SILENT
        ) from error


def status_lines(view: WalkTestReply, entrance: str, language: Language) -> Iterator[str]:
    """Tell how a walk stands: each trial, and of the open one what is to be done."""
    yield sentence_text(f"walk.{view.standing}", language, {"entrance": entrance}, CAPABILITY_TEXTS)
    if view.walk is None:
        return
    for number, step in enumerate(view.walk.steps, start=1):
        yield f"{number:3} {trial_text(TRIAL_TITLES, step, language)}: {result_text(step, language)}"
    current = view.walk.current
    if current is not None:
        yield from step_lines(view, view.walk.steps[current], language)
    if view.report is not None:
        yield view.report


def step_lines(view: WalkTestReply, step: WalkTestStep, language: Language) -> Iterator[str]:
    """Tell what is to be done now."""
    yield f"> {trial_text(TRIAL_TITLES, step, language)}: {trial_text(TRIAL_INSTRUCTIONS, step, language)}"
    if step.trial is WalkTrial.DELIVERY:
        yield from (f"  {code}" for code in view.codes)
    waits = goal_text(step, language)
    if waits:
        yield f"  ({waits})"
    if step.asks:
        yield f"  {trial_text(TRIAL_QUESTIONS, step, language)}"


async def _run_dialog(home: Home, entrance: str, ask: SendRequest, tell: Callable[[str], None]) -> bool:
    """Show what is open whenever that changes, and take what is typed."""
    language = home.language
    tell(KEY_HINTS.to(language))
    loop = asyncio.get_running_loop()
    typed: asyncio.Queue[str] = asyncio.Queue()
    loop.add_reader(sys.stdin, lambda: typed.put_nowait(sys.stdin.readline()))
    shown: tuple[int | None, WalkTestStep | None, tuple[str, ...]] | None = None
    try:
        while True:
            view = await _take_picture(ask, entrance, await ask(ViewWalkTest(entrance=entrance)), tell)
            current = None if view.walk is None else view.walk.current
            step = None if view.walk is None or current is None else view.walk.steps[current]
            if (current, step, view.codes) != shown:
                shown = (current, step, view.codes)
                for line in (
                    step_lines(view, step, language) if step is not None else status_lines(view, entrance, language)
                ):
                    tell(line)
            if step is None:
                return view.standing is WalkTestStatus.PASSED
            try:
                async with asyncio.timeout(POLL_INTERVAL_S):
                    word = await typed.get()
            except TimeoutError:
                continue
            if word.strip() in ("q", "") and (not word or word.strip() == "q"):
                return False
            await _handle_input(ask, entrance, current or 0, word.strip(), tell)
    finally:
        loop.remove_reader(sys.stdin)


async def _take_picture(
    ask: SendRequest, entrance: str, view: WalkTestReply, tell: Callable[[str], None]
) -> WalkTestReply:
    """Have the picture taken that the open trial asks about, and tell where it lies."""
    current = None if view.walk is None else view.walk.current
    if view.walk is None or current is None:
        return view
    step = view.walk.steps[current]
    if step.trial is not WalkTrial.PICTURE or step.picture is not None:
        return view
    try:
        view = await ask(WalkTestPicture(entrance=entrance, number=current))
    except WalkTestRefused:  # the camera is not there yet
        return view
    tell(f"  {view.picture}")
    return view


async def _handle_input(ask: SendRequest, entrance: str, number: int, word: str, tell: Callable[[str], None]) -> None:
    try:
        if word == "l":
            await ask(LockForWalkTest(entrance=entrance))
        elif word in ANSWER_KEYS:
            await ask(AnswerWalkTest(entrance=entrance, number=number, word=ANSWER_KEYS[word]))
    except WalkTestRefused as refused:
        tell(f"  {refused}")


def verify_report(report: Path, key: Path | None) -> str:
    """Check a report by what the box has signed of it; what was signed, in one line.

    Raises:
        Failure: it does not hold, or cannot be read.
    """
    beside = report.with_suffix(".signed.json")
    try:
        trusted = None if key is None else PublicKey.from_pem(read_bytes(key))
        found = verify_walk(read_bytes(beside), read_bytes(report, at_most=MAX_REPORT_BYTES), trusted)
    except OSError as error:
        what = f"{error.filename} cannot be read ({error_text(error)})" if error.filename else error_text(error)
        raise Failure(
            f"{what}.",
            f"Name the report where the box wrote it, {INSTALLATION_FOLDER}/ of its storage folder: "
            f"{beside.name} lies beside it.",
        ) from error
    except KeyUnusable as error:
        raise Failure(f"{key}: {error}.", "Name the box's public key, a PEM file.") from error
    if isinstance(found, str):
        raise Failure(f"{report}: {found}.", "Take the report from the box again.", ExitCode.NO)
    fingerprint = PublicKey.from_text(found.key).fingerprint
    return f"signed by the box {found.box} (key {fingerprint}): {found.entrance}, begun {found.begun}, {found.standing}"
