"""The messages between gateway and video process: JSON lines over a Unix socket, in both directions.

The video process outlives the gateway. The next gateway that connects gets `VideoHello` with the running clips.
`at` are CLOCK_MONOTONIC seconds, which all processes of one boot share; `start` and `end` are UTC.

On a second socket (`live_socket`) each connection is one viewer: one line (`LiveViewRequest`) is answered by one
(`LiveViewRefused`, or `LiveViewAccepted`, after which chunks follow: fragmented MP4, each with a time). A chunk is,
big-endian, 4 bytes with the length of the MP4 data; 8 bytes (float64) with the time; the data.
"""

import struct
from datetime import datetime
from enum import StrEnum, auto
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

from gateway.config.stream_url import StreamUrl
from gateway.domain.frozen import Frozen

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
Folder = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$")]


class IpcMessage(BaseModel):
    """One JSON line."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class CameraSource(IpcMessage):
    """One camera: the url of its H.264, and the region of its burnt-in clock, if any (x, y, width, height; 0 to 1).

    `login` is the file of its account, which is read for each connection; no message contains the account itself.
    `ca` (a file) or `fingerprint` (SHA-256) say which certificate it may show on rtsps. The clock's region must change
    at least once a second. `sees_courier`: every picture is decoded, so `CameraProof.moving` is meaningful; of other
    cameras only key pictures are decoded. `urgent`: reconnect as often as during a film.
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
    """The key of a clip: the id of the visit (or incident) and its part."""

    visit: Name
    part: int = Field(ge=1)


class ConfigureCameras(IpcMessage):
    """First line of the gateway: all cameras, the pre-roll in seconds and the folder of all clips.

    `film_sync_s`: seconds after which a filmed picture is synced to disk at the latest.
    """

    kind: Literal["configure"] = "configure"
    cameras: tuple[CameraSource, ...]
    pre_roll: float = 10.0
    folder: str
    film_sync_s: float = 0.25


class WatchCameras(IpcMessage):
    """Start or end the pre-roll of these cameras; `labels`: those that also read barcodes, 3 pictures a second."""

    kind: Literal["watch"] = "watch"
    cameras: tuple[str, ...]
    on: bool
    labels: tuple[str, ...] = ()


class RecordClip(IpcMessage):
    """Begin a clip of each camera, pre-roll first, in `folder` (relative to the configured one).

    A camera without a stream joins later, with a gap. Repeated for a running clip, it adds cameras, and `ClipBegun` is
    the answer again.
    """

    kind: Literal["record"] = "record"
    clip: ClipKey
    cameras: tuple[str, ...]
    folder: Folder


class FinishClip(IpcMessage):
    """End the clips; `keep` False deletes them. The answer is `ClipsClosed`, and the same again if this is repeated.

    Films that a killed video process left open are closed too. An unknown clip is answered without films.
    """

    kind: Literal["finish"] = "finish"
    clip: ClipKey
    keep: bool


class PrivatePeriod(IpcMessage):
    """From `start` until before `end` (UTC) this camera does not run, because guests stay in the home."""

    camera: str
    start: AwareDatetime
    end: AwareDatetime


class PrivatePeriods(IpcMessage):
    """All such periods, in place of those before.

    The process keeps to them by its own clock, so nothing is filmed in a stay that begins while no gateway lives. The
    gateway sends them before `ConfigureCameras`: a process that does not know them is then an older one, and is ended.
    """

    kind: Literal["private"] = "private"
    periods: tuple[PrivatePeriod, ...]


class TakePicture(IpcMessage):
    """Request the newest picture. The answer is `PictureTaken`."""

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
    FROZEN = auto()  # only where a burnt-in clock stands still; without one it may be an empty hall
    DISK = auto()
    CHANGED = auto()  # its pictures changed size or coding, so another film begins
    INTERRUPTED = auto()  # the video process ended; only the reason of a gap
    STAY_BEGAN = auto()  # a stay of guests began (`PrivatePeriods`)


class OpenFailure(StrEnum):
    """Why a stream does not open; `gateway.video.open_errors` has the texts."""

    UNKNOWN_HOST = auto()
    NO_ANSWER = auto()
    LOGIN_REFUSED = auto()
    LOGIN_UNUSABLE = auto()  # the file of its account
    NO_SUCH_STREAM = auto()
    NOT_H264 = auto()
    NO_PICTURES = auto()
    CERTIFICATE = auto()
    NO_TLS = auto()
    SENT_ELSEWHERE = auto()  # it redirects, and redirects are not followed
    TURNED_AWAY = auto()  # it refuses to serve; mostly too many viewers
    NO_TCP = auto()
    NOT_UNDERSTOOD = auto()


class VideoHello(IpcMessage):
    """First line of the video process to a new gateway."""

    kind: Literal["adopted"] = "adopted"
    pid: int
    recording: tuple[ClipKey, ...]


class CameraProof(IpcMessage):
    """What a camera proves, sent four times a second and at each change. `live`: by packets; `moving`: by pictures.

    `recordings`: all clips whose newest fragment is on disk now (a camera may serve several entrances); `recording`:
    the newest of them, or None. `unopened`: why there is no stream.
    """

    kind: Literal["proof"] = "proof"
    camera: str
    at: float = Field(allow_inf_nan=False)  # a proof with an infinite time would never be too old
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
    """A time that a camera's film does not show."""

    start: datetime
    end: datetime
    why: StreamFault


class ClipFacts(IpcMessage):
    """A closed clip, hashed and renamed to its final `path` (relative to the configured folder).

    `fragments` is the length of its hash chain, whose links are in the JSON lines file beside it. `gaps` are within it.
    """

    camera: str
    path: str
    start: datetime
    end: datetime
    sha256: str
    fragments: int
    gaps: tuple[Gap, ...] = ()


class ClipsClosed(IpcMessage):
    """All clips of one key are closed. A camera that reconnected has several files.

    `gaps`: (camera, gap) before, between and after a camera's files.
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
    """The live view begins. `codec` is for the page's media source (RFC 6381, `avc1.42C01F`); size in pixels."""

    kind: Literal["viewing"] = "viewing"
    codec: str
    width: int
    height: int


class LiveViewError(StrEnum):
    """Why there is no live view."""

    NO_SUCH_CAMERA = auto()
    NO_PICTURES = auto()  # the camera is unreachable, or it does not send H.264
    TOO_MANY_VIEWERS = auto()
    NOT_UNDERSTOOD = auto()  # the request was not a `LiveViewRequest`
    NO_PROCESS = auto()  # found by the client: no process serves the socket
    NO_ANSWER = auto()  # found by the client: the process did not answer in time


class LiveViewRefused(IpcMessage):
    """There is no live view; the connection ends."""

    kind: Literal["refused"] = "refused"
    why: LiveViewError


CHUNK_HEADER = struct.Struct("!Id")
MAX_CHUNK_BYTES = 64 << 20  # larger than any picture


class Chunk(Frozen, kw_only=False):
    """The init segment (ftyp, moov) if `init`, else one fragment (moof, mdat).

    `at`: when its newest picture arrived; of the init segment, when the first picture after it arrived (monotonic
    seconds).
    """

    at: float
    data: bytes
    init: bool = False


def pack_chunk(at: float, data: bytes) -> bytes:
    """Return a chunk in the form of the socket. The first chunk on a connection is the init segment."""
    return CHUNK_HEADER.pack(len(data), at) + data


VIDEO_SOCKET = "video.sock"  # in the storage folder


def live_socket(socket: Path) -> Path:
    """Return the socket for viewers of the video process that serves its gateway on `socket`."""
    return socket.with_suffix(".live")


ToVideo = Annotated[
    ConfigureCameras | WatchCameras | RecordClip | FinishClip | PrivatePeriods | TakePicture,
    Field(discriminator="kind"),
]
FromVideo = Annotated[
    VideoHello | CameraProof | ClipBegun | ClipsClosed | BarcodeRead | PictureTaken, Field(discriminator="kind")
]
ToViewer = Annotated[LiveViewAccepted | LiveViewRefused, Field(discriminator="kind")]
TO_VIDEO_ADAPTER: TypeAdapter[ToVideo] = TypeAdapter(ToVideo)
FROM_VIDEO_ADAPTER: TypeAdapter[FromVideo] = TypeAdapter(FromVideo)
TO_VIEWER_ADAPTER: TypeAdapter[ToViewer] = TypeAdapter(ToViewer)
