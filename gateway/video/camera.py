"""One camera in the video process: a thread that reads its stream, keeps the ring, films and analyses pictures.

Only this thread opens, reads, decodes and muxes. The methods that other threads call take the lock. The thread holds
the lock while it handles a packet, and never while it waits for the network.
"""

import logging
import math
import random
import threading
import time
from typing import Final, NamedTuple

from av.packet import Packet
from av.video.stream import VideoStream

from gateway.system.backoff import Backoff, shortened
from gateway.system.containment import Containment
from gateway.system.i18n import SOURCE
from gateway.video.broadcast import Broadcast, LiveSink
from gateway.video.credentials import file_version
from gateway.video.frame_analysis import FrameAnalyser, thumbnail
from gateway.video.ipc import BarcodeRead, CameraSource, ClipKey, OpenFailure, PrivatePeriod, StreamFault
from gateway.video.liveness import NO_FAULTS, Liveness
from gateway.video.open_errors import OPEN_FAILURE_TEXTS
from gateway.video.recording import CameraContext, Recording, RecordingResult
from gateway.video.ring import EncodedPicture, PreRollBuffer
from gateway.video.stream import StreamLost, read_packets

log = logging.getLogger(__name__)

RECONNECT_BACKOFF: Final = Backoff(0.25, 5.0)
# While a film runs, because each second without a stream is a gap.
MAX_FILMING_RECONNECT_DELAY_S: Final = 1.0
# Refused logins in a row before the long delay: cameras lock an account after many refused logins
MAX_LOGIN_REFUSALS: Final = 3
LOGIN_RETRY_DELAY_S: Final = 300.0  # seconds, or until the file of the account changes
# Seconds after which a stream counts as stable and the delays start again: bad Wi-Fi disconnects often
STABLE_STREAM_S: Final = 1.0
STUCK_TIMEOUT_S: Final = 2.0  # seconds without rising timestamps before the camera is reconnected
LABEL_REPEAT_INTERVAL_S: Final = 2.0  # seconds before the same barcode is reported again
MAX_PICTURE_AGE_S: Final = 2.0
PERIOD_CHECK_INTERVAL_S: Final = 1.0  # seconds after which a camera that waits looks again at its private periods
STATUS_LOCK_TIMEOUT_S: Final = 0.02  # seconds that `take_status` waits for the lock


class CameraStatus(NamedTuple):
    """What a camera proves at one instant: a plain tuple, because it is made and compared for each packet.

    The fields are those of `ipc.CameraProof`.
    """

    live: bool
    moving: bool
    recordings: tuple[ClipKey, ...]
    faults: tuple[StreamFault, ...]
    unopened: OpenFailure | None


class CameraReader:
    """One camera. It is connected only while it is watched, filmed or viewed.

    Any thread may call the methods. After `stop` the camera cannot be used again.
    """

    def __init__(self, source: CameraSource, context: CameraContext) -> None:
        self.source = source
        self._context = context
        self._containment = Containment()
        self._lock = threading.RLock()  # taken without Python code, as a Condition's own is not
        self._changed = threading.Condition(self._lock)
        self._ring = PreRollBuffer(context.pre_roll_s)
        self._recordings: dict[ClipKey, Recording] = {}
        self._broadcast: Broadcast | None = None
        self._watched_until = -math.inf
        self._reads_labels = False
        self._stopping = False
        self.is_private = False
        """Whether the camera may not run, because guests stay in the home."""
        self.private_periods: tuple[PrivatePeriod, ...] = ()
        """When it may not run (`keep_private`)."""
        self._liveness: Liveness | None = None
        self._analyser: FrameAnalyser | None = None
        self._open_failure: OpenFailure | None = None  # why the last attempt to connect failed
        self._login_refusals = 0  # refused logins in a row
        self._outage: tuple[StreamFault, float] | None = None  # why there is no stream, and since when (monotonic)
        self._past_outage: tuple[StreamFault, float, float] | None = None
        self._faults: dict[StreamFault, float] = {}  # present faults of the stream, and since when (monotonic)
        self._last_dts = 0
        self._time_base = 0.0  # seconds
        self._taken: CameraStatus | None = None  # by `take_status`
        self._reported_at: dict[str, float] = {}
        self._thread = threading.Thread(target=self._run, name=f"camera {source.name}", daemon=True)
        self._thread.start()

    def watch(self, *, on: bool, labels: bool = False, linger_s: float = 0.0) -> None:
        """Keep the pre-roll, or stop keeping it after `linger_s` seconds. `labels`: read barcodes too."""
        with self._lock:
            self._watched_until = math.inf if on else min(self._watched_until, time.monotonic() + linger_s)
            self._reads_labels = on and labels
            self._changed.notify_all()

    def record(self, clip: ClipKey, folder: str) -> None:
        """Film this clip, beginning with the pre-roll. If the clip already runs, announce it again."""
        with self._lock:
            if clip in self._recordings:
                self._recordings[clip].announce_again()
                return
            now = time.monotonic()
            missing = self._outage[0] if self._outage else StreamFault.UNREACHABLE
            recording = Recording(
                camera=self.source.name, clip=clip, folder=folder, context=self._context, now=now, initial_fault=missing
            )
            if self._past_outage is not None and self._past_outage[2] > now - self._context.pre_roll_s:
                fault, since, until = self._past_outage
                recording.declare_pre_roll_gap(fault, max(since, now - self._context.pre_roll_s), until)
            self._recordings[clip] = recording
            self._changed.notify_all()

    def finish(self, clip: ClipKey) -> RecordingResult | None:
        """End this clip and return what was filmed; None if the clip did not run."""
        with self._lock:
            recording = self._recordings.pop(clip, None)
            if recording is None:
                return None
            self._declare_faults(recording, time.monotonic())
            recording.close_film(None)
            return recording.result()

    def keep_private(self, periods: tuple[PrivatePeriod, ...]) -> None:
        """Take no picture in these periods of this camera, from their first instant on, by the machine's clock.

        Its films stay open until `set_private`, because a living gateway ends them itself.
        """
        with self._lock:
            self.private_periods = periods
            self._changed.notify_all()

    def set_private(self, *, on: bool) -> None:
        """Stop the camera, its films and its live view, or let it run again; a film then has the gap declared."""
        with self._lock:
            self.is_private = on
            if on:
                now = time.monotonic()
                self._end_broadcast()
                self._end_films(StreamFault.STAY_BEGAN, now)
                self._outage = (StreamFault.STAY_BEGAN, now)
            self._changed.notify_all()

    def start_broadcast(self, sink: LiveSink) -> None:
        """Send the live view to `sink` until `stop_broadcast`, and connect the camera for it.

        This neither films nor keeps a pre-roll: unless the camera is watched or filmed too, only the newest group of
        pictures stays in memory. Viewers begin with that group, and so does a film that starts meanwhile.
        """
        with self._lock:
            self._end_broadcast()
            self._broadcast = Broadcast(self.source.name, sink)
            self._changed.notify_all()

    def stop_broadcast(self, sink: LiveSink) -> None:
        """End the broadcast to `sink`; do nothing if a later broadcast replaced it."""
        with self._lock:
            if self._broadcast is not None and self._broadcast.sink == sink:
                self._end_broadcast()

    def stop(self) -> None:
        """End the thread for good; close running films as interrupted."""
        with self._lock:
            self._stopping = True
            self._end_broadcast()
            self._end_films(StreamFault.INTERRUPTED, time.monotonic())
            self._recordings.clear()
            self._changed.notify_all()

    @property
    def is_wanted(self) -> bool:
        """Whether the camera is watched or filmed. Only then it reports proofs."""
        return self._is_wanted_at(time.monotonic())

    def _is_wanted_at(self, now: float) -> bool:
        return bool(self._recordings) or now < self._watched_until

    def _should_connect(self, now: float) -> bool:
        return not self._is_off and (self._is_wanted_at(now) or self._broadcast is not None)

    @property
    def _is_off(self) -> bool:
        if self.is_private or not self.private_periods:
            return self.is_private
        utc = self._context.utc_now()
        return any(period.start <= utc < period.end for period in self.private_periods)

    def take_status(self, now: float) -> tuple[CameraStatus, float] | None:
        """Return the status at monotonic `now` and until when it holds; None while a slow disk holds the lock.

        If the status differs earlier, because of a packet, a picture or a disk, the camera's thread calls `on_change`.
        """
        if not self._lock.acquire(timeout=STATUS_LOCK_TIMEOUT_S):
            return None
        try:
            self._taken = CameraStatus(*self._claims(now))
            ends = [recording.on_disk_until for recording in self._recordings.values()]
            ends.append(self._watched_until)
            if self._liveness is not None:
                ends.append(self._liveness.holds_until(now))
            return self._taken, min((end for end in ends if end >= now), default=math.inf)
        finally:
            self._lock.release()

    def _claims(
        self, now: float
    ) -> tuple[bool, bool, tuple[ClipKey, ...], tuple[StreamFault, ...], OpenFailure | None]:
        """Return what `CameraStatus` has, in its order, without the cost of making one for each packet."""
        evidence, faults, is_live, is_moving = self._liveness, NO_FAULTS, False, False
        running: tuple[ClipKey, ...] = ()
        if evidence is not None:
            faults, is_live, is_moving = evidence.claims(now)
        elif self._outage is not None:
            faults = dict((self._outage,))
        for clip, recording in self._recordings.items():
            if recording.disk_failed:
                faults = {**faults, StreamFault.DISK: now}
            if now <= recording.on_disk_until:
                running = (*running, clip)
        return is_live, is_moving, running, tuple(sorted(faults)) if faults else (), self._open_failure

    def _notify_change(self, now: float, *, is_wanted: bool) -> None:
        """Call `on_change` if the status differs and is wanted. The caller holds the lock."""
        if is_wanted and not self._stopping and self._claims(now) != self._taken:
            self._context.on_change()

    def picture(self) -> bytes | None:
        """Return the newest decoded picture as JPEG; None if the camera is not live."""
        now = time.monotonic()
        with self._lock:
            newest = self._analyser.newest if self._analyser else None
            if newest is None or self._liveness is None or not self._liveness.is_live(now):
                return None
        return thumbnail(newest[0]) if now - newest[1] <= MAX_PICTURE_AGE_S else None

    def _run(self) -> None:
        dice, pause = random.SystemRandom(), RECONNECT_BACKOFF.first_s
        while self._wait_until_wanted():
            began = time.monotonic()
            fault: StreamFault | None = StreamFault.UNDECODABLE
            # A failure of this camera must not end the others.
            with self._containment.piece("camera", self.source.name):
                fault = self._stream()
            now = time.monotonic()
            with self._lock:
                self._disconnected(fault, now)
                self._notify_change(now, is_wanted=self._is_wanted_at(now))
                if fault is None:
                    continue
                was_stable = fault is not StreamFault.UNREACHABLE and now - began > STABLE_STREAM_S
                pause = RECONNECT_BACKOFF.first_s if was_stable else RECONNECT_BACKOFF.next_s(pause)
                if self._recordings or self.source.urgent:  # a film runs, or is about to
                    pause = min(pause, MAX_FILMING_RECONNECT_DELAY_S)
                self._wait_before_retry(shortened(pause, dice.random()))

    def _wait_before_retry(self, delay_s: float) -> None:
        """Wait before the next attempt. If a film starts, end the delay that failed attempts for a viewer made long.

        After `MAX_LOGIN_REFUSALS` refused logins, wait until the file of the account changes or
        `LOGIN_RETRY_DELAY_S` have passed.
        """
        viewed = not self.is_wanted
        self._changed.wait_for(lambda: self._stopping or (viewed and self.is_wanted), delay_s)
        if self._login_refusals >= MAX_LOGIN_REFUSALS:
            tried, until = file_version(self.source.login), time.monotonic() + LOGIN_RETRY_DELAY_S
            while not self._stopping and time.monotonic() < until and file_version(self.source.login) == tried:
                self._changed.wait(1.0)

    def _record_open_failure(self, failure: OpenFailure | None) -> None:
        """Store why the camera does not open, and log each new reason once."""
        self._login_refusals = self._login_refusals + 1 if failure is OpenFailure.LOGIN_REFUSED else 0
        if failure is not None and failure is not self._open_failure:
            text, todo = OPEN_FAILURE_TEXTS[failure]
            log.warning("%s: %s. %s", self.source.name, text.to(SOURCE), todo.to(SOURCE))
        self._open_failure = failure

    def _wait_until_wanted(self) -> bool:
        with self._lock:
            while not self._changed.wait_for(
                lambda: self._stopping or self._should_connect(time.monotonic()), PERIOD_CHECK_INTERVAL_S
            ):
                pass  # a private period has no other end than the time
            return not self._stopping

    def _stream(self) -> StreamFault | None:
        """Read the stream; return why it was lost, or None if the camera is no longer needed."""
        try:
            for stream, packet in read_packets(self.source):
                now = time.monotonic()
                with self._lock:
                    is_wanted = self._is_wanted_at(now)
                    if self._stopping or self._is_off or not (is_wanted or self._broadcast is not None):
                        return None
                    if packet is None:
                        self._connected(stream, now)
                        self._notify_change(now, is_wanted=is_wanted)
                        continue
                    self._handle_packet(stream, packet, now, is_wanted=is_wanted)
                self._analyse_packet(packet, now)
                with self._lock:
                    self._notify_change(now, is_wanted=is_wanted)
                if self._faults and now - self._faults.get(StreamFault.STUCK_TIMESTAMPS, now) > STUCK_TIMEOUT_S:
                    return StreamFault.STUCK_TIMESTAMPS
        except StreamLost as lost:
            with self._lock:
                self._record_open_failure(lost.open_failure)
            return lost.fault
        return None

    def _connected(self, stream: VideoStream, now: float) -> None:
        full = self.source.sees_courier or self._reads_labels
        self._liveness = Liveness(clock_region=self.source.clock_region, decodes_every_picture=full, now=now)
        self._analyser = FrameAnalyser(stream, self._liveness)
        self._last_dts, self._time_base = 0, float(stream.time_base or 0)
        self._faults = {}
        self._record_open_failure(None)

    def _handle_packet(
        self, stream: VideoStream, packet: "Packet[VideoStream]", now: float, *, is_wanted: bool
    ) -> None:
        """Pass on one packet. The first one may have no times: they are 0."""
        evidence = self._liveness
        assert evidence is not None  # noqa: S101 - set by _connected, in this thread
        dts, pts = packet.dts, packet.pts
        if dts is None:
            dts = self._last_dts if pts is None else pts
            if pts is not None and stream.codec_context.has_b_frames:
                dts = self._last_dts + 1  # the display time does not give the decode time: take the next one
        if pts is None:
            pts = dts
        self._last_dts = dts
        if self._faults or now > evidence.faultless_until:
            self._update_faults(evidence, now)
        evidence.add_packet(now, dts * self._time_base)
        if self._faults or now > evidence.faultless_until:
            self._update_faults(evidence, now)
        sample = EncodedPicture(bytes(packet), pts, dts, packet.is_keyframe, now)
        self._ring.pre_roll_s = self._context.pre_roll_s if is_wanted else 0.0
        self._ring.add(sample)
        if self._outage is not None:
            # Without a watch there was no pre-roll that could have a gap
            self._past_outage = (*self._outage, now) if is_wanted else None
            self._outage = None
        for recording in self._recordings.values():
            recording.write_picture(sample, self._ring, stream)
        if self._broadcast is not None:
            self._broadcast.send_picture(sample, self._ring, stream)

    def _analyse_packet(self, packet: "Packet[VideoStream]", now: float) -> None:
        assert self._analyser is not None  # noqa: S101 - set by _connected, in this thread
        labels = self._reads_labels
        full, closely = labels or self.source.sees_courier, bool(self._recordings)
        for code, symbology in self._analyser.analyse(
            packet, now, every_picture=full, check_every_picture=closely, read_barcodes=labels
        ):
            if now - self._reported_at.get(code, -math.inf) >= LABEL_REPEAT_INTERVAL_S:
                self._reported_at = {
                    label: at for label, at in self._reported_at.items() if now - at < LABEL_REPEAT_INTERVAL_S
                } | {code: now}
                self._context.publish(BarcodeRead(camera=self.source.name, code=code, symbology=symbology))

    def _update_faults(self, evidence: Liveness, now: float) -> None:
        """Update the present faults; declare each fault that has ended as a gap in the running films."""
        current = evidence.faults(now)
        for fault, since in self._faults.items():
            if fault not in current:
                for recording in self._recordings.values():
                    recording.declare_gap(fault, since, now)
        self._faults = {fault: self._faults.get(fault, since) for fault, since in current.items()}

    def _declare_faults(self, recording: Recording, now: float) -> None:
        """Declare the present faults as gaps up to now, but not a stall: the film ends with its last picture."""
        for fault, since in self._faults.items():
            if fault is not StreamFault.STALL:
                recording.declare_gap(fault, since, now)

    def _end_films(self, why: StreamFault, now: float) -> None:
        for recording in self._recordings.values():
            self._declare_faults(recording, now)
            recording.close_film(why)

    def _end_broadcast(self) -> None:
        broadcast, self._broadcast = self._broadcast, None
        if broadcast is not None:
            broadcast.end()

    def _disconnected(self, fault: StreamFault | None, now: float) -> None:
        if fault is not None:
            since = self._liveness.last_packet_at if self._liveness else now
            self._end_films(fault, now)
            self._outage = (fault, self._outage[1] if self._outage else since)
        if self._broadcast is not None:
            self._broadcast.end()
        self._liveness = self._analyser = None
        self._faults = {}
        self._ring.clear()
