"""One camera in the video process: a thread that reads its stream, keeps the ring, films and analyses pictures.

The thread alone opens, reads, decodes and muxes. What others ask (watch, record, finish, show, a proof, a picture)
takes the lock, which the thread holds only while it handles a packet, never while it waits for the network.
"""

import logging
import math
import random
import threading
import time
from typing import Final

from av.packet import Packet
from av.video.stream import VideoStream

from gateway.system.backoff import Backoff, shortened
from gateway.system.containment import Containment
from gateway.system.i18n import SOURCE
from gateway.video.broadcast import Broadcast, LiveSink
from gateway.video.credentials import file_version
from gateway.video.frame_analysis import FrameAnalyser, thumbnail
from gateway.video.ipc import BarcodeRead, CameraProof, CameraSource, ClipKey, OpenFailure, StreamFault
from gateway.video.liveness import Liveness
from gateway.video.open_errors import OPEN_FAILURE_TEXTS
from gateway.video.recording import CameraContext, Recording, RecordingResult
from gateway.video.ring import EncodedPicture, PreRollBuffer
from gateway.video.stream import StreamLost, read_packets

log = logging.getLogger(__name__)

RECONNECT_BACKOFF: Final = Backoff(0.25, 5.0)
MAX_FILMING_RECONNECT_DELAY_S: Final = 1.0  # seconds: the same while it films, for each second then is a hole
MAX_LOGIN_REFUSALS: Final = (
    3  # refusals of an account after which it is tried seldom: cameras lock accounts that are tried often
)
LOGIN_RETRY_DELAY_S: Final = 300.0  # seconds, or until its file changes
STABLE_STREAM_S: Final = (
    1.0  # seconds after which a stream counts as good and the pauses begin anew: bad Wi-Fi cuts often
)
STUCK_TIMEOUT_S: Final = 2.0  # seconds of timestamps that do not rise after which the connection is given up
LABEL_REPEAT_INTERVAL_S: Final = 2.0  # seconds after which the same label is told again
MAX_PICTURE_AGE_S: Final = 2.0  # seconds
PROOF_LOCK_TIMEOUT_S: Final = 0.02  # seconds for which a proof waits for the camera's thread


def next_delay_s(pause: float, *, shown: bool, urgent: bool) -> float:
    """Seconds before the next try, after one that came `pause` seconds after the one before; `shown`: it went well."""
    longer = RECONNECT_BACKOFF.first_s if shown else RECONNECT_BACKOFF.next_s(pause)
    return min(longer, MAX_FILMING_RECONNECT_DELAY_S) if urgent else longer


class CameraReader:
    """One camera, connected only while it is watched, filmed or viewed. Methods may be called from any thread.

    `stop` ends it for good.
    """

    def __init__(self, source: CameraSource, around: CameraContext) -> None:
        self.source = source
        self._context = around
        self._containment = Containment()
        self._lock = threading.Condition()
        self._ring = PreRollBuffer(around.pre_roll)
        self._recordings: dict[ClipKey, Recording] = {}
        self._broadcast: Broadcast | None = None
        self._watched_until = -math.inf
        self._reads_labels = False
        self._stopping = False
        self._evidence: Liveness | None = None
        self._analyser: FrameAnalyser | None = None
        self._unopened: OpenFailure | None = None  # why it did not open the last time
        self._login_refusals = 0  # times in a row that its account was refused
        self._outage: tuple[StreamFault, float] | None = None  # why there is no stream, and since when
        self._past_outage: tuple[StreamFault, float, float] | None = None
        self._faults: dict[StreamFault, float] = {}  # those of the stream that go on, and since when
        self._last_dts = 0
        self._reported_at: dict[str, float] = {}
        self._thread = threading.Thread(target=self._run, name=f"camera {source.name}", daemon=True)
        self._thread.start()

    def watch(self, *, on: bool, labels: bool = False, linger: float = 0.0) -> None:
        """Run the ring, or end it in `linger` seconds; `labels`: read barcodes too."""
        with self._lock:
            self._watched_until = math.inf if on else min(self._watched_until, time.monotonic() + linger)
            self._reads_labels = on and labels
            self._lock.notify_all()

    def record(self, clip: ClipKey, folder: str) -> None:
        """Film this clip from the next picture on, pre-roll first. A clip that runs is announced again."""
        with self._lock:
            if clip in self._recordings:
                self._recordings[clip].say_again()
                return
            now = time.monotonic()
            missing = self._outage[0] if self._outage else StreamFault.UNREACHABLE
            recording = Recording(
                camera=self.source.name, clip=clip, folder=folder, around=self._context, now=now, missing=missing
            )
            if self._past_outage is not None and self._past_outage[2] > now - self._context.pre_roll:
                fault, since, until = self._past_outage
                recording.early(fault, max(since, now - self._context.pre_roll), until)
            self._recordings[clip] = recording
            self._lock.notify_all()

    def finish(self, clip: ClipKey) -> RecordingResult | None:
        """End this clip and say what was filmed; None where it did not run."""
        with self._lock:
            recording = self._recordings.pop(clip, None)
            if recording is None:
                return None
            self._declare_faults(recording, time.monotonic())
            recording.end(None)
            return recording.recorded()

    def show(self, show: LiveSink) -> None:
        """Broadcast to `show` until `hide`, connected for that if need be.

        No film comes of it and no pre-roll: while nobody else wants the camera, only the newest group is held, which
        viewers begin with (and so does a film that is asked for meanwhile).
        """
        with self._lock:
            self._end_broadcast()
            self._broadcast = Broadcast(self.source.name, show)
            self._lock.notify_all()

    def hide(self, show: LiveSink) -> None:
        """End the broadcast to `show`, unless another one took its place."""
        with self._lock:
            if self._broadcast is not None and self._broadcast.show == show:
                self._end_broadcast()

    def stop(self) -> None:
        """End for good; films that run are closed as interrupted."""
        with self._lock:
            self._stopping = True
            self._end_broadcast()
            self._end_films(StreamFault.INTERRUPTED, time.monotonic())
            self._recordings.clear()
            self._lock.notify_all()

    @property
    def wanted(self) -> bool:
        """Whether it is watched or filmed: only then it proves anything to the gateway."""
        return bool(self._recordings) or time.monotonic() < self._watched_until

    @property
    def _should_connect(self) -> bool:
        return self.wanted or self._broadcast is not None

    def proof(self, now: float) -> CameraProof | None:
        """What its pictures prove at monotonic `now`; None while a slow disk holds it up: then nothing is claimed."""
        if not self._lock.acquire(timeout=PROOF_LOCK_TIMEOUT_S):
            return None
        try:
            evidence, faults = self._evidence, set[StreamFault]()
            if evidence is not None:
                faults |= evidence.faults(now).keys()
            elif self._outage is not None:
                faults.add(self._outage[0])
            if any(recording.disk_failed for recording in self._recordings.values()):
                faults.add(StreamFault.DISK)
            running = tuple(clip for clip, recording in self._recordings.items() if recording.on_disk(now))
        finally:
            self._lock.release()
        return CameraProof(
            camera=self.source.name,
            at=now,
            live=evidence is not None and evidence.live(now),
            moving=evidence is not None and evidence.moving(now),
            recording=running[-1] if running else None,
            recordings=running,
            faults=tuple(sorted(faults)),
            unopened=self._unopened,
        )

    def picture(self) -> bytes | None:
        """A JPEG of the newest decoded picture; None where that is not live."""
        now = time.monotonic()
        with self._lock:
            newest = self._analyser.newest if self._analyser else None
            if newest is None or self._evidence is None or not self._evidence.live(now):
                return None
        return thumbnail(newest[0]) if now - newest[1] <= MAX_PICTURE_AGE_S else None

    def _run(self) -> None:
        dice, pause = random.SystemRandom(), RECONNECT_BACKOFF.first_s
        while self._wait_until_wanted():
            began = time.monotonic()
            fault: StreamFault | None = StreamFault.UNDECODABLE
            with self._containment.piece("camera", self.source.name):  # a camera ends no other
                fault = self._stream()
            now = time.monotonic()
            with self._lock:
                self._disconnected(fault, now)
                if fault is None:
                    continue
                shown = fault is not StreamFault.UNREACHABLE and now - began > STABLE_STREAM_S
                pause = next_delay_s(pause, shown=shown, urgent=bool(self._recordings) or self.source.urgent)
                self._wait_before_retry(shortened(pause, dice.random()))

    def _wait_before_retry(self, pause: float) -> None:
        """Wait before the next try; a film does not wait for the pause that a viewer's vain tries made long.

        An account that was refused again and again is tried when its file has changed, or after a long while.
        """
        viewed = not self.wanted
        self._lock.wait_for(lambda: self._stopping or (viewed and self.wanted), pause)
        if self._login_refusals >= MAX_LOGIN_REFUSALS:
            tried, until = file_version(self.source.login), time.monotonic() + LOGIN_RETRY_DELAY_S
            while not self._stopping and time.monotonic() < until and file_version(self.source.login) == tried:
                self._lock.wait(1.0)

    def _record_open_failure(self, why: OpenFailure | None) -> None:
        """Remember why, and say it once."""
        self._login_refusals = self._login_refusals + 1 if why is OpenFailure.LOGIN_REFUSED else 0
        if why is not None and why is not self._unopened:
            said, todo = OPEN_FAILURE_TEXTS[why]
            log.warning("%s: %s. %s", self.source.name, said.to(SOURCE), todo.to(SOURCE))
        self._unopened = why

    def _wait_until_wanted(self) -> bool:
        with self._lock:
            self._lock.wait_for(lambda: self._stopping or self._should_connect)
            return not self._stopping

    def _stream(self) -> StreamFault | None:
        """Read the stream; returns why it was lost, None when it is not wanted any more."""
        try:
            for stream, packet in read_packets(self.source):
                now = time.monotonic()
                if self._stopping or not self._should_connect:
                    return None
                if packet is None:
                    self._connected(stream, now)
                    continue
                with self._lock:
                    self._handle_packet(stream, packet, now)
                self._analyse(packet, now)
                if now - self._faults.get(StreamFault.STUCK_TIMESTAMPS, now) > STUCK_TIMEOUT_S:
                    return StreamFault.STUCK_TIMESTAMPS
        except StreamLost as lost:
            with self._lock:
                self._record_open_failure(lost.unopened)
            return lost.fault
        return None

    def _connected(self, stream: VideoStream, now: float) -> None:
        with self._lock:
            full = self.source.sees_courier or self._reads_labels
            self._evidence = Liveness(clock_region=self.source.clock_region, full=full, now=now)
            self._analyser = FrameAnalyser(stream, self._evidence)
            self._last_dts = 0
            self._faults = {}
            self._record_open_failure(None)

    def _handle_packet(self, stream: VideoStream, packet: "Packet[VideoStream]", now: float) -> None:
        """Count, keep and film one packet. The first one's times are None: they are 0."""
        assert self._evidence is not None  # noqa: S101  set by _connected, in this thread
        dts = next((time for time in (packet.dts, packet.pts) if time is not None), self._last_dts)
        pts = dts if packet.pts is None else packet.pts
        if packet.dts is None and packet.pts is not None and stream.codec_context.has_b_frames:
            dts = self._last_dts + 1  # when it is shown says nothing of when it is decoded: after the one before
        self._last_dts = dts
        self._update_faults(now)
        self._evidence.packet(now, float(dts * (stream.time_base or 0)))
        self._update_faults(now)
        sample = EncodedPicture(bytes(packet), pts, dts, packet.is_keyframe, now)
        wanted = self.wanted
        self._ring.pre_roll = self._context.pre_roll if wanted else 0.0
        self._ring.add(sample)
        if self._outage is not None:
            self._past_outage = (*self._outage, now) if wanted else None  # else no pre-roll was promised
            self._outage = None
        for recording in self._recordings.values():
            recording.take(sample, self._ring, stream)
        if self._broadcast is not None:
            self._broadcast.take(sample, self._ring, stream)

    def _analyse(self, packet: "Packet[VideoStream]", now: float) -> None:
        assert self._analyser is not None  # noqa: S101  set by _connected, in this thread
        labels = self._reads_labels
        full, closely = labels or self.source.sees_courier, bool(self._recordings)
        for code, symbology in self._analyser.see(packet, now, full=full, closely=closely, labels=labels):
            if now - self._reported_at.get(code, -math.inf) >= LABEL_REPEAT_INTERVAL_S:
                self._reported_at = {
                    told: at for told, at in self._reported_at.items() if now - at < LABEL_REPEAT_INTERVAL_S
                } | {code: now}
                self._context.tell(BarcodeRead(camera=self.source.name, code=code, symbology=symbology))

    def _update_faults(self, now: float) -> None:
        """Keep the book of the stream's faults; one that has passed is a hole in the films that run."""
        if self._evidence is None:
            return
        current = self._evidence.faults(now)
        for fault, since in self._faults.items():
            if fault not in current:
                for recording in self._recordings.values():
                    recording.hole(fault, since, now)
        self._faults = {fault: self._faults.get(fault, since) for fault, since in current.items()}

    def _declare_faults(self, recording: Recording, now: float) -> None:
        """The faults that go on are holes up to now. A stall needs no line: the film ends with its last picture."""
        for fault, since in self._faults.items():
            if fault is not StreamFault.STALL:
                recording.hole(fault, since, now)

    def _end_films(self, why: StreamFault, now: float) -> None:
        for recording in self._recordings.values():
            self._declare_faults(recording, now)
            recording.end(why)

    def _end_broadcast(self) -> None:
        broadcast, self._broadcast = self._broadcast, None
        if broadcast is not None:
            broadcast.lost()

    def _disconnected(self, fault: StreamFault | None, now: float) -> None:
        if fault is not None:
            since = self._evidence.last_packet if self._evidence else now
            self._end_films(fault, now)
            self._outage = (fault, self._outage[1] if self._outage else since)
        if self._broadcast is not None:
            self._broadcast.lost()
        self._evidence = self._analyser = None
        self._faults = {}
        self._ring.clear()
