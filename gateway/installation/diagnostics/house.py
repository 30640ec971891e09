"""Tries everything that a delivery will need, all at once: for `perron doctor` and for the page."""

import asyncio
import contextlib
import os
import shutil
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from gateway.config.devices import CameraDevice
from gateway.config.home import Home
from gateway.installation.capability import Ground, entrance_promises
from gateway.installation.diagnostics.broker import by_the_broker, unasked
from gateway.installation.diagnostics.finding import Fact, Finding, Said, Verdict
from gateway.installation.diagnostics.hub import by_the_hub
from gateway.installation.diagnostics.people import phones
from gateway.installation.diagnostics.store import store
from gateway.installation.diagnostics.stream import Wariness, sight, stream_of
from gateway.installation.diagnostics.trouble import why
from gateway.installation.notes import measurements, walked
from gateway.mqtt.mosquitto.audit import weaknesses
from gateway.system import fault_log
from gateway.system.clock import kernel_synchronised, machine_time
from gateway.system.pki.pages import FOLDER, authority_of, spaced
from gateway.system.regular_file import read_bytes

FAULTS_SHOWN: Final = timedelta(days=7)  # a fault that has not come back for a week is mended or gone
WHOLE: Final = 4.7  # seconds for all of it: what is not done by then is a finding

_given_up: set[asyncio.Task[None]] = set()  # kept until they have ended
_looking: set[tuple[str, Path]] = set()  # what is looked at beside, of which house


@dataclass(frozen=True, slots=True)
class _Part:
    """One thing that is tried beside the others: what it has found so far, and what is said if it is not done."""

    work: asyncio.Task[None]
    found: list[Finding]
    late: Callable[[list[Finding]], Iterable[Finding]]


async def examine(  # noqa: PLR0913 - one argument a neighbour
    home: Home,
    *,
    line: asyncio.Lock | None = None,
    here: bool = False,
    with_phones: bool = True,
    wariness: Wariness | None = None,
    whole: float = WHOLE,
) -> tuple[Finding, ...]:
    """Try clock, disk, broker, gateway, every device, camera, phone, the pages' authority, the hub: within `whole` s.

    What is not well never raises, and what hangs is a finding. `line` and `here` as `by_the_broker` has them,
    `wariness` as `sight`.
    """
    cameras = {id_: device for id_, device in home.devices.items() if isinstance(device, CameraDevice)}
    begin = partial(_begun, whole=whole)

    def beside(key: str, look: Callable[[], Iterable[Finding]]) -> _Part:
        return begin(Said(key), partial(_aside, (key, home.storage.folder), lambda: tuple(look())))

    parts = [
        beside("what.clock", lambda: [clock(home)]),
        beside("what.disk", lambda: [disk(home)]),
        beside("what.faults", lambda: faults(home, machine_time())),
        beside("what.store", lambda: store(home)),
        beside("what.broker_files", lambda: broker_files(home)),
        begin(None, partial(by_the_broker, home, line=line, here=here)),
        *(begin(stream_of(id_), partial(_sight, id_, camera, wariness)) for id_, camera in cameras.items()),
    ]
    if with_phones:
        parts.append(begin(Said("what.phones"), partial(_phones, home)))
    if home.pages is not None and not home.pages.loopback and home.pages.certificate is None:
        parts.append(beside("what.pages", lambda: [trust(home)]))
    if home.hub is not None:
        parts.append(begin(Said("what.hub"), partial(by_the_hub, home, here=here)))
    parts.append(beside("what.entrances", lambda: unattended(home)))
    try:
        await asyncio.wait([part.work for part in parts], timeout=whole)
        found = [finding for part in parts for finding in _found(part)]
    finally:
        for part in parts:
            _give_up(part.work)
    return tuple(unheard(home, tuple(_blinded(home, found))))


def _begun(
    what: Said | None, work: Callable[[list[Finding]], Awaitable[None]], *, whole: float
) -> _Part:  # fmt: skip
    found: list[Finding] = []

    async def run() -> None:
        await work(found)

    def late(told: list[Finding]) -> Iterable[Finding]:
        if what is None:
            return unasked(told, whole)
        return (Finding(what, Verdict.BAD, Said("late", {"seconds": f"{whole:g}"}), Said("late.todo")),)

    return _Part(asyncio.create_task(run()), found, late)


def _found(part: _Part) -> list[Finding]:
    if part.work.done():
        part.work.result()  # a bug is raised
        return part.found
    return [*part.found, *part.late(part.found)]


def _give_up(work: asyncio.Task[None]) -> None:
    """End it without waiting: a broker that stands still holds its guest for seconds."""
    if not work.done():
        work.cancel()
        _given_up.add(work)
        work.add_done_callback(_ended)


def _ended(work: asyncio.Task[None]) -> None:
    _given_up.discard(work)
    if not work.cancelled():
        work.exception()  # what a thing says that was given up is of no use


async def _aside(what: tuple[str, Path], look: Callable[[], tuple[Finding, ...]], found: list[Finding]) -> None:
    """Look at files in a thread of its own: a disk that hangs holds up nothing, not even the end of the process.

    What hangs since an earlier examination is not looked at once more: it is late again.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[tuple[Finding, ...]] = loop.create_future()

    def tell(told: tuple[Finding, ...] | None) -> None:
        if done.done():
            return
        if told is None:
            done.set_exception(RuntimeError("a look at the box's files ended with a bug: its traceback was printed"))
        else:
            done.set_result(told)

    def work() -> None:
        told = None
        try:
            told = look()
        finally:
            _looking.discard(what)
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(tell, told)

    if what not in _looking:
        _looking.add(what)
        threading.Thread(target=work, name="examination", daemon=True).start()
    found += await done


async def _sight(id_: str, camera: CameraDevice, wariness: Wariness | None, found: list[Finding]) -> None:
    found.append(await sight(id_, camera, wariness))


async def _phones(home: Home, found: list[Finding]) -> None:
    found += await phones(home)


def _blinded(home: Home, found: Iterable[Finding]) -> Iterator[Finding]:
    """Say of each entrance what its cameras' streams say: far from a window nobody else looks at them."""
    found = tuple(found)
    streams = [finding for finding in found if finding.what.key == "what.stream" and finding.verdict is Verdict.BAD]
    blind = {str(finding.what.facts["id"]) for finding in streams}
    for finding in found:
        section = home.entrances.get(str(finding.what.facts.get("name", "")))
        cameras = () if section is None else (section.cameras.outside, *section.cameras.inside)
        dark = tuple(camera for camera in dict.fromkeys(cameras) if camera in blind)
        if finding.what.key != "what.entrance" or not dark:
            yield finding
            continue
        promises = finding.said.facts.get("promises", ())
        said = Said("entrance.blind", {"cameras": dark, "promises": promises})
        yield replace(finding, verdict=Verdict.BAD, said=said, todo=Said("entrance.blind.todo"))


def unheard(home: Home, found: tuple[Finding, ...]) -> Iterator[Finding]:
    """Call no entrance good whose lock or door was not heard, or where clock or disk let nobody in."""
    red = {finding.what.key for finding in found if finding.verdict is Verdict.BAD}
    devices = {finding.what.facts["id"]: finding.verdict for finding in found if finding.what.key == "what.device"}
    for finding in found:
        section = home.entrances.get(str(finding.what.facts.get("name", "")))
        if finding.what.key != "what.entrance" or finding.verdict is Verdict.BAD or section is None:
            yield finding
            continue
        silent = tuple(id_ for id_ in (section.lock, section.door) if devices.get(id_, Verdict.BAD) is Verdict.BAD)
        if silent:
            facts: dict[str, Fact] = {"devices": silent, "promises": finding.said.facts.get("promises", ())}
            lost = not red.isdisjoint(("what.broker", "what.devices")) or any(id_ in devices for id_ in silent)
            verdict = Verdict.BAD if lost else Verdict.DOUBTFUL
            said, todo = Said("entrance.unheard", facts), Said("entrance.unheard.todo")
            yield replace(finding, verdict=verdict, said=said, todo=todo)
        elif not red.isdisjoint(("what.clock", "what.disk", "what.store")) and finding.verdict is Verdict.GOOD:
            yield replace(finding, verdict=Verdict.BAD, said=Said("entrance.red"), todo=Said("entrance.red.todo"))
        else:
            yield finding


def unattended(home: Home) -> Iterator[Finding]:
    """Say of each entrance what forbids a visit while nobody is home; red where something does."""
    measured = measurements(home.storage.folder)
    for name in home.entrances:
        what = Said("what.entrance", {"name": name})
        found = entrance_promises(home, name, measured, walked(home, name))
        forbidden = tuple(one for one in found if one.forbids)
        untried = tuple(one for one in found if one.ground is Ground.UNKNOWN)
        if forbidden:
            said, todo = Said("entrance.forbidden", {"promises": forbidden}), "entrance.forbidden.todo"
            yield Finding(what, Verdict.BAD, said, Said(todo, {"name": name}))
        elif untried:
            said, todo = Said("entrance.forbidden", {"promises": untried}), "entrance.untried.todo"
            yield Finding(what, Verdict.DOUBTFUL, said, Said(todo, {"name": name}))
        else:
            yield Finding(what, Verdict.GOOD, Said("entrance.good"))


def trust(home: Home) -> Finding:
    """Tell the fingerprint that people compare before they install the box's authority on a phone."""
    what = Said("what.pages")
    try:
        found = authority_of(home.storage.folder / FOLDER)
    except (OSError, ValueError) as error:
        said = Said("pages.unreadable", {"why": why(error)})
        return Finding(what, Verdict.BAD, said, Said("pages.unreadable.todo"))
    if found is None:
        return Finding(what, Verdict.DOUBTFUL, Said("pages.none"), Said("pages.none.todo"))
    fingerprint, until = found
    facts: dict[str, Any] = {"fingerprint": spaced(fingerprint), "until": f"{until:%Y-%m-%d}"}
    return Finding(what, Verdict.GOOD, Said("pages.good", facts))


def clock(home: Home) -> Finding:
    """Look whether the time can be trusted."""
    what = Said("what.clock")
    if home.clock.source == "host":
        return Finding(what, Verdict.GOOD, Said("clock.host"))
    if kernel_synchronised():
        return Finding(what, Verdict.GOOD, Said("clock.kept"))
    return Finding(what, Verdict.BAD, Said("clock.untrusted"), Said("clock.todo"))


def faults(home: Home, now: datetime) -> tuple[Finding, ...]:
    """Tell what the gateway set aside of late because it raised an unforeseen error; nothing where there was none."""
    file = home.storage.folder / fault_log.FILE
    try:
        report = fault_log.parse(read_bytes(file, at_most=fault_log.MAX_FILE_BYTES))
    except OSError:
        return ()
    lately = () if report is None else tuple(kind for kind in report.kinds if now - kind.at <= FAULTS_SHOWN)
    if not lately:
        return ()
    facts: dict[str, Fact] = {
        "count": str(len(lately)), "workers": ", ".join(sorted({kind.worker for kind in lately})), "file": file,
        "last": f"{lately[-1].at:%Y-%m-%d %H:%M} UTC",
    }  # fmt: skip
    said, todo = Said("faults.some", facts), Said("faults.todo", facts)
    return (Finding(Said("what.faults"), Verdict.DOUBTFUL, said, todo),)


def disk(home: Home) -> Finding:
    """Look whether the reserve is free where films will be written."""
    what, folder = Said("what.disk"), home.storage.folder
    try:
        nearest = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
        if not nearest.is_dir():
            said = Said("disk.none", {"folder": str(folder)})
            return Finding(what, Verdict.BAD, said, Said("disk.none.todo"))
        free = shutil.disk_usage(nearest).free // 2**20
    except OSError as error:
        said = Said("disk.unseen", {"folder": str(folder), "why": why(error)})
        return Finding(what, Verdict.BAD, said, Said("disk.none.todo"))
    said = Said("disk.free", {"folder": str(folder), "free": str(free), "needed": str(home.storage.reserve_mib)})
    if free >= home.storage.reserve_mib:
        return Finding(what, Verdict.GOOD, said)
    return Finding(what, Verdict.BAD, said, Said("disk.todo"))


def broker_files(home: Home) -> Iterator[Finding]:
    """Look for what is weak in the broker's files, where they lie on this machine beside the gateway's password."""
    what = Said("what.broker_files")
    folder = None if home.broker.password_file is None else home.broker.password_file.parent
    if folder is None:
        return
    place = {"folder": str(folder)}
    try:
        found = weaknesses(folder, home) if (folder / "mosquitto.conf").exists() else None
    except OSError as error:
        said = Said("files.unseen", {"file": str(error.filename), "why": why(error)})
        yield Finding(what, Verdict.DOUBTFUL, said, Said("files.unseen.todo", dict(place)))
        return
    if found == ():
        yield Finding(what, Verdict.GOOD, Said("files.good", dict(place)))
    for weak in found or ():
        yield Finding(what, Verdict.BAD, Said(f"weak.{weak.said}", weak.facts), Said(f"weak.{weak.mend}", weak.facts))
