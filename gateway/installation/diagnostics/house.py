"""Examines everything that a delivery needs, all at once, for `perron doctor` and for the page."""

import asyncio
import os
import shutil
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, assert_never

from gateway.config.devices import CameraDevice
from gateway.config.home import Home
from gateway.domain.frozen import Frozen
from gateway.evidence.rollback import STORE_FILE, current_doubt
from gateway.installation.capability import CapabilityEvidence, entrance_capabilities
from gateway.installation.diagnostics.broker import BROKER, DEVICES, examine_broker, unqueried_findings
from gateway.installation.diagnostics.connection_errors import file_error
from gateway.installation.diagnostics.devices import device_subject
from gateway.installation.diagnostics.finding import Finding, FindingVerdict, bad, doubtful, good, joined, overdue
from gateway.installation.diagnostics.hub import HUB, examine_hub
from gateway.installation.diagnostics.stream import CameraLockouts, stream_finding, stream_subject
from gateway.installation.records import read_measurements, read_walk_status
from gateway.mqtt.mosquitto.folder_check import FOLDER_TEXTS, folder_faults
from gateway.protocol.ed25519 import KeyUnusable
from gateway.runtime.maintenance.startup_checks import unexpected_files
from gateway.runtime.notifications.apprise import ApprisePhone, load_phones
from gateway.runtime.notifications.batching import TEST_TEXT, PhoneNotification
from gateway.runtime.notifications.contacts import is_open_to_others
from gateway.runtime.notifications.phone import SendResult
from gateway.runtime.notifications.texts import STORE_DOUBT_TEXTS
from gateway.storage import readonly
from gateway.storage.models import StoreFailed
from gateway.storage.schema import find_damage
from gateway.system import fault_log
from gateway.system.clock import Clock, kernel_synchronised, machine_time
from gateway.system.config_section import ConfigError
from gateway.system.dates import day_text, utc_text
from gateway.system.i18n import Text, _, pgettext
from gateway.system.pki.pages import PAGES_FOLDER, authority_fingerprint, format_fingerprint
from gateway.system.text import sanitized

CLOCK: Final = _("clock")
DISK: Final = _("disk")
STORE: Final = _("store")
FAULTS: Final = _("set aside")
PAGES: Final = _("pages")
PHONES: Final = _("phones")
ENTRANCES: Final = _("entrances")
BROKER_FILES: Final = _("broker files")
FAULT_SHOWN_PERIOD: Final = timedelta(days=7)  # an older fault counts as repaired
MIN_PAUSE_S: Final = 5.0  # between two examinations, to spare broker, devices and cameras
EXAMINATION_TIMEOUT_S: Final = 4.7  # of all checks; an unfinished one is a finding
PHONE_TIMEOUT_S: Final = 3.0  # for a phone's service to accept a message
STORE_CHECK_TIMEOUT_S: Final = 2.5  # to read the whole store

_tasks: set[asyncio.Task[None]] = set()  # references to running checks: nobody waits for one that was cancelled
_running_checks: set[tuple[Text, Path]] = set()  # checks in threads: subject and storage folder


class _Check:
    """A running check and its findings so far. `subject` hangs if it does not end in time; None: the broker does."""

    def __init__(self, subject: Text | None, check: AsyncIterator[Finding] | Awaitable[Iterable[Finding]]) -> None:
        self.subject, self.findings = subject, list[Finding]()
        self.task = asyncio.create_task(self._collect(check))
        _tasks.add(self.task)
        self.task.add_done_callback(_on_end)

    async def _collect(self, check: AsyncIterator[Finding] | Awaitable[Iterable[Finding]]) -> None:
        if isinstance(check, Awaitable):
            self.findings.extend(await check)
            return
        async for finding in check:
            self.findings.append(finding)  # it counts even if the check does not end


def _on_end(task: asyncio.Task[None]) -> None:
    _tasks.discard(task)
    if not task.cancelled():
        task.exception()  # retrieved, or asyncio would log that of an abandoned one


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

    def in_thread(subject: Text, check: Callable[[], Iterable[Finding]]) -> _Check:
        return _Check(subject, _in_thread((subject, home.storage.folder), check))

    checks = [
        in_thread(CLOCK, lambda: [clock_finding(home)]),
        in_thread(DISK, lambda: [disk_finding(home)]),
        in_thread(FAULTS, lambda: fault_findings(home, machine_time())),
        in_thread(STORE, lambda: store_findings(home)),
        in_thread(BROKER_FILES, lambda: broker_file_findings(home)),
        _Check(None, examine_broker(home, installer_lock=installer_lock, in_gateway=in_gateway)),
        *(
            _Check(stream_subject(id_), _camera_findings(id_, camera, lockouts))
            for id_, camera in home.devices.items()
            if isinstance(camera, CameraDevice)
        ),
    ]
    if with_phones:
        checks.append(_Check(PHONES, phone_findings(home)))
    if home.pages is not None and not home.pages.is_loopback and home.pages.certificate is None:
        checks.append(in_thread(PAGES, lambda: [authority_finding(home)]))
    checks.append(_Check(HUB, examine_hub(home, in_gateway=in_gateway)))
    checks.append(in_thread(ENTRANCES, lambda: unattended_findings(home)))
    try:
        await asyncio.wait([check.task for check in checks], timeout=timeout_s)
        findings = [finding for check in checks for finding in _findings_of(check, home, timeout_s)]
    finally:
        for check in checks:  # nobody waits for their end: a broker that hangs delays a disconnect for seconds
            check.task.cancel()
    return tuple(with_entrance_verdicts(home, findings))


def _findings_of(check: _Check, home: Home, timeout_s: float) -> Iterator[Finding]:
    yield from check.findings
    if check.task.done():
        check.task.result()  # raises if the check had a bug
    elif check.subject is None:
        yield from unqueried_findings(home, check.findings, timeout_s)
    else:
        yield overdue(check.subject, timeout_s)


async def _in_thread(check_id: tuple[Text, Path], check: Callable[[], Iterable[Finding]]) -> tuple[Finding, ...]:
    """Run a check of files in a daemon thread, so that a disk that hangs blocks neither loop nor process exit.

    A check that still hangs from an earlier examination is not started again, and times out again.
    """
    result = Future[tuple[Finding, ...]]()

    def run() -> None:
        result.set_running_or_notify_cancel()
        findings = None
        try:
            findings = tuple(check())
        finally:
            _running_checks.discard(check_id)
            if findings is None:
                result.set_exception(RuntimeError("a check of the box's files has a bug: its traceback was printed"))
            else:
                result.set_result(findings)

    if check_id not in _running_checks:
        _running_checks.add(check_id)
        threading.Thread(target=run, name="examination", daemon=True).start()
    return await asyncio.wrap_future(result)


async def _camera_findings(id_: str, camera: CameraDevice, lockouts: CameraLockouts | None) -> tuple[Finding]:
    return (await stream_finding(id_, camera, lockouts),)


def with_entrance_verdicts(home: Home, findings: Collection[Finding]) -> Iterator[Finding]:
    """Yield the findings; that of an entrance also counts its cameras, lock and door, and clock, disk and store."""
    verdicts = {finding.subject: finding.verdict for finding in findings}
    red = {finding.subject for finding in findings if finding.verdict is FindingVerdict.BAD}
    for finding in findings:
        section = None if finding.entrance is None else home.entrances.get(finding.entrance)
        if section is None:
            yield finding
            continue
        verdict = FindingVerdict.BAD
        promises = "" if finding.verdict is FindingVerdict.GOOD else finding.statement
        cameras = section.film_cameras
        dark = [camera for camera in cameras if stream_subject(camera) in red]
        silent = [
            id_
            for id_ in section.closure_devices
            if verdicts.get(device_subject(id_), FindingVerdict.BAD) is FindingVerdict.BAD
        ]
        if dark:
            statement = _("No picture from {cameras}: no delivery comes in without. {promises}").with_facts(
                cameras=", ".join(dark), promises=promises
            )
            todo = _("See what is said of the camera's stream; far from a window nobody else looks at it.")
        elif silent and finding.verdict is not FindingVerdict.BAD:
            lost = not red.isdisjoint((BROKER, DEVICES)) or any(device_subject(id_) in verdicts for id_ in silent)
            verdict = FindingVerdict.BAD if lost else FindingVerdict.DOUBTFUL
            statement = _("Nothing heard of {devices}: no delivery comes in without. {promises}").with_facts(
                devices=", ".join(silent), promises=promises
            )
            todo = _("See what is said of the broker and of these devices.")
        elif finding.verdict is FindingVerdict.GOOD and not red.isdisjoint((CLOCK, DISK, STORE)):
            statement, todo = _("clock or disk forbid a visit, see what is red"), _("Mend that first.")
        else:
            yield finding
            continue
        yield replace(finding, verdict=verdict, statement=statement, todo=todo)


def unattended_findings(home: Home) -> Iterator[Finding]:
    """Yield a finding for each entrance: what forbids an unattended visit."""
    measured = read_measurements(home.storage.folder)
    if not home.entrances and not home.receptions:
        none_yet = _("the house has no entrance yet: nothing is let in")
        nothing_yet = _("the house has no device and no entrance yet: nothing is let in")
        todo = _("Go on with the list on the page Set-up.")
        yield doubtful(ENTRANCES, none_yet if home.devices else nothing_yet, todo)
    for name in home.entrances:
        subject = _("entrance {name}", name=name)
        capabilities = entrance_capabilities(home, name, measured, read_walk_status(home, name))
        forbidding = [capability.text for capability in capabilities if capability.forbids]
        untried = [capability.text for capability in capabilities if capability.evidence is CapabilityEvidence.UNKNOWN]
        if forbidding:
            finding = bad(subject, joined(forbidding, " "), _("`perron walk-test {name}` tells more.", name=name))
        elif untried:
            todo = Text("`perron walk-test {name}`").with_facts(name=name)
            finding = doubtful(subject, joined(untried, " "), todo)
        else:
            finding = good(subject, _("nothing forbids a visit while nobody is home"))
        yield replace(finding, entrance=name)


def authority_finding(home: Home) -> Finding:
    """Return the fingerprint that people compare before they install the gateway's authority on a phone."""
    try:
        authority = authority_fingerprint(home.storage.folder / PAGES_FOLDER)
    except (OSError, ValueError) as error:
        return bad(PAGES, _("their authority cannot be read: {why}", why=file_error(error)), _("Restart the gateway."))
    if authority is None:
        return doubtful(PAGES, _("no authority was made yet"), _("Start the gateway: it makes one."))
    fingerprint, until = authority
    statement = _("their authority is {fingerprint}, good until {until}")
    day = day_text(until.date())
    return good(PAGES, statement.with_facts(fingerprint=format_fingerprint(fingerprint), until=day))


def clock_finding(home: Home) -> Finding:
    """Return whether the time can be trusted."""
    if home.clock.source == "host":
        return good(CLOCK, _("the machine's own word is taken (clock.source: host)"))
    if kernel_synchronised():
        return good(CLOCK, _("a time service keeps it"))
    todo = _(
        "Install chrony or systemd-timesyncd. Where another machine keeps the time (a container's host, say) write "
        "`source: host` under `clock:` in the house file."
    )
    return bad(CLOCK, _("no time service keeps it: with an untrusted clock no window opens"), todo)


def store_findings(home: Home) -> Iterator[Finding]:
    """Return the findings about the store, read-only; empty before the first start."""
    try:
        yield from _store_findings(home)
    except (OSError, KeyUnusable) as error:
        todo = _("Look at the disk and at the rights of storage.folder, then examine again.")
        yield bad(STORE, _("cannot be looked at ({why})", why=file_error(error)), todo)


def _store_findings(home: Home) -> Iterator[Finding]:
    folder = home.storage.folder
    unexpected = tuple(unexpected_files(folder))
    for _path, statement in unexpected:
        todo = _("Something else stands in the place of one of the box's files, and no gateway begins: move it away.")
        yield bad(STORE, statement, todo)
    if unexpected or not os.path.lexists(folder / STORE_FILE):
        return
    damage = find_damage(folder / STORE_FILE, within=STORE_CHECK_TIMEOUT_S)
    if damage is not None:
        todo = _(
            "Look after the doors by hand. Move {folder} aside and keep it, then put the last backup back: `perron "
            "restore --help`. Without a backup the box begins as a new one in an empty folder.",
            folder=folder,
        )
        yield bad(STORE, _("{file} is damaged ({why})", file=folder / STORE_FILE, why=damage), todo)
        return
    doubt = current_doubt(folder, home.entrances)
    if doubt is None:
        yield good(STORE, _("whole, and the one that the box used last"))
    else:
        todo = _(
            "Nothing opens. Where the key or the mark is still somewhere else, put it back before the next start. "
            'Else start the gateway, look after each door and say so on the page Home ("I have looked after the '
            'door"); what was announced before has to be announced again.'
        )
        yield bad(STORE, _("in doubt: {why}", why=STORE_DOUBT_TEXTS[doubt]), todo)


def fault_findings(home: Home, now: datetime) -> Iterator[Finding]:
    """Yield a finding if the gateway set aside unexpected errors in the last week."""
    report = fault_log.read_report(home.storage.folder)
    recent = [] if report is None else [kind for kind in report.kinds if now - kind.at <= FAULT_SHOWN_PERIOD]
    if recent:
        statement = _(
            "unforeseen errors (number of kinds: {count}), the last {last} ({workers}): what caused them is set aside, "
            "all else goes on",
            count=str(len(recent)),
            last=utc_text(recent[-1].at),
            workers=", ".join(sorted({kind.worker for kind in recent})),
        )
        file = home.storage.folder / fault_log.FAULTS_FILE
        todo = _("Send {file} to whoever develops Perron: it holds no content of any message.", file=file)
        yield doubtful(FAULTS, statement, todo)


def disk_finding(home: Home) -> Finding:
    """Return whether the reserved space is free in the storage folder."""
    folder, todo = home.storage.folder, _("Correct storage.folder.")
    try:
        nearest = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
        if not nearest.is_dir():
            return bad(DISK, _("{folder} is no folder and can be none", folder=str(folder)), todo)
        free = shutil.disk_usage(nearest).free // 2**20
    except OSError as error:
        statement = _("{folder} cannot be looked at ({why})", folder=str(folder), why=file_error(error))
        return bad(DISK, statement, todo)
    needed = str(home.storage.reserve_mib)
    statement = _("{free} MiB free at {folder}, {needed} needed", free=str(free), folder=str(folder), needed=needed)
    if free >= home.storage.reserve_mib:
        return good(DISK, statement)
    return bad(DISK, statement, _("Make room, or name another storage.folder: no door opens without it."))


def broker_file_findings(home: Home) -> Iterator[Finding]:
    """Check the broker's files, if they are on this machine beside the gateway's password."""
    folder = None if home.broker.password_file is None else home.broker.password_file.parent
    if folder is None:
        return
    try:
        faults = folder_faults(folder, home) if (folder / "mosquitto.conf").exists() else None
    except OSError as error:
        statement = _("{file} cannot be looked at ({why})", file=str(error.filename), why=file_error(error))
        todo = _("As root: `perron broker-config {folder} --check`").with_facts(folder=folder)
        yield doubtful(BROKER_FILES, statement, todo)
        return
    if faults == ():
        yield good(BROKER_FILES, _("nothing in {folder} is weak", folder=str(folder)))
    for fault in faults or ():
        statement, todo = (text.with_facts(**fault.facts) for text in FOLDER_TEXTS[fault.key])
        yield bad(BROKER_FILES, statement, todo)


async def phone_findings(home: Home) -> tuple[Finding, ...]:
    """Send each phone of the file a test message, because only a delivered one proves the way; a failure is a finding.

    Of the browsers that are notified it says what their last message came to: the page Messages tries them.
    """
    file = home.phones_file
    browsers = await asyncio.to_thread(_browser_findings, home)
    if home.messages is None and not file.exists():
        return browsers or (good(PHONES, _("none is configured: messages go to the log and to MQTT")),)
    try:
        # The test sends no picture and stores no phone's name, so folder and key do not matter.
        phones = load_phones(file, key=b"", scratch=home.storage.folder, limit=PHONE_TIMEOUT_S)
        is_open = is_open_to_others(file)
    except (ConfigError, OSError) as error:
        reason = str(error) if isinstance(error, ConfigError) else file_error(error)
        todo = _("Until then `perron run` does not start.")
        return (bad(PHONES, pgettext("file of phones", "{text}", text=reason), todo),)
    findings = [*browsers]
    if is_open:
        statement = _("{file} can be read or written by others on this machine", file=str(file))
        todo = _("`chmod 600 {file}`, and where others could read it change what stands in it.", file=str(file))
        findings.append(bad(PHONES, statement, todo))
    if not phones and not browsers:
        todo = _("Add one on the page Settings, Messages.")
        findings.append(doubtful(PHONES, _("{file} names none", file=str(file)), todo))
    message = PhoneNotification(title=sanitized(home.name), text=TEST_TEXT.to(home.language))
    results = await asyncio.gather(*(phone.send(message) for phone in phones))
    for number, (phone, result) in enumerate(zip(phones, results, strict=True), start=1):
        findings.append(_phone_finding(number, phone, result))
    return tuple(findings)


def _browser_findings(home: Home) -> tuple[Finding, ...]:
    """Return one finding about all browsers that are notified, or none; a store of an older Perron has none."""
    try:
        results = readonly.browser_results(home.storage.folder / STORE_FILE)
    except StoreFailed:
        return ()
    failed = sum(heard not in (None, SendResult.TAKEN) for heard in results)
    if failed:
        count = str(len(results))
        statement = _("{failed} of {count} notified browsers were not reached last", failed=str(failed), count=count)
        todo = _("Look at this machine's way to the internet, and try them on the page Messages.")
        return (doubtful(PHONES, statement, todo),)
    return (good(PHONES, _("browsers notified: {count}", count=str(len(results)))),) if results else ()


def _phone_finding(number: int, phone: ApprisePhone, result: SendResult) -> Finding:
    subject = _("phone {number} ({scheme})", number=str(number), scheme=phone.scheme)
    match result:
        case SendResult.TAKEN:
            return good(subject, _("took a word to try it: look whether the phone shows it"))
        case SendResult.REFUSED | SendResult.GONE:
            todo = _("Look at its URL's line, at account and topic, and at this machine's way there.")
            return doubtful(subject, _("did not take it, or nobody answers there"), todo)
        case SendResult.SILENT:
            statement = _("no answer within {seconds} s", seconds=f"{PHONE_TIMEOUT_S:g}")
            return doubtful(subject, statement, _("Look at this machine's way there."))
        case never:
            assert_never(never)


class ExaminationResult(Frozen, kw_only=False):
    """The findings of one examination, its end, and its duration."""

    findings: tuple[Finding, ...]
    at: datetime
    seconds: float


class ExaminationRunner:
    """Runs one kind of examination; `last` is the newest result, None before the first."""

    def __init__(self, examine: Callable[[], Awaitable[tuple[Finding, ...]]], clock: Clock) -> None:
        self._examine, self._clock = examine, clock
        self.last: ExaminationResult | None = None
        self._ended_mono: float | None = None
        self._running: asyncio.Task[None] | None = None

    async def examine(self) -> bool:
        """Run an examination, or wait for the running one; False: the last one ended less than MIN_PAUSE_S ago."""
        if self._running is None or self._running.done():
            if self._ended_mono is not None and self._clock.now().mono - self._ended_mono < MIN_PAUSE_S:
                return False
            self._running = asyncio.create_task(self._run(), name="examination")
        await asyncio.shield(self._running)  # a cancelled request does not cancel it for the others
        return True

    async def _run(self) -> None:
        began = self._clock.now()
        findings = await self._examine()
        ended = self._clock.now()
        self.last = ExaminationResult(findings, ended.utc, ended.mono - began.mono)
        self._ended_mono = ended.mono
