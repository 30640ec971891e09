"""Examines a camera's stream, and reports why it failed and what to do."""

import asyncio

from gateway.config.devices import CameraDevice
from gateway.config.stream_url import endpoint
from gateway.installation.diagnostics.connection_errors import file_error
from gateway.installation.diagnostics.finding import Finding, FindingVerdict, Sentence, SentenceFact
from gateway.video.credentials import LoginUnusable, file_version, read_login
from gateway.video.ipc import CameraSource, OpenFailure
from gateway.video.probe import ProbeResult, probe_stream

REFUSALS_BEFORE_PAUSE = 3  # cameras lock an account after several failed logins
ACCOUNT_PAUSE_S = 600.0  # or until the file of the account changes
MAX_KEYFRAME_INTERVAL_S = 2.5  # a film, a pre-roll and a new viewer wait for a keyframe


class CameraLockouts:
    """Counts the refused logins of each camera over several examinations."""

    def __init__(self) -> None:
        self._refusals: dict[str, tuple[tuple[object, ...], list[float]]] = {}  # by whom, and when

    def is_paused(self, id_: str, camera: CameraDevice, now: float) -> bool:
        """Return whether the camera must not be tried now (`now`: monotonic seconds)."""
        account, refused = self._refusals.get(id_, ((), []))
        return (
            account == _account(camera) and sum(now - at < ACCOUNT_PAUSE_S for at in refused) >= REFUSALS_BEFORE_PAUSE
        )

    def record(self, id_: str, camera: CameraDevice, probe: ProbeResult, now: float) -> None:
        """Record the result of a probe."""
        if probe.unopened is not OpenFailure.LOGIN_REFUSED:
            self._refusals.pop(id_, None)
            return
        account, refused = self._refusals.get(id_, ((), []))
        before = refused[1 - REFUSALS_BEFORE_PAUSE :] if account == _account(camera) else []
        self._refusals[id_] = (_account(camera), [*before, now])


def _account(camera: CameraDevice) -> tuple[object, ...]:
    """Return what identifies a camera's login, without the secret."""
    return camera.url, camera.credentials_file, file_version(camera.credentials_file)


async def stream_finding(id_: str, camera: CameraDevice, lockouts: CameraLockouts | None = None) -> Finding:
    """Open a camera's stream as the gateway does, unless `lockouts` pauses it; return the finding."""
    clock = asyncio.get_running_loop()
    if lockouts is not None and lockouts.is_paused(id_, camera, clock.time()):
        said = Sentence(
            "stream.spared", {"where": "{}:{}".format(*endpoint(camera.url)), "minutes": f"{ACCOUNT_PAUSE_S / 60:g}"}
        )
        return Finding(stream_sentence(id_), FindingVerdict.BAD, said, Sentence("unopened.login_refused.todo"))
    unusable = login_error(camera)
    if unusable is not None:
        return Finding(stream_sentence(id_), FindingVerdict.BAD, unusable, Sentence("unopened.login_unusable.todo"))
    source = CameraSource(
        name=id_, url=camera.url, login=camera.credentials_file, ca=camera.ca, fingerprint=camera.fingerprint
    )
    try:
        looked = await probe_stream(source)
    except OSError as error:  # the probe process could not be started
        return Finding(
            stream_sentence(id_),
            FindingVerdict.BAD,
            Sentence("stream.unlooked", {"why": file_error(error)}),
            Sentence("late.todo"),
        )
    if lockouts is not None:
        lockouts.record(id_, camera, looked, clock.time())
    return judge_stream(stream_sentence(id_), looked, "{}:{}".format(*endpoint(camera.url)))


def stream_sentence(id_: str) -> Sentence:
    """Return the subject of a finding about this camera's stream."""
    return Sentence("what.stream", {"id": id_})


def login_error(camera: CameraDevice) -> Sentence | None:
    """Return what is wrong with the file of a camera's account, never its content; None: nothing."""
    file = camera.credentials_file
    if file is None:
        return None
    try:
        read_login(file)
    except LoginUnusable as unusable:
        missing = isinstance(unusable.__cause__, FileNotFoundError)
        return Sentence("login.missing" if missing else "login.unusable", {"file": str(file), "text": str(unusable)})
    return None


def judge_stream(subject: Sentence, probe: ProbeResult, address: str) -> Finding:
    """Return the finding about a probe of the stream at `address`."""
    if probe.unopened is not None:
        said = Sentence("stream.unopened", {"where": address, "why": Sentence(f"unopened.{probe.unopened}")})
        todo = Sentence(f"unopened.{probe.unopened}.todo")
        if probe.shown:
            todo = Sentence("stream.shown", {"todo": todo, "shown": _grouped(probe.shown)})
        return Finding(subject, FindingVerdict.BAD, said, todo)
    if probe.lost is not None or probe.pictures_a_second is None:
        fault = Sentence("fault.nothing" if probe.lost is None else f"fault.{probe.lost}")
        return Finding(
            subject,
            FindingVerdict.BAD,
            Sentence("stream.lost", {"where": address, "why": fault}),
            Sentence("stream.lost.todo"),
        )
    facts: dict[str, SentenceFact] = {
        "where": address,
        "size": f"{probe.width}x{probe.height}",
        "rate": f"{probe.pictures_a_second:g}",
        "every": "2" if probe.key_every is None else f"{probe.key_every:g}",
    }
    if probe.key_every is None or probe.key_every > MAX_KEYFRAME_INTERVAL_S:
        key = "stream.seldom_more" if probe.key_every is None else "stream.seldom"
        return Finding(subject, FindingVerdict.DOUBTFUL, Sentence(key, facts), Sentence("stream.seldom.todo"))
    return Finding(subject, FindingVerdict.GOOD, Sentence("stream.good", facts))


def _grouped(fingerprint: str) -> str:
    return ":".join(fingerprint[n : n + 2] for n in range(0, len(fingerprint), 2)).upper()
