"""One camera in the video process: a thread that reads its stream, keeps the ring, films, and looks at the pictures.

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

from gateway.system.containment import Containment
from gateway.system.i18n import SOURCE
from gateway.video.broadcast import Broadcast, Show
from gateway.video.credentials import changed_at
from gateway.video.frame_analysis import Eye, thumbnail
from gateway.video.ipc import CameraSource, ClipKey, Fault, Label, Proof, Unopened
from gateway.video.liveness import Liveness
from gateway.video.open_errors import SAID
from gateway.video.recording import Recorded, Recording, Surroundings
from gateway.video.ring import Ring, Sample
from gateway.video.stream import StreamLost, read

log = logging.getLogger(__name__)

FIRST_PAUSE: Final = 0.25  # seconds before the first try to reconnect; doubled each time
LONGEST_PAUSE: Final = 5.0
FILMING_PAUSE: Final = 1.0  # seconds: the same while it films, for each second then is a hole
WARY: Final = 3  # refusals of an account after which it is tried seldom: cameras lock accounts that are tried often
WARY_PAUSE: Final = 300.0  # seconds, or until its file changes
STEADY: Final = 1.0  # seconds after which a stream counts as good and the pauses begin anew: bad Wi-Fi cuts often
STUCK_LIMIT: Final = 2.0  # seconds of timestamps that do not rise after which the connection is given up
TOLD_AGAIN: Final = 2.0  # seconds after which the same label is told again
PICTURE_AGE: Final = 2.0  # seconds
PATIENCE: Final = 0.02  # seconds for which a proof waits for the camera's thread


def next_pause(pause: float, *, shown: bool, urgent: bool) -> float:
    """Seconds before the next try, after one that came `pause` seconds after the one before; `shown`: it went well."""
    longer = FIRST_PAUSE if shown else min(2 * pause, LONGEST_PAUSE)
    return min(longer, FILMING_PAUSE) if urgent else longer


class Camera:
    """One camera, connected only while it is watched, filmed or viewed. Methods may be called from any thread.

    `stop` ends it for good.
    """

    def __init__(self, source: CameraSource, around: Surroundings) -> None:
        self.source = source
        self._around = around
        self._contained = Containment()
        self._lock = threading.Condition()
        self._ring = Ring(around.pre_roll)
        self._recordings: dict[ClipKey, Recording] = {}
        self._broadcast: Broadcast | None = None
        self._watched_until = -math.inf
        self._reads_labels = False
        self._stopping = False
        self._evidence: Liveness | None = None
        self._eye: Eye | None = None
        self._unopened: Unopened | None = None  # why it did not open the last time
        self._refused = 0  # times in a row that its account was refused
        self._outage: tuple[Fault, float] | None = None  # why there is no stream, and since when
        self._past_outage: tuple[Fault, float, float] | None = None
        self._faults: dict[Fault, float] = {}  # those of the stream that go on, and since when
        self._last_dts = 0
        self._told: dict[str, float] = {}
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
            missing = self._outage[0] if self._outage else Fault.UNREACHABLE
            recording = Recording(
                camera=self.source.name, clip=clip, folder=folder, around=self._around, now=now, missing=missing
            )
            if self._past_outage is not None and self._past_outage[2] > now - self._around.pre_roll:
                fault, since, until = self._past_outage
                recording.early(fault, max(since, now - self._around.pre_roll), until)
            self._recordings[clip] = recording
            self._lock.notify_all()

    def finish(self, clip: ClipKey) -> Recorded | None:
        """End this clip and say what was filmed; None where it did not run."""
        with self._lock:
            recording = self._recordings.pop(clip, None)
            if recording is None:
                return None
            self._declare(recording, time.monotonic())
            recording.end(None)
            return recording.recorded()

    def show(self, show: Show) -> None:
        """Broadcast to `show` until `hide`, connected for that if need be.

        No film comes of it and no pre-roll: while nobody else wants the camera, only the newest group is held, which
        viewers begin with (and so does a film that is asked for meanwhile).
        """
        with self._lock:
            self._end_broadcast()
            self._broadcast = Broadcast(self.source.name, show)
            self._lock.notify_all()

    def hide(self, show: Show) -> None:
        """End the broadcast to `show`, unless another one took its place."""
        with self._lock:
            if self._broadcast is not None and self._broadcast.show == show:
                self._end_broadcast()

    def stop(self) -> None:
        """End for good; films that run are closed as interrupted."""
        with self._lock:
            self._stopping = True
            self._end_broadcast()
            self._end_films(Fault.INTERRUPTED, time.monotonic())
            self._recordings.clear()
            self._lock.notify_all()

    @property
    def wanted(self) -> bool:
        """Whether it is watched or filmed: only then it proves anything to the gateway."""
        return bool(self._recordings) or time.monotonic() < self._watched_until

    @property
    def _connects(self) -> bool:
        return self.wanted or self._broadcast is not None

    def proof(self, now: float) -> Proof | None:
        """What its pictures prove at monotonic `now`; None while a slow disk holds it up: then nothing is claimed."""
        if not self._lock.acquire(timeout=PATIENCE):
            return None
        try:
            evidence, faults = self._evidence, set[Fault]()
            if evidence is not None:
                faults |= evidence.faults(now).keys()
            elif self._outage is not None:
                faults.add(self._outage[0])
            if any(recording.disk_failed for recording in self._recordings.values()):
                faults.add(Fault.DISK)
            running = tuple(clip for clip, recording in self._recordings.items() if recording.on_disk(now))
        finally:
            self._lock.release()
        return Proof(
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
            newest = self._eye.newest if self._eye else None
            if newest is None or self._evidence is None or not self._evidence.live(now):
                return None
        return thumbnail(newest[0]) if now - newest[1] <= PICTURE_AGE else None

    def _run(self) -> None:
        dice, pause = random.SystemRandom(), FIRST_PAUSE
        while self._wait_until_wanted():
            began = time.monotonic()
            fault: Fault | None = Fault.UNDECODABLE
            with self._contained.piece("camera", self.source.name):  # a camera ends no other
                fault = self._stream()
            now = time.monotonic()
            with self._lock:
                self._disconnected(fault, now)
                if fault is None:
                    continue
                shown = fault is not Fault.UNREACHABLE and now - began > STEADY
                pause = next_pause(pause, shown=shown, urgent=bool(self._recordings) or self.source.urgent)
                self._rest(dice.uniform(pause / 2, pause))

    def _rest(self, pause: float) -> None:
        """Wait before the next try; a film does not wait for the pause that a viewer's vain tries made long.

        An account that was refused again and again is tried when its file has changed, or after a long while.
        """
        viewed = not self.wanted
        self._lock.wait_for(lambda: self._stopping or (viewed and self.wanted), pause)
        if self._refused >= WARY:
            tried, until = changed_at(self.source.login), time.monotonic() + WARY_PAUSE
            while not self._stopping and time.monotonic() < until and changed_at(self.source.login) == tried:
                self._lock.wait(1.0)

    def _opens_not(self, why: Unopened | None) -> None:
        """Remember why, and say it once."""
        self._refused = self._refused + 1 if why is Unopened.LOGIN_REFUSED else 0
        if why is not None and why is not self._unopened:
            said, todo = SAID[why]
            log.warning("%s: %s. %s", self.source.name, said.to(SOURCE), todo.to(SOURCE))
        self._unopened = why

    def _wait_until_wanted(self) -> bool:
        with self._lock:
            self._lock.wait_for(lambda: self._stopping or self._connects)
            return not self._stopping

    def _stream(self) -> Fault | None:
        """Read the stream; returns why it was lost, None when it is not wanted any more."""
        try:
            for stream, packet in read(self.source):
                now = time.monotonic()
                if self._stopping or not self._connects:
                    return None
                if packet is None:
                    self._connected(stream, now)
                    continue
                with self._lock:
                    self._take(stream, packet, now)
                self._look(packet, now)
                if now - self._faults.get(Fault.STUCK_TIMESTAMPS, now) > STUCK_LIMIT:
                    return Fault.STUCK_TIMESTAMPS
        except StreamLost as lost:
            with self._lock:
                self._opens_not(lost.unopened)
            return lost.fault
        return None

    def _connected(self, stream: VideoStream, now: float) -> None:
        with self._lock:
            full = self.source.sees_courier or self._reads_labels
            self._evidence = Liveness(clock_region=self.source.clock_region, full=full, now=now)
            self._eye = Eye(stream, self._evidence)
            self._last_dts = 0
            self._faults = {}
            self._opens_not(None)

    def _take(self, stream: VideoStream, packet: "Packet[VideoStream]", now: float) -> None:
        """Count, keep and film one packet. The first one's times are None: they are 0."""
        assert self._evidence is not None  # noqa: S101  set by _connected, in this thread
        dts = next((time for time in (packet.dts, packet.pts) if time is not None), self._last_dts)
        pts = dts if packet.pts is None else packet.pts
        if packet.dts is None and packet.pts is not None and stream.codec_context.has_b_frames:
            dts = self._last_dts + 1  # when it is shown says nothing of when it is decoded: after the one before
        self._last_dts = dts
        self._notice(now)
        self._evidence.packet(now, float(dts * (stream.time_base or 0)))
        self._notice(now)
        sample = Sample(bytes(packet), pts, dts, packet.is_keyframe, now)
        wanted = self.wanted
        self._ring.pre_roll = self._around.pre_roll if wanted else 0.0
        self._ring.add(sample)
        if self._outage is not None:
            self._past_outage = (*self._outage, now) if wanted else None  # else no pre-roll was promised
            self._outage = None
        for recording in self._recordings.values():
            recording.take(sample, self._ring, stream)
        if self._broadcast is not None:
            self._broadcast.take(sample, self._ring, stream)

    def _look(self, packet: "Packet[VideoStream]", now: float) -> None:
        assert self._eye is not None  # noqa: S101  set by _connected, in this thread
        labels = self._reads_labels
        full, closely = labels or self.source.sees_courier, bool(self._recordings)
        for code, symbology in self._eye.see(packet, now, full=full, closely=closely, labels=labels):
            if now - self._told.get(code, -math.inf) >= TOLD_AGAIN:
                self._told = {told: at for told, at in self._told.items() if now - at < TOLD_AGAIN} | {code: now}
                self._around.tell(Label(camera=self.source.name, code=code, symbology=symbology))

    def _notice(self, now: float) -> None:
        """Keep the book of the stream's faults; one that has passed is a hole in the films that run."""
        if self._evidence is None:
            return
        current = self._evidence.faults(now)
        for fault, since in self._faults.items():
            if fault not in current:
                for recording in self._recordings.values():
                    recording.hole(fault, since, now)
        self._faults = {fault: self._faults.get(fault, since) for fault, since in current.items()}

    def _declare(self, recording: Recording, now: float) -> None:
        """The faults that go on are holes up to now. A stall needs no line: the film ends with its last picture."""
        for fault, since in self._faults.items():
            if fault is not Fault.STALL:
                recording.hole(fault, since, now)

    def _end_films(self, why: Fault, now: float) -> None:
        for recording in self._recordings.values():
            self._declare(recording, now)
            recording.end(why)

    def _end_broadcast(self) -> None:
        broadcast, self._broadcast = self._broadcast, None
        if broadcast is not None:
            broadcast.lost()

    def _disconnected(self, fault: Fault | None, now: float) -> None:
        if fault is not None:
            since = self._evidence.last_packet if self._evidence else now
            self._end_films(fault, now)
            self._outage = (fault, self._outage[1] if self._outage else since)
        if self._broadcast is not None:
            self._broadcast.lost()
        self._evidence = self._eye = None
        self._faults = {}
        self._ring.clear()
