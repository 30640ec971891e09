"""What an examination says of a camera's stream: seen, or why not and what to do."""

from gateway.equipment import CameraDevice
from gateway.examination.finding import Fact, Finding, Said, Verdict
from gateway.examination.trouble import why
from gateway.streamurl import endpoint
from gateway.video.login import LoginUnusable, read_login
from gateway.video.look import Looked, look
from gateway.video.words import CameraSource

SELDOM = 2.5  # seconds between two key pictures: a film, a pre-roll and a late viewer wait for one


async def sight(id_: str, camera: CameraDevice) -> Finding:
    """Look at a camera's stream, as the gateway would."""
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
