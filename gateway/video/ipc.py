"""The messages between gateway and video process: JSON lines over a Unix socket, in both directions.

The video process outlives the gateway: whoever connects next gets `VideoHello` with the clips that run.
`at` are CLOCK_MONOTONIC seconds, which all processes of one boot share; `start` and `end` are UTC.

On a second socket (`live_socket`) each connection is one viewer: one line (`LiveViewRequest`) is answered by one
(`LiveViewAccepted`, after which chunks follow, see `gateway.video.chunk`, or `LiveViewRefused`).
"""

from datetime import datetime
from enum import StrEnum, auto
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

from gateway.config.stream_url import StreamUrl

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
Folder = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$")]


class IpcMessage(BaseModel):
    """One JSON line."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class CameraSource(IpcMessage):
    """One camera: where its H.264 is and where its burnt-in clock stands (x, y, width, height; 0 to 1), if any.

    `login` is the file of its account, which is read for each connection: what stands in it is in no words of ours.
    `ca` (a file) or `fingerprint` (SHA-256) say which certificate it may show on rtsps. The clock's region must change
    at least once a second. `sees_courier`: every picture is decoded, so `CameraProof.moving` means something; of other
    cameras only key pictures are. `urgent`: one that is lost is tried again as often as if it filmed.
    """

    name: Name
    url: StreamUrl
    login: Path | None = None
    ca: Path | None = None
    fingerprint: str | None = None
    clock_region: tuple[float, float, float, float] | None = None
    sees_courier: bool = True
    urgent: bool = False


class ClipKey(IpcMessage):
    """Whose clip: the visit's (or incident's) id and its part."""

    visit: Name
    part: int = Field(ge=1)


class ConfigureCameras(IpcMessage):
    """First line of the gateway: all cameras, the pre-roll in seconds and the folder under which clips go."""

    kind: Literal["configure"] = "configure"
    cameras: tuple[CameraSource, ...]
    pre_roll: float = 10.0
    folder: str


class WatchCameras(IpcMessage):
    """Run (or end) the ring of these cameras; `labels`: also read barcodes, 3 frames a second."""

    kind: Literal["watch"] = "watch"
    cameras: tuple[str, ...]
    on: bool
    labels: tuple[str, ...] = ()


class RecordClip(IpcMessage):
    """Begin a clip of each camera, pre-roll first, in `folder` (relative to the configured one).

    A camera that is not there yet joins when it can (a gap). Said again for a running clip, it is answered by
    `ClipBegun` again and adds cameras.
    """

    kind: Literal["record"] = "record"
    clip: ClipKey
    cameras: tuple[str, ...]
    folder: Folder


class FinishClip(IpcMessage):
    """End the clips; `keep` False deletes them. Answered by `ClipsClosed`, the same again when it is said again.

    What a killed video process left behind is closed too. Finishing what is not known closes empty.
    """

    kind: Literal["finish"] = "finish"
    clip: ClipKey
    keep: bool


class TakePicture(IpcMessage):
    """Answered by `PictureTaken`."""

    kind: Literal["take_picture"] = "take_picture"
    camera: str
    request: str


class StreamFault(StrEnum):
    """What is wrong with a camera's pictures."""

    UNREACHABLE = auto()
    STALL = auto()
    RESET = auto()
    STUCK_TIMESTAMPS = auto()
    UNDECODABLE = auto()
    BLACK = auto()
    FROZEN = auto()  # told only where a burnt-in clock stands still: else it may be an empty hall
    DISK = auto()
    CHANGED = auto()  # its pictures took another size or coding: what comes now is another film
    INTERRUPTED = auto()  # the video process ended; only ever the reason of a gap


class OpenFailure(StrEnum):
    """Why a stream does not open; `gateway.video.open_errors` has the words for it."""

    UNKNOWN_HOST = auto()
    NO_ANSWER = auto()
    LOGIN_REFUSED = auto()
    LOGIN_UNUSABLE = auto()  # the file of its account
    NO_SUCH_STREAM = auto()
    NOT_H264 = auto()
    NO_PICTURES = auto()
    CERTIFICATE = auto()
    NO_TLS = auto()
    SENT_ELSEWHERE = auto()  # it redirects: nobody is followed
    TURNED_AWAY = auto()  # it is there and serves us not: too many viewers, mostly
    NO_TCP = auto()
    NOT_UNDERSTOOD = auto()


class VideoHello(IpcMessage):
    """First line of the video process to a new gateway."""

    kind: Literal["adopted"] = "adopted"
    pid: int
    recording: tuple[ClipKey, ...]


class CameraProof(IpcMessage):
    """Four times a second and at once when something changes. `live` is packets; `moving` is pictures.

    `recording`: the newest clip of those whose newest fragment is on disk now, None when there is none; `recordings`
    are all of them, for a camera that serves several entrances. `unopened`: why there is no stream.
    """

    kind: Literal["proof"] = "proof"
    camera: str
    at: float
    live: bool
    moving: bool
    recording: ClipKey | None = None
    recordings: tuple[ClipKey, ...] = ()
    faults: tuple[StreamFault, ...] = ()
    unopened: OpenFailure | None = None


class ClipBegun(IpcMessage):
    """A clip's first fragment is synced to disk; `start` is the first picture's time.

    `path` is the final one, relative to the configured folder; until the clip is closed the file ends in `.part`.
    """

    kind: Literal["begun"] = "begun"
    camera: str
    clip: ClipKey
    path: str
    start: datetime


class Gap(IpcMessage):
    """A hole in a camera's film."""

    start: datetime
    end: datetime
    why: StreamFault


class ClipFacts(IpcMessage):
    """A closed clip, hashed and renamed to its final `path` (relative to the configured folder).

    `fragments` counts the links of its hash chain, which stand in the JSON lines file beside it. `gaps` lie within it.
    """

    camera: str
    path: str
    start: datetime
    end: datetime
    sha256: str
    fragments: int
    gaps: tuple[Gap, ...] = ()


class ClipsClosed(IpcMessage):
    """All clips of one key are closed. A camera may have several files: it reconnected.

    `gaps` are (camera, hole) before, between and after a camera's files.
    """

    kind: Literal["closed"] = "closed"
    clip: ClipKey
    clips: tuple[ClipFacts, ...]
    gaps: tuple[tuple[str, Gap], ...] = ()


class BarcodeRead(IpcMessage):
    """A camera read a barcode."""

    kind: Literal["label"] = "label"
    camera: str
    code: str
    symbology: str


class PictureTaken(IpcMessage):
    """A JPEG of at most 320 px width, base64; None when there is no live picture."""

    kind: Literal["picture"] = "picture"
    request: str
    jpeg: str | None


class LiveViewRequest(IpcMessage):
    """The only line of a viewer."""

    camera: str


class LiveViewAccepted(IpcMessage):
    """The camera is seen: what a page's media source must be told (RFC 6381, as `avc1.42C01F`), size in pixels."""

    kind: Literal["viewing"] = "viewing"
    codec: str
    width: int
    height: int


class LiveViewError(StrEnum):
    """Why there is nothing to see."""

    NO_SUCH_CAMERA = auto()
    NO_PICTURES = auto()  # the camera is not reached, or what it sends is not H.264
    TOO_MANY_VIEWERS = auto()
    NOT_UNDERSTOOD = auto()  # what was said is no `LiveViewRequest`
    NO_PROCESS = auto()  # told by the gateway's side alone: nobody serves the socket
    NO_ANSWER = auto()  # the same: the process did not answer in time


class LiveViewRefused(IpcMessage):
    """The camera is not seen; the connection ends."""

    kind: Literal["refused"] = "refused"
    why: LiveViewError


def live_socket(socket: Path) -> Path:
    """Where viewers connect to the video process that serves its gateway on `socket`."""
    return socket.with_suffix(".live")


ToVideo = Annotated[
    ConfigureCameras | WatchCameras | RecordClip | FinishClip | TakePicture, Field(discriminator="kind")
]
FromVideo = Annotated[
    VideoHello | CameraProof | ClipBegun | ClipsClosed | BarcodeRead | PictureTaken, Field(discriminator="kind")
]
ToViewer = Annotated[LiveViewAccepted | LiveViewRefused, Field(discriminator="kind")]
TO_VIDEO_ADAPTER: TypeAdapter[ToVideo] = TypeAdapter(ToVideo)
FROM_VIDEO_ADAPTER: TypeAdapter[FromVideo] = TypeAdapter(FromVideo)
TO_VIEWER_ADAPTER: TypeAdapter[ToViewer] = TypeAdapter(ToViewer)
