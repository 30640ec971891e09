"""What an examination says of a camera's stream: seen, or why not and what to do."""

import asyncio

from gateway.config.devices import CameraDevice
from gateway.config.stream_url import endpoint
from gateway.installation.diagnostics.finding import Fact, Finding, Said, Verdict
from gateway.installation.diagnostics.trouble import why
from gateway.video.credentials import LoginUnusable, changed_at, read_login
from gateway.video.ipc import CameraSource, Unopened
from gateway.video.probe import Looked, look

WARY = 3  # refusals of an account after which a camera is left alone: cameras lock accounts that are tried often
PAUSE = 600.0  # seconds for which it is, or until the account's file changes
SELDOM = 2.5  # seconds between two key pictures: a film, a pre-roll and a late viewer wait for one


class Wariness:
    """Which cameras have refused their account again and again; kept from one examination to the next."""

    def __init__(self) -> None:
        self._refused: dict[str, tuple[tuple[object, ...], list[float]]] = {}  # by whom, and when

    def spares(self, id_: str, camera: CameraDevice, now: float) -> bool:
        """Whether to leave it alone now."""
        account, refused = self._refused.get(id_, ((), []))
        return account == _account(camera) and sum(now - at < PAUSE for at in refused) >= WARY

    def heard(self, id_: str, camera: CameraDevice, looked: Looked, now: float) -> None:
        """Take in what a look has brought."""
        if looked.unopened is not Unopened.LOGIN_REFUSED:
            self._refused.pop(id_, None)
            return
        account, refused = self._refused.get(id_, ((), []))
        before = refused[1 - WARY :] if account == _account(camera) else []
        self._refused[id_] = (_account(camera), [*before, now])


def _account(camera: CameraDevice) -> tuple[object, ...]:
    """With what a camera is opened, but for the secret itself."""
    return camera.url, camera.credentials_file, changed_at(camera.credentials_file)


async def sight(id_: str, camera: CameraDevice, wariness: Wariness | None = None) -> Finding:
    """Look at a camera's stream, as the gateway would; `wariness`: what earlier looks have met."""
    clock = asyncio.get_running_loop()
    if wariness is not None and wariness.spares(id_, camera, clock.time()):
        said = Said("stream.spared", {"where": "{}:{}".format(*endpoint(camera.url)), "minutes": f"{PAUSE / 60:g}"})
        return Finding(stream_of(id_), Verdict.BAD, said, Said("unopened.login_refused.todo"))
    unusable = unusable_login(camera)
    if unusable is not None:
        return Finding(stream_of(id_), Verdict.BAD, unusable, Said("unopened.login_unusable.todo"))
    source = CameraSource(
        name=id_, url=camera.url, login=camera.credentials_file, ca=camera.ca, fingerprint=camera.fingerprint
    )
    try:
        looked = await look(source)
    except OSError as error:  # no process can be started
        return Finding(stream_of(id_), Verdict.BAD, Said("stream.unlooked", {"why": why(error)}), Said("late.todo"))
    if wariness is not None:
        wariness.heard(id_, camera, looked, clock.time())
    return told(stream_of(id_), looked, "{}:{}".format(*endpoint(camera.url)))


def stream_of(id_: str) -> Said:
    """Name what is looked at."""
    return Said("what.stream", {"id": id_})


def unusable_login(camera: CameraDevice) -> Said | None:
    """Say what is wrong with the file of a camera's account, if anything is; never what stands in it."""
    file = camera.credentials_file
    if file is None:
        return None
    try:
        read_login(file)
    except LoginUnusable as unusable:
        missing = isinstance(unusable.__cause__, FileNotFoundError)
        return Said("login.missing" if missing else "login.unusable", {"file": str(file), "text": str(unusable)})
    return None


def told(what: Said, looked: Looked, where: str) -> Finding:
    """Judge what was seen at `where`."""
    if looked.unopened is not None:
        said = Said("stream.unopened", {"where": where, "why": Said(f"unopened.{looked.unopened}")})
        todo = Said(f"unopened.{looked.unopened}.todo")
        if looked.shown:
            todo = Said("stream.shown", {"todo": todo, "shown": _spaced(looked.shown)})
        return Finding(what, Verdict.BAD, said, todo)
    if looked.lost is not None or looked.pictures_a_second is None:
        fault = Said("fault.nothing" if looked.lost is None else f"fault.{looked.lost}")
        return Finding(what, Verdict.BAD, Said("stream.lost", {"where": where, "why": fault}), Said("stream.lost.todo"))
    facts: dict[str, Fact] = {
        "where": where,
        "size": f"{looked.width}x{looked.height}",
        "rate": f"{looked.pictures_a_second:g}",
        "every": "2" if looked.key_every is None else f"{looked.key_every:g}",
    }
    if looked.key_every is None or looked.key_every > SELDOM:
        key = "stream.seldom_more" if looked.key_every is None else "stream.seldom"
        return Finding(what, Verdict.DOUBTFUL, Said(key, facts), Said("stream.seldom.todo"))
    return Finding(what, Verdict.GOOD, Said("stream.good", facts))


def _spaced(fingerprint: str) -> str:
    return ":".join(fingerprint[n : n + 2] for n in range(0, len(fingerprint), 2)).upper()
