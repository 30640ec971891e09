"""Examines a camera's stream, and says why it failed and what to do."""

import asyncio

from gateway.config.devices import CameraDevice
from gateway.config.stream_url import endpoint
from gateway.installation.diagnostics.connection_errors import file_error
from gateway.installation.diagnostics.finding import Finding, FindingVerdict, Sentence, SentenceFact
from gateway.video.credentials import LoginUnusable, file_version, read_login
from gateway.video.ipc import CameraSource, OpenFailure
from gateway.video.probe import ProbeResult, probe_stream

REFUSALS_BEFORE_PAUSE = (
    3  # refusals of an account after which a camera is left alone: cameras lock accounts that are tried often
)
ACCOUNT_PAUSE_S = 600.0  # seconds for which it is, or until the account's file changes
MAX_KEYFRAME_INTERVAL_S = 2.5  # seconds between two key pictures: a film, a pre-roll and a late viewer wait for one


class CameraLockouts:
    """Which cameras have refused their account again and again; kept from one examination to the next."""

    def __init__(self) -> None:
        self._refusals: dict[str, tuple[tuple[object, ...], list[float]]] = {}  # by whom, and when

    def spares(self, id_: str, camera: CameraDevice, now: float) -> bool:
        """Whether to leave it alone now."""
        account, refused = self._refusals.get(id_, ((), []))
        return (
            account == _account(camera) and sum(now - at < ACCOUNT_PAUSE_S for at in refused) >= REFUSALS_BEFORE_PAUSE
        )

    def heard(self, id_: str, camera: CameraDevice, looked: ProbeResult, now: float) -> None:
        """Take in what a look has brought."""
        if looked.unopened is not OpenFailure.LOGIN_REFUSED:
            self._refusals.pop(id_, None)
            return
        account, refused = self._refusals.get(id_, ((), []))
        before = refused[1 - REFUSALS_BEFORE_PAUSE :] if account == _account(camera) else []
        self._refusals[id_] = (_account(camera), [*before, now])


def _account(camera: CameraDevice) -> tuple[object, ...]:
    """With what a camera is opened, but for the secret itself."""
    return camera.url, camera.credentials_file, file_version(camera.credentials_file)


async def stream_finding(id_: str, camera: CameraDevice, wariness: CameraLockouts | None = None) -> Finding:
    """Look at a camera's stream, as the gateway would; `wariness`: what earlier looks have met."""
    clock = asyncio.get_running_loop()
    if wariness is not None and wariness.spares(id_, camera, clock.time()):
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
    except OSError as error:  # no process can be started
        return Finding(
            stream_sentence(id_),
            FindingVerdict.BAD,
            Sentence("stream.unlooked", {"why": file_error(error)}),
            Sentence("late.todo"),
        )
    if wariness is not None:
        wariness.heard(id_, camera, looked, clock.time())
    return judge_stream(stream_sentence(id_), looked, "{}:{}".format(*endpoint(camera.url)))


def stream_sentence(id_: str) -> Sentence:
    """Name what is looked at."""
    return Sentence("what.stream", {"id": id_})


def login_error(camera: CameraDevice) -> Sentence | None:
    """Say what is wrong with the file of a camera's account, if anything is; never what stands in it."""
    file = camera.credentials_file
    if file is None:
        return None
    try:
        read_login(file)
    except LoginUnusable as unusable:
        missing = isinstance(unusable.__cause__, FileNotFoundError)
        return Sentence("login.missing" if missing else "login.unusable", {"file": str(file), "text": str(unusable)})
    return None


def judge_stream(what: Sentence, looked: ProbeResult, where: str) -> Finding:
    """Judge what was seen at `where`."""
    if looked.unopened is not None:
        said = Sentence("stream.unopened", {"where": where, "why": Sentence(f"unopened.{looked.unopened}")})
        todo = Sentence(f"unopened.{looked.unopened}.todo")
        if looked.shown:
            todo = Sentence("stream.shown", {"todo": todo, "shown": _grouped(looked.shown)})
        return Finding(what, FindingVerdict.BAD, said, todo)
    if looked.lost is not None or looked.pictures_a_second is None:
        fault = Sentence("fault.nothing" if looked.lost is None else f"fault.{looked.lost}")
        return Finding(
            what,
            FindingVerdict.BAD,
            Sentence("stream.lost", {"where": where, "why": fault}),
            Sentence("stream.lost.todo"),
        )
    facts: dict[str, SentenceFact] = {
        "where": where,
        "size": f"{looked.width}x{looked.height}",
        "rate": f"{looked.pictures_a_second:g}",
        "every": "2" if looked.key_every is None else f"{looked.key_every:g}",
    }
    if looked.key_every is None or looked.key_every > MAX_KEYFRAME_INTERVAL_S:
        key = "stream.seldom_more" if looked.key_every is None else "stream.seldom"
        return Finding(what, FindingVerdict.DOUBTFUL, Sentence(key, facts), Sentence("stream.seldom.todo"))
    return Finding(what, FindingVerdict.GOOD, Sentence("stream.good", facts))


def _grouped(fingerprint: str) -> str:
    return ":".join(fingerprint[n : n + 2] for n in range(0, len(fingerprint), 2)).upper()
