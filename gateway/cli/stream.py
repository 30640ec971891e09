"""What `perron doctor` says of a camera's stream: seen, or why not and what to do."""

from dataclasses import dataclass

from gateway.equipment import CameraDevice
from gateway.streamurl import endpoint
from gateway.video.login import LoginUnusable, read_login
from gateway.video.look import Looked, look
from gateway.video.unopened import SAID
from gateway.video.words import CameraSource, Unopened

SELDOM = 2.5  # seconds between two key pictures: a film, a pre-roll and a late viewer wait for one


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen: `good` is None where it is well enough for a delivery and could be better."""

    good: bool | None
    said: str
    todo: str = ""


async def sight(id_: str, camera: CameraDevice) -> Sight:
    """Look at a camera's stream, as the gateway would."""
    if camera.credentials_file is not None:
        try:
            read_login(camera.credentials_file)
        except LoginUnusable as unusable:
            return Sight(good=False, said=str(unusable), todo=SAID[Unopened.LOGIN_UNUSABLE][1])
    source = CameraSource(
        name=id_, url=camera.url, login=camera.credentials_file, ca=camera.ca, fingerprint=camera.fingerprint
    )
    return told(await look(source), "{}:{}".format(*endpoint(camera.url)))


def told(looked: Looked, where: str) -> Sight:
    """Put what was seen at `where` into words."""
    if looked.unopened is not None:
        said, todo = SAID[looked.unopened]
        shown = f" Now it shows {_spaced(looked.shown)}: compare with the camera's own page." if looked.shown else ""
        return Sight(good=False, said=f"{where}: {said}", todo=todo + shown)
    if looked.lost is not None or looked.pictures_a_second is None:
        lost = "nothing came" if looked.lost is None else looked.lost.value.replace("_", " ")
        todo = "Look at its link (Wi-Fi?) and at its power."
        return Sight(good=False, said=f"{where}: the stream opened and was lost ({lost})", todo=todo)
    seen = f"{looked.width}x{looked.height}, {looked.pictures_a_second:g} pictures a second"
    if looked.key_every is None or looked.key_every > SELDOM:
        every = "more than 2 s" if looked.key_every is None else f"{looked.key_every:g} s"
        todo = "Set its key frame (I-frame) interval to 1 or 2 seconds, and switch H.264+ or smart codec off."
        return Sight(good=None, said=f"{where}: {seen}; {every} between key pictures", todo=todo)
    return Sight(good=True, said=f"{where}: {seen}, a key picture every {looked.key_every:g} s")


def _spaced(fingerprint: str) -> str:
    return ":".join(fingerprint[n : n + 2] for n in range(0, len(fingerprint), 2)).upper()
