"""Why a camera's stream does not open: told apart, and said in words that hold no account."""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.video.camera import MAX_LOGIN_REFUSALS
from gateway.video.ipc import CameraSource, ConfigureCameras, OpenFailure, WatchCameras
from gateway.video.open_errors import OPEN_FAILURE_TEXTS
from gateway.video.probe import probe_stream
from gateway.video.stream import StreamLost, read_packets
from tests.filmset.talk import TIMEOUT_S, VideoSession, video_process
from tests.foreign import ForeignCamera, foreign_camera
from tests.wire import TcpRelay

pytestmark = pytest.mark.slow

PAUSE_S = 2.2  # seconds, longer than the pause after so few refusals: in them it would have been tried once more
USER, PASSWORD = "install@teur", "p@ss:w/ö rd#1"

Answer = Callable[[bytes], bytes]


def why(source: CameraSource) -> OpenFailure | None:
    """Why it does not open; None where it does."""
    try:
        next(read_packets(source))
    except StreamLost as lost:
        return lost.open_failure
    return None


@pytest.fixture(scope="module")
def guarded() -> Iterator[ForeignCamera]:
    """A camera that asks for an account (Digest)."""
    with foreign_camera(user=USER, password=PASSWORD) as camera:
        yield camera


def login(folder: Path, text: str, mode: int = 0o600) -> Path:
    file = folder / "camera.login"
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    return file


def test_an_account_of_any_characters_opens_a_camera_that_asks_for_one(guarded: ForeignCamera, tmp_path: Path) -> None:
    assert why(guarded.source(login=login(tmp_path, f"{USER}:{PASSWORD}\n"))) is None


@pytest.mark.parametrize(
    ("text", "mode", "told"),
    [
        (f"{USER}:wrong", 0o600, OpenFailure.LOGIN_REFUSED),
        (f"{USER}:{PASSWORD}", 0o640, OpenFailure.LOGIN_UNUSABLE),
        (f"{USER}:{PASSWORD}", 0o604, OpenFailure.LOGIN_UNUSABLE),
        ("no colon", 0o600, OpenFailure.LOGIN_UNUSABLE),
    ],
)
def test_a_wrong_account_is_told_from_a_file_that_cannot_be_used(
    guarded: ForeignCamera, tmp_path: Path, text: str, mode: int, told: OpenFailure
) -> None:
    assert why(guarded.source(login=login(tmp_path, text, mode))) is told


def test_a_camera_that_asks_for_an_account_refuses_whoever_brings_none(guarded: ForeignCamera) -> None:
    assert why(guarded.source()) is OpenFailure.LOGIN_REFUSED


def test_a_stream_that_is_not_there_a_host_that_nobody_knows_and_silence_are_told_apart(
    guarded: ForeignCamera, tmp_path: Path
) -> None:
    account = login(tmp_path, f"{USER}:{PASSWORD}")
    nowhere = guarded.source(login=account).model_copy(update={"url": f"{guarded.url}era"})
    assert why(nowhere) is OpenFailure.NO_SUCH_STREAM
    assert why(CameraSource(name="front", url="rtsp://camera.invalid/cam")) is OpenFailure.UNKNOWN_HOST
    assert why(CameraSource(name="front", url=f"rtsp://127.0.0.1:{free_port()}/cam")) is OpenFailure.NO_ANSWER


async def test_pictures_that_are_not_h264_are_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.video.probe.PROBE_TIMEOUT_S", 60.0)  # on a machine that does much else
    with foreign_camera(codec="h265") as camera:
        looked = await probe_stream(camera.source())

    assert looked.unopened is OpenFailure.NOT_H264
    assert "H.264" in OPEN_FAILURE_TEXTS[OpenFailure.NOT_H264][1].to("en")


async def test_a_look_tells_the_pictures_size_and_how_often_key_pictures_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.video.probe.PROBE_TIMEOUT_S", 60.0)  # on a machine that does much else
    with foreign_camera(size=(640, 360)) as camera:
        looked = await probe_stream(camera.source())

    assert (looked.unopened, looked.lost) == (None, None)
    assert (looked.width, looked.height, looked.key_every) == (640, 360, 1.0)
    assert looked.pictures_a_second == pytest.approx(15.0, abs=0.5)


def test_every_reason_has_words() -> None:
    assert set(OPEN_FAILURE_TEXTS) == set(OpenFailure)


# ---- hostile servers ----------------------------------------------------------------------------------------------


class Hostile:
    """Answers each request as it is told, and hangs up when it is to play; `heard` is what came."""

    def __init__(self, answer: Answer) -> None:
        self.heard: list[bytes] = []
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.heard.append(b"somebody connected")
                threading.Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, client: socket.socket) -> None:
        asked = b""
        with client, contextlib.suppress(OSError):
            while data := client.recv(4096):
                asked += data
                while b"\r\n\r\n" in asked:
                    request, _, asked = asked.partition(b"\r\n\r\n")
                    self.heard.append(request)
                    sequence = next((x for x in request.split(b"\r\n") if x.lower().startswith(b"cseq")), b"CSeq: 1")
                    client.sendall(self._answer(request).replace(b"@CSEQ", sequence))
                    if request.startswith(b"PLAY"):
                        return

    def close(self) -> None:
        self._listener.close()


@contextlib.contextmanager
def hostile(answer: Answer) -> Iterator[Hostile]:
    server = Hostile(answer)
    try:
        yield server
    finally:
        server.close()


def redirecting(to: str, at: bytes) -> Answer:
    def answer(request: bytes) -> bytes:
        if request.startswith(at):
            return b"RTSP/1.0 302 Moved\r\n@CSEQ\r\nLocation: " + to.encode() + b"\r\n\r\n"
        return b"RTSP/1.0 200 OK\r\n@CSEQ\r\nPublic: OPTIONS, DESCRIBE, SETUP, PLAY\r\n\r\n"

    return answer


INTERLEAVED = "200 OK\r\nSession: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1"


def describing(
    control: str = "track1", base: str = "", setup: str = "404 Not Found", coding: str = "H264/90000"
) -> Answer:
    lines = ("v=0", "o=- 0 0 IN IP4 127.0.0.1", "s=x", "t=0 0", "m=video 0 RTP/AVP 96", "c=IN IP4 127.0.0.1",
             f"a=rtpmap:96 {coding}", f"a=control:{control}", "")  # fmt: skip
    body = "\r\n".join(lines).encode()
    where = f"Content-Base: {base}\r\n" if base else ""
    head = f"RTSP/1.0 200 OK\r\n@CSEQ\r\nContent-Type: application/sdp\r\n{where}Content-Length: {len(body)}\r\n\r\n"

    def answer(request: bytes) -> bytes:
        if request.startswith(b"DESCRIBE"):
            return head.encode() + body
        if request.startswith(b"SETUP"):
            return f"RTSP/1.0 {setup}\r\n@CSEQ\r\n\r\n".encode()
        return b"RTSP/1.0 200 OK\r\n@CSEQ\r\nPublic: OPTIONS, DESCRIBE, SETUP, PLAY\r\n\r\n"

    return answer


@pytest.mark.parametrize("at", [b"OPTIONS", b"DESCRIBE"])
@pytest.mark.parametrize(
    "to", ["http://127.0.0.1:{port}/", "rtsp://127.0.0.1:{port}/cam", "rtsps://127.0.0.1:{port}/cam",
           "tcp://127.0.0.1:{port}", "file://{file}", "{file}", "unix://{file}", "concat:{file}"],
)  # fmt: skip
def test_a_camera_that_sends_us_elsewhere_is_followed_nowhere(tmp_path: Path, to: str, at: bytes) -> None:
    read_by_nobody = tmp_path / "pipe"
    os.mkfifo(read_by_nobody)  # whoever opened it for reading would let the writer in
    account = login(tmp_path, f"{USER}:{PASSWORD}")
    with hostile(lambda _request: b"HTTP/1.1 200 OK\r\n\r\n") as other:
        answer = redirecting(to.format(port=other.port, file=read_by_nobody), at)
        with hostile(answer) as camera:
            source = CameraSource(name="front", url=f"rtsp://127.0.0.1:{camera.port}/cam", login=account)
            told = why(source)

    assert other.heard == []
    assert told is (OpenFailure.NOT_UNDERSTOOD if to.startswith("tcp:") else OpenFailure.SENT_ELSEWHERE)
    with pytest.raises(OSError, match="No such device or address"):
        os.open(read_by_nobody, os.O_WRONLY | os.O_NONBLOCK)


@pytest.mark.parametrize(
    ("control", "base"),
    [("http://127.0.0.1:{port}/", ""), ("rtsp://127.0.0.1:{port}/", ""), ("file:///etc/passwd", ""),
     ("track1", "http://127.0.0.1:{port}/")],
)  # fmt: skip
def test_a_description_that_names_another_place_is_asked_of_the_camera_only(control: str, base: str) -> None:
    with hostile(lambda _request: b"HTTP/1.1 200 OK\r\n\r\n") as other:
        answer = describing(control.format(port=other.port), base.format(port=other.port))
        with hostile(answer) as camera:
            assert why(CameraSource(name="front", url=f"rtsp://127.0.0.1:{camera.port}/cam")) is not None
            assert any(request.startswith(b"SETUP") for request in camera.heard), "it went as far as that"

    assert other.heard == []


def test_an_account_that_is_refused_is_not_tried_until_the_camera_locks_it_and_is_tried_at_once_when_it_changes(
    guarded: ForeignCamera, tmp_path: Path
) -> None:
    account, wire = login(tmp_path, f"{USER}:wrong"), TcpRelay(guarded.make.port)
    source = guarded.source(login=account, url=f"rtsp://127.0.0.1:{wire.port}/cam")
    try:
        with video_process(tmp_path) as process, VideoSession(process.socket) as talk:
            talk.say(ConfigureCameras(cameras=(source,), folder=str(process.films)))
            talk.say(WatchCameras(cameras=("front",), on=True))
            talk.proof("front", lambda proof: proof.unopened is OpenFailure.LOGIN_REFUSED)
            _until(lambda: wire.seen.count(b"OPTIONS ") >= MAX_LOGIN_REFUSALS)
            end = time.monotonic() + PAUSE_S
            while time.monotonic() < end:
                assert wire.seen.count(b"OPTIONS ") == MAX_LOGIN_REFUSALS
                time.sleep(0.05)
            tried = wire.seen.count(b"OPTIONS ")
            login(tmp_path, f"{USER}:{PASSWORD}")
            talk.proof("front", lambda proof: proof.live and proof.unopened is None)
    finally:
        wire.close()

    assert tried == MAX_LOGIN_REFUSALS


def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + TIMEOUT_S
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("setup", "told"),
    [
        ("401 Unauthorized", OpenFailure.LOGIN_REFUSED),
        ("403 Forbidden", OpenFailure.LOGIN_REFUSED),
        ("404 Not Found", OpenFailure.NO_SUCH_STREAM),
        ("453 Not Enough Bandwidth", OpenFailure.TURNED_AWAY),
        ("461 Unsupported Transport", OpenFailure.NO_TCP),
        ("503 Service Unavailable", OpenFailure.TURNED_AWAY),
    ],
)
def test_a_camera_s_no_is_understood(setup: str, told: OpenFailure) -> None:
    with hostile(describing(setup=setup)) as camera:
        assert why(CameraSource(name="front", url=f"rtsp://127.0.0.1:{camera.port}/cam")) is told


@pytest.mark.parametrize("coding", ["JPEG/90000", "H265/90000", "VP8/90000", "NOBODY-KNOWS/90000", "/", "H264/0"])
def test_a_description_of_whatever_pictures_is_refused_or_read_and_never_ends_the_process(coding: str) -> None:
    with hostile(describing(setup=INTERLEAVED, coding=coding)) as camera:
        told = why(CameraSource(name="front", url=f"rtsp://127.0.0.1:{camera.port}/cam"))
    assert told in {None, OpenFailure.NOT_H264, OpenFailure.NO_PICTURES, OpenFailure.NOT_UNDERSTOOD}
    assert any(request.startswith(b"DESCRIBE") for request in camera.heard)
