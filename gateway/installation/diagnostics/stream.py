"""Examines a camera's stream, and reports why it failed and what to do."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Mapping
from typing import Final

from gateway.config.devices import CameraDevice
from gateway.config.stream_url import endpoint
from gateway.installation.diagnostics.connection_errors import file_error
from gateway.installation.diagnostics.finding import HANGS_TODO, Finding, bad, doubtful, good
from gateway.system.i18n import Text, _, pgettext
from gateway.video.credentials import LoginUnusable, file_version, read_login
from gateway.video.ipc import CameraSource, OpenFailure, StreamFault
from gateway.video.open_errors import OPEN_FAILURE_TEXTS
from gateway.video.probe import ProbeResult, probe_stream

REFUSALS_BEFORE_PAUSE = 3  # cameras lock an account after several failed logins
ACCOUNT_PAUSE_S = 600.0  # or until the file of the account changes
MAX_KEYFRAME_INTERVAL_S = 2.5  # a film, a pre-roll and a new viewer wait for a keyframe
LOGIN_UNUSABLE_TODO: Final = OPEN_FAILURE_TEXTS[OpenFailure.LOGIN_UNUSABLE][1]
FAULT_TEXTS: Final[Mapping[StreamFault, Text]] = {
    StreamFault.UNREACHABLE: _("unreachable"),
    StreamFault.STALL: _("stall"),
    StreamFault.RESET: _("reset"),
    StreamFault.STUCK_TIMESTAMPS: _("stuck timestamps"),
    StreamFault.UNDECODABLE: _("undecodable"),
    StreamFault.BLACK: _("black"),
    StreamFault.FROZEN: _("frozen"),
    StreamFault.DISK: _("disk"),
    StreamFault.CHANGED: _("changed"),
    StreamFault.INTERRUPTED: _("interrupted"),
    StreamFault.STAY_BEGAN: _("guests stay"),
}


class CameraLockouts:
    """Counts the refused logins of each camera's account over several examinations."""

    def __init__(self) -> None:
        self._refusal_times = defaultdict[tuple[object, ...], deque[float]](lambda: deque(maxlen=REFUSALS_BEFORE_PAUSE))

    def is_paused(self, id_: str, camera: CameraDevice, now: float) -> bool:
        """Return whether the camera must not be tried now (`now`: monotonic seconds)."""
        times = self._refusal_times[_account(id_, camera)]
        return len(times) == REFUSALS_BEFORE_PAUSE and now - times[0] < ACCOUNT_PAUSE_S

    def record(self, id_: str, camera: CameraDevice, probe: ProbeResult, now: float) -> None:
        """Record the result of a probe."""
        times = self._refusal_times[_account(id_, camera)]
        if probe.unopened is OpenFailure.LOGIN_REFUSED:
            times.append(now)
        else:
            times.clear()


def _account(id_: str, camera: CameraDevice) -> tuple[object, ...]:
    """Return what identifies a camera's login, without the secret; it changes with the file."""
    return id_, camera.url, camera.credentials_file, file_version(camera.credentials_file)


async def stream_finding(id_: str, camera: CameraDevice, lockouts: CameraLockouts | None = None) -> Finding:
    """Open a camera's stream as the gateway does, unless `lockouts` pauses it; return the finding."""
    clock, subject = asyncio.get_running_loop(), stream_subject(id_)
    host, port = endpoint(camera.url)
    if lockouts is not None and lockouts.is_paused(id_, camera, clock.time()):
        statement = _(
            "{where}: it has refused the account several times; so that it does not lock it, it is left alone for "
            "{minutes} min, or until the account's file changes"
        ).with_facts(where=f"{host}:{port}", minutes=f"{ACCOUNT_PAUSE_S / 60:g}")
        return bad(subject, statement, OPEN_FAILURE_TEXTS[OpenFailure.LOGIN_REFUSED][1])
    unusable = login_error(camera)
    if unusable is not None:
        return bad(subject, unusable, LOGIN_UNUSABLE_TODO)
    source = CameraSource(
        name=id_, url=camera.url, login=camera.credentials_file, ca=camera.ca, fingerprint=camera.fingerprint
    )
    try:
        probe = await probe_stream(source)
    except OSError as error:  # the probe process could not be started
        return bad(subject, _("it could not be looked at ({why})", why=file_error(error)), HANGS_TODO)
    if lockouts is not None:
        lockouts.record(id_, camera, probe, clock.time())
    return judge_stream(subject, probe, f"{host}:{port}")


def stream_subject(id_: str) -> Text:
    """Return the subject of a finding about this camera's stream."""
    return _("{id} stream", id=id_)


def login_error(camera: CameraDevice) -> Text | None:
    """Return what is wrong with the file of a camera's account, never its content; None: nothing."""
    file = camera.credentials_file
    if file is None:
        return None
    try:
        read_login(file)
    except LoginUnusable as unusable:
        if isinstance(unusable.__cause__, FileNotFoundError):
            return _("the file of its account is not there: {file} (credentials_file)", file=str(file))
        return pgettext("login file", "{text}", text=str(unusable), file=str(file))
    return None


def judge_stream(subject: Text, probe: ProbeResult, address: str) -> Finding:
    """Return the finding about a probe of the stream at `address`."""
    if probe.unopened is not None:
        reason, todo = OPEN_FAILURE_TEXTS[probe.unopened]
        if probe.shown:
            fingerprint = ":".join(probe.shown[at : at + 2] for at in range(0, len(probe.shown), 2)).upper()
            todo = _("{todo} Now it shows {shown}: compare with the camera's own page.", todo=todo, shown=fingerprint)
        return bad(subject, _("{where}: {why}", where=address, why=reason), todo)
    if probe.lost is not None or probe.pictures_a_second is None:
        reason = _("nothing came") if probe.lost is None else FAULT_TEXTS[probe.lost]
        statement = _("{where}: the stream opened and was lost ({why})", where=address, why=reason)
        return bad(subject, statement, _("Look at its link (Wi-Fi?) and at its power."))
    size, rate = f"{probe.width}x{probe.height}", f"{probe.pictures_a_second:g}"
    interval = "2" if probe.key_every is None else f"{probe.key_every:g}"
    facts = {"where": address, "size": size, "rate": rate, "every": interval}
    todo = _("Set its key frame (I-frame) interval to 1 or 2 seconds, and switch H.264+ or smart codec off.")
    if probe.key_every is None:
        seldom = _("{where}: {size}, {rate} pictures a second; more than {every} s between key pictures", **facts)
        return doubtful(subject, seldom, todo)
    if probe.key_every > MAX_KEYFRAME_INTERVAL_S:
        seldom = _("{where}: {size}, {rate} pictures a second; {every} s between key pictures", **facts)
        return doubtful(subject, seldom, todo)
    return good(subject, _("{where}: {size}, {rate} pictures a second, a key picture every {every} s", **facts))
