"""The RTSP side of simulated cameras: RTSP/1.0 (RFC 2326) with H.264 in RTP (RFC 6184) interleaved on the same TCP.

ffmpeg, ffprobe, PyAV and GStreamer open it. UDP is answered with 461, after which clients fall back to TCP.
"""

import asyncio
import base64
import random
import struct
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from devices.simulators.camera import RTP_CLOCK_HZ, AccessUnit, SimulatedCamera

MAX_RTP_PAYLOAD_BYTES: Final = 1400  # bytes in one RTP packet: below the usual MTU
MAX_UNSENT_BYTES: Final = 4_000_000  # unsent bytes after which a slow client skips to the next key picture
SENDER_REPORT_INTERVAL: Final = timedelta(seconds=4)
NTP_EPOCH: Final = datetime(1900, 1, 1, tzinfo=UTC)
FU_A: Final = 28  # a NAL unit in fragments
MAX_REQUEST_BYTES: Final = 65_536


class RtspServer:
    """Serves each camera at rtsp://host:port/<name>. A camera that is switched off gets 404."""

    def __init__(self, cameras: Mapping[str, SimulatedCamera]) -> None:
        self._cameras = cameras
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen; return the port (a free one for 0)."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self._cameras, self._connections, loop), host, port)
        address = self._server.sockets[0].getsockname()
        return int(address[1])

    async def stop(self) -> None:
        """Close the port and all connections. The cameras stay as they are."""
        if self._server is None:
            return
        self._server.close()
        for connection in tuple(self._connections):
            connection.cut()
        await self._server.wait_closed()
        self._server = None


class _Connection(asyncio.Protocol):
    """One client: receives requests, sends responses and RTP."""

    def __init__(
        self, cameras: Mapping[str, SimulatedCamera], connections: set["_Connection"], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._cameras, self._connections, self._loop = cameras, connections, loop
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._camera: SimulatedCamera | None = None
        self._session = f"{random.randrange(1 << 32):08x}"
        self._source = random.randrange(1 << 32)
        self._sequence = random.randrange(1 << 16)
        self._started = False
        self._reported = NTP_EPOCH
        self._packets = self._octets = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  a TCP server's transport is one
        self._transport = transport
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio gives it
        """Forget the connection."""
        self._connections.discard(self)
        self._transport = None
        if self._camera is not None:
            self._camera.leave(self._hear)

    def cut(self) -> None:
        """Reset the connection: what is unsent is lost."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Answer requests; skip the client's interleaved RTCP."""
        self._received += data
        if len(self._received) > MAX_REQUEST_BYTES:
            self.cut()
            return
        while self._received:
            if self._received[0] == ord("$"):
                end = 4 + int.from_bytes(self._received[2:4], "big")
                if len(self._received) < max(4, end):
                    return
                self._received = self._received[end:]
                continue
            head, mark, rest = self._received.partition(b"\r\n\r\n")
            if not mark:
                return
            request, *lines = head.decode("latin-1").split("\r\n")
            headers = {name.strip().lower(): text.strip() for name, _, text in (li.partition(":") for li in lines)}
            length = headers.get("content-length", "0")
            body = int(length) if length.isdecimal() else 0
            if len(rest) < body:
                return
            self._received = rest[body:]
            self._answer(request, headers)

    def _answer(self, request: str, headers: Mapping[str, str]) -> None:
        method, _, rest = request.partition(" ")
        url = rest.partition(" ")[0].rstrip("/")
        path = url.split("/", 3)[-1].split("/")[0] if "://" in url else ""
        camera = self._cameras.get(path)
        session = f"Session: {self._session};timeout=60"
        if method == "OPTIONS":
            self._respond(headers, "Public: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN")
        elif method == "TEARDOWN":
            self._respond(headers, session)
            if self._transport is not None:
                self._transport.close()
        elif method == "GET_PARAMETER":
            self._respond(headers, session)
        elif camera is None or not camera.running:
            self._respond(headers, status="404 Not Found")
        elif method == "DESCRIBE":
            self._respond(headers, "Content-Type: application/sdp", f"Content-Base: {url}/", body=_describe(camera))
        elif method == "SETUP" and "TCP" not in headers.get("transport", ""):
            self._respond(headers, status="461 Unsupported Transport")
        elif method == "SETUP":
            self._respond(headers, "Transport: RTP/AVP/TCP;unicast;interleaved=0-1", session)
        elif method == "PLAY":
            info = f"RTP-Info: url={url}/trackID=0;seq={self._sequence + 1 & 0xFFFF}"
            self._respond(headers, session, "Range: npt=0.000-", info)
            self._camera = camera
            camera.listen(self._hear)
        else:
            self._respond(headers, status="405 Method Not Allowed")

    def _respond(self, headers: Mapping[str, str], *lines: str, status: str = "200 OK", body: str = "") -> None:
        head = [f"RTSP/1.0 {status}", f"CSeq: {headers.get('cseq', '0')}", *lines]
        if body:
            head.append(f"Content-Length: {len(body)}")
        if self._transport is not None:
            self._transport.write(("\r\n".join(head) + "\r\n\r\n" + body).encode("latin-1"))

    def _hear(self, unit: AccessUnit | None) -> None:
        """Handle an access unit in the camera's thread. A loop that has just closed drops it."""
        if self._loop.is_closed():
            return
        if unit is None:
            self._loop.call_soon_threadsafe(self.cut)
        else:
            self._loop.call_soon_threadsafe(self._send, unit)

    def _send(self, unit: AccessUnit) -> None:
        if self._transport is None:
            return
        if self._transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            self._started = False
        if not (self._started or unit.key):
            return
        self._started = True
        out: list[bytes] = []
        if unit.at - self._reported > SENDER_REPORT_INTERVAL:
            self._reported = unit.at
            out.append(self._report(unit))
        for place, nal in enumerate(unit.nals):
            last = place == len(unit.nals) - 1
            if len(nal) <= MAX_RTP_PAYLOAD_BYTES:
                out.append(self._rtp(unit, nal, marker=last))
                continue
            for begin in range(1, len(nal), MAX_RTP_PAYLOAD_BYTES - 2):
                piece = nal[begin : begin + MAX_RTP_PAYLOAD_BYTES - 2]
                ends = begin + len(piece) == len(nal)
                kind = nal[0] & 31 | (0x80 if begin == 1 else 0) | (0x40 if ends else 0)
                out.append(self._rtp(unit, bytes((nal[0] & 0xE0 | FU_A, kind)) + piece, marker=last and ends))
        self._transport.writelines(out)

    def _rtp(self, unit: AccessUnit, payload: bytes, *, marker: bool) -> bytes:
        self._sequence = self._sequence + 1 & 0xFFFF
        self._packets += 1
        self._octets += len(payload)
        kind = 96 | (0x80 if marker else 0)
        head = struct.pack(
            ">cBHBBHII", b"$", 0, 12 + len(payload), 0x80, kind, self._sequence, unit.rtp_time, self._source
        )
        return head + payload

    def _report(self, unit: AccessUnit) -> bytes:
        """Return an RTCP sender report: which wall clock time the RTP time stands for."""
        ntp = int((unit.at - NTP_EPOCH).total_seconds() * (1 << 32))
        counts = (self._packets & 0xFFFFFFFF, self._octets & 0xFFFFFFFF)
        report = struct.pack(">BBHIQIII", 0x80, 200, 6, self._source, ntp, unit.rtp_time, *counts)
        return b"$\x01" + struct.pack(">H", len(report)) + report


def _describe(camera: SimulatedCamera) -> str:
    sets = ",".join(base64.b64encode(nal).decode() for nal in (camera.sps, camera.pps))
    lines = (
        "v=0",
        "o=- 0 0 IN IP4 127.0.0.1",
        f"s={camera.name}",
        "c=IN IP4 0.0.0.0",
        "t=0 0",
        "a=control:*",
        "m=video 0 RTP/AVP 96",
        f"a=rtpmap:96 H264/{RTP_CLOCK_HZ}",
        f"a=framerate:{camera.fps}",
        f"a=fmtp:96 packetization-mode=1;profile-level-id={camera.sps[1:4].hex()};sprop-parameter-sets={sets}",
        "a=control:trackID=0",
        "",
    )
    return "\r\n".join(lines)
