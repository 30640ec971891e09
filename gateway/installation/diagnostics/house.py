"""Examines everything that a delivery needs, all at once, for `perron doctor` and for the page."""

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
from gateway.installation.capability import CapabilityEvidence, entrance_capabilities
from gateway.installation.diagnostics.broker import examine_broker, unprobed_findings
from gateway.installation.diagnostics.connection_errors import file_error
from gateway.installation.diagnostics.finding import Finding, FindingVerdict, Sentence, SentenceFact
from gateway.installation.diagnostics.hub import examine_hub
from gateway.installation.diagnostics.phones import phone_findings
from gateway.installation.diagnostics.store import store_findings
from gateway.installation.diagnostics.stream import CameraLockouts, stream_finding, stream_sentence
from gateway.installation.records import read_measurements, read_walk_status
from gateway.mqtt.mosquitto.folder_check import folder_faults
from gateway.system import fault_log
from gateway.system.clock import kernel_synchronised, machine_time
from gateway.system.pki.pages import PAGES_FOLDER, authority_fingerprint, format_fingerprint
from gateway.system.regular_file import read_bytes

FAULT_SHOWN_PERIOD: Final = timedelta(days=7)  # an older fault counts as repaired
EXAMINATION_TIMEOUT_S: Final = 4.7  # of all checks; an unfinished one is a finding

_abandoned_tasks: set[asyncio.Task[None]] = set()  # references to cancelled tasks until they end
_running_checks: set[tuple[str, Path]] = set()  # checks in threads: name and storage folder


@dataclass(frozen=True, slots=True)
class _Check:
    """A running check: its findings so far, and the function that makes the findings if it does not finish."""

    task: asyncio.Task[None]
    findings: list[Finding]
    make_late_findings: Callable[[list[Finding]], Iterable[Finding]]


async def examine_house(  # noqa: PLR0913 - each is an independent option
    home: Home,
    *,
    installer_lock: asyncio.Lock | None = None,
    in_gateway: bool = False,
    with_phones: bool = True,
    lockouts: CameraLockouts | None = None,
    timeout_s: float = EXAMINATION_TIMEOUT_S,
) -> tuple[Finding, ...]:
    """Check clock, disk, broker, gateway, devices, cameras, phones, the pages' authority, the hub within `timeout_s`.

    A failed check never raises, and one that hangs is a finding. `installer_lock` and `in_gateway` are those of
    `examine_broker`, `lockouts` that of `stream_finding`.
    """
    cameras = {id_: device for id_, device in home.devices.items() if isinstance(device, CameraDevice)}
    begin = partial(_start_check, timeout_s=timeout_s)

    def beside(key: str, look: Callable[[], Iterable[Finding]]) -> _Check:
        return begin(Sentence(key), partial(_check_in_thread, (key, home.storage.folder), lambda: tuple(look())))

    parts = [
        beside("what.clock", lambda: [clock_finding(home)]),
        beside("what.disk", lambda: [disk_finding(home)]),
        beside("what.faults", lambda: fault_findings(home, machine_time())),
        beside("what.store", lambda: store_findings(home)),
        beside("what.broker_files", lambda: broker_file_findings(home)),
        begin(None, partial(examine_broker, home, installer_lock=installer_lock, in_gateway=in_gateway)),
        *(
            begin(stream_sentence(id_), partial(_check_camera, id_, camera, lockouts))
            for id_, camera in cameras.items()
        ),
    ]
    if with_phones:
        parts.append(begin(Sentence("what.phones"), partial(_check_phones, home)))
    if home.pages is not None and not home.pages.is_loopback and home.pages.certificate is None:
        parts.append(beside("what.pages", lambda: [authority_finding(home)]))
    if home.hub is not None:
        parts.append(begin(Sentence("what.hub"), partial(examine_hub, home, in_gateway=in_gateway)))
    parts.append(beside("what.entrances", lambda: unattended_findings(home)))
    try:
        await asyncio.wait([part.task for part in parts], timeout=timeout_s)
        found = [finding for part in parts for finding in _findings_of(part)]
    finally:
        for part in parts:
            _abandon(part.task)
    return tuple(unproven_findings(home, tuple(_entrance_camera_findings(home, found))))


def _start_check(
    subject: Sentence | None, work: Callable[[list[Finding]], Awaitable[None]], *, timeout_s: float
) -> _Check:  # fmt: skip
    found: list[Finding] = []

    async def run() -> None:
        await work(found)

    def late(told: list[Finding]) -> Iterable[Finding]:
        if subject is None:
            return unprobed_findings(told, timeout_s)
        return (
            Finding(
                subject, FindingVerdict.BAD, Sentence("late", {"seconds": f"{timeout_s:g}"}), Sentence("late.todo")
            ),
        )

    return _Check(asyncio.create_task(run()), found, late)


def _findings_of(check: _Check) -> list[Finding]:
    if check.task.done():
        check.task.result()  # raises if the check had a bug
        return check.findings
    return [*check.findings, *check.make_late_findings(check.findings)]


def _abandon(task: asyncio.Task[None]) -> None:
    """Cancel a task without waiting for it: a broker that hangs delays a disconnect for seconds."""
    if not task.done():
        task.cancel()
        _abandoned_tasks.add(task)
        task.add_done_callback(_on_abandoned_end)


def _on_abandoned_end(task: asyncio.Task[None]) -> None:
    _abandoned_tasks.discard(task)
    if not task.cancelled():
        task.exception()  # retrieved, or asyncio would log it


async def _check_in_thread(
    check_id: tuple[str, Path], check: Callable[[], tuple[Finding, ...]], findings: list[Finding]
) -> None:
    """Run a check of files in a daemon thread, so that a disk that hangs blocks neither loop nor process exit.

    A check that still hangs from an earlier examination is not started again, and times out again.
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
            told = check()
        finally:
            _running_checks.discard(check_id)
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(tell, told)

    if check_id not in _running_checks:
        _running_checks.add(check_id)
        threading.Thread(target=work, name="examination", daemon=True).start()
    findings += await done


async def _check_camera(
    id_: str, camera: CameraDevice, lockouts: CameraLockouts | None, findings: list[Finding]
) -> None:
    findings.append(await stream_finding(id_, camera, lockouts))


async def _check_phones(home: Home, findings: list[Finding]) -> None:
    findings += await phone_findings(home)


def _entrance_camera_findings(home: Home, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Add the verdict on its cameras to each entrance's finding."""
    findings = tuple(findings)
    streams = [
        finding
        for finding in findings
        if finding.subject.key == "what.stream" and finding.verdict is FindingVerdict.BAD
    ]
    blind = {str(finding.subject.facts["id"]) for finding in streams}
    for finding in findings:
        section = home.entrances.get(str(finding.subject.facts.get("name", "")))
        cameras = () if section is None else (section.cameras.outside, *section.cameras.inside)
        dark = tuple(camera for camera in dict.fromkeys(cameras) if camera in blind)
        if finding.subject.key != "what.entrance" or not dark:
            yield finding
            continue
        promises = finding.statement.facts.get("promises", ())
        said = Sentence("entrance.blind", {"cameras": dark, "promises": promises})
        yield replace(finding, verdict=FindingVerdict.BAD, statement=said, todo=Sentence("entrance.blind.todo"))


def unproven_findings(home: Home, findings: tuple[Finding, ...]) -> Iterator[Finding]:
    """Yield the findings; an entrance is not good if its lock or door did not answer, or if clock or disk are red."""
    red = {finding.subject.key for finding in findings if finding.verdict is FindingVerdict.BAD}
    devices = {
        finding.subject.facts["id"]: finding.verdict for finding in findings if finding.subject.key == "what.device"
    }
    for finding in findings:
        section = home.entrances.get(str(finding.subject.facts.get("name", "")))
        if finding.subject.key != "what.entrance" or finding.verdict is FindingVerdict.BAD or section is None:
            yield finding
            continue
        silent = tuple(
            id_ for id_ in (section.lock, section.door) if devices.get(id_, FindingVerdict.BAD) is FindingVerdict.BAD
        )
        if silent:
            facts: dict[str, SentenceFact] = {
                "devices": silent,
                "promises": finding.statement.facts.get("promises", ()),
            }
            lost = not red.isdisjoint(("what.broker", "what.devices")) or any(id_ in devices for id_ in silent)
            verdict = FindingVerdict.BAD if lost else FindingVerdict.DOUBTFUL
            said, todo = Sentence("entrance.unheard", facts), Sentence("entrance.unheard.todo")
            yield replace(finding, verdict=verdict, statement=said, todo=todo)
        elif not red.isdisjoint(("what.clock", "what.disk", "what.store")) and finding.verdict is FindingVerdict.GOOD:
            yield replace(
                finding,
                verdict=FindingVerdict.BAD,
                statement=Sentence("entrance.red"),
                todo=Sentence("entrance.red.todo"),
            )
        else:
            yield finding


def unattended_findings(home: Home) -> Iterator[Finding]:
    """Yield a finding for each entrance: what forbids an unattended visit."""
    measured = read_measurements(home.storage.folder)
    for name in home.entrances:
        what = Sentence("what.entrance", {"name": name})
        found = entrance_capabilities(home, name, measured, read_walk_status(home, name))
        forbidden = tuple(one for one in found if one.forbids)
        untried = tuple(one for one in found if one.evidence is CapabilityEvidence.UNKNOWN)
        if forbidden:
            said, todo = Sentence("entrance.forbidden", {"promises": forbidden}), "entrance.forbidden.todo"
            yield Finding(what, FindingVerdict.BAD, said, Sentence(todo, {"name": name}))
        elif untried:
            said, todo = Sentence("entrance.forbidden", {"promises": untried}), "entrance.untried.todo"
            yield Finding(what, FindingVerdict.DOUBTFUL, said, Sentence(todo, {"name": name}))
        else:
            yield Finding(what, FindingVerdict.GOOD, Sentence("entrance.good"))


def authority_finding(home: Home) -> Finding:
    """Return the fingerprint that people compare before they install the gateway's authority on a phone."""
    what = Sentence("what.pages")
    try:
        found = authority_fingerprint(home.storage.folder / PAGES_FOLDER)
    except (OSError, ValueError) as error:
        said = Sentence("pages.unreadable", {"why": file_error(error)})
        return Finding(what, FindingVerdict.BAD, said, Sentence("pages.unreadable.todo"))
    if found is None:
        return Finding(what, FindingVerdict.DOUBTFUL, Sentence("pages.none"), Sentence("pages.none.todo"))
    fingerprint, until = found
    facts: dict[str, Any] = {"fingerprint": format_fingerprint(fingerprint), "until": f"{until:%Y-%m-%d}"}
    return Finding(what, FindingVerdict.GOOD, Sentence("pages.good", facts))


def clock_finding(home: Home) -> Finding:
    """Return whether the time can be trusted."""
    what = Sentence("what.clock")
    if home.clock.source == "host":
        return Finding(what, FindingVerdict.GOOD, Sentence("clock.host"))
    if kernel_synchronised():
        return Finding(what, FindingVerdict.GOOD, Sentence("clock.kept"))
    return Finding(what, FindingVerdict.BAD, Sentence("clock.untrusted"), Sentence("clock.todo"))


def fault_findings(home: Home, now: datetime) -> tuple[Finding, ...]:
    """Return the unexpected errors of the last week that the gateway set aside; empty if there were none."""
    file = home.storage.folder / fault_log.FAULTS_FILE
    try:
        report = fault_log.parse_report(read_bytes(file, at_most=fault_log.MAX_FILE_BYTES))
    except OSError:
        return ()
    lately = () if report is None else tuple(kind for kind in report.kinds if now - kind.at <= FAULT_SHOWN_PERIOD)
    if not lately:
        return ()
    facts: dict[str, SentenceFact] = {
        "count": str(len(lately)), "workers": ", ".join(sorted({kind.worker for kind in lately})), "file": file,
        "last": f"{lately[-1].at:%Y-%m-%d %H:%M} UTC",
    }  # fmt: skip
    said, todo = Sentence("faults.some", facts), Sentence("faults.todo", facts)
    return (Finding(Sentence("what.faults"), FindingVerdict.DOUBTFUL, said, todo),)


def disk_finding(home: Home) -> Finding:
    """Return whether the reserved space is free in the storage folder."""
    what, folder = Sentence("what.disk"), home.storage.folder
    try:
        nearest = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
        if not nearest.is_dir():
            said = Sentence("disk.none", {"folder": str(folder)})
            return Finding(what, FindingVerdict.BAD, said, Sentence("disk.none.todo"))
        free = shutil.disk_usage(nearest).free // 2**20
    except OSError as error:
        said = Sentence("disk.unseen", {"folder": str(folder), "why": file_error(error)})
        return Finding(what, FindingVerdict.BAD, said, Sentence("disk.none.todo"))
    said = Sentence("disk.free", {"folder": str(folder), "free": str(free), "needed": str(home.storage.reserve_mib)})
    if free >= home.storage.reserve_mib:
        return Finding(what, FindingVerdict.GOOD, said)
    return Finding(what, FindingVerdict.BAD, said, Sentence("disk.todo"))


def broker_file_findings(home: Home) -> Iterator[Finding]:
    """Check the broker's files, if they are on this machine beside the gateway's password."""
    what = Sentence("what.broker_files")
    folder = None if home.broker.password_file is None else home.broker.password_file.parent
    if folder is None:
        return
    place = {"folder": str(folder)}
    try:
        found = folder_faults(folder, home) if (folder / "mosquitto.conf").exists() else None
    except OSError as error:
        said = Sentence("files.unseen", {"file": str(error.filename), "why": file_error(error)})
        yield Finding(what, FindingVerdict.DOUBTFUL, said, Sentence("files.unseen.todo", dict(place)))
        return
    if found == ():
        yield Finding(what, FindingVerdict.GOOD, Sentence("files.good", dict(place)))
    for fault in found or ():
        said = Sentence(f"weak.{fault.fault_key}", fault.facts)
        yield Finding(what, FindingVerdict.BAD, said, Sentence(f"weak.{fault.todo_key}", fault.facts))
