"""Why a camera's stream does not open, in words for whoever sets it up. None of them can hold a password."""

from collections.abc import Mapping
from types import MappingProxyType

from gateway.video.ipc import Unopened

SAID: Mapping[Unopened, tuple[str, str]] = MappingProxyType({
    Unopened.UNKNOWN_HOST: ("nobody knows a host of this name", "Look at its url, or write its IP address."),
    Unopened.NO_ANSWER: ("it does not answer", "Look at its power, its network and its url."),
    Unopened.LOGIN_REFUSED: (
        "it refuses the user or the password",
        "Correct its credentials_file: it is tried again when that changes, else every 5 min (cameras lock accounts).",
    ),
    Unopened.LOGIN_UNUSABLE: (
        "its credentials_file cannot be used",
        "It is one line user:password that only the box's own user may read (chmod 600).",
    ),
    Unopened.NO_SUCH_STREAM: ("it has no stream of this name", "Look up the path of its url: each maker has another."),
    Unopened.NOT_H264: (
        "its pictures are not H.264",
        "Set its video codec to H.264 (not H.265, H.264+ or MJPEG), or name its second stream.",
    ),
    Unopened.NO_PICTURES: ("it sends no pictures", "Look at its url: this stream may be sound only, or switched off."),
    Unopened.CERTIFICATE: (
        "its certificate is not the one that was expected, or has expired",
        "Give its fingerprint, or its authority's ca. One that expired or has no name must be made anew in the camera.",
    ),
    Unopened.NO_TLS: ("it does not speak TLS there", "Look at its url: rtsps:// needs its TLS port, often 322."),
    Unopened.SENT_ELSEWHERE: (
        "it sends whoever asks to another address",
        "Write that address as its url if you trust it: Perron follows nobody.",
    ),
    Unopened.TURNED_AWAY: (
        "it is there and turns us away",
        "Most cameras serve two to four viewers: end another one, or take its pictures from Frigate.",
    ),
    Unopened.NO_TCP: ("it sends pictures over UDP only", "Allow RTSP over TCP (interleaved) in the camera."),
    Unopened.NOT_UNDERSTOOD: ("what answers there is no RTSP server", "Look at the port in its url, often 554."),
})  # fmt: skip
