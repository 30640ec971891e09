"""Exceptions of every kind out of one camera's stream: that camera is at fault, and its thread goes on."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.system.backoff import Backoff
from gateway.video import camera as module
from gateway.video.camera import CameraReader, CameraStatus
from gateway.video.ipc import CameraSource, StreamFault
from gateway.video.recording import CameraContext
from gateway.video.stream import StreamLost
from tests.raising import ARBITRARY_EXCEPTIONS


def soon(so: Callable[[], bool]) -> None:
    """Wait until it is so; a thread rings no bell."""
    until = time.monotonic() + 20
    while not so():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_whatever_a_stream_raises_its_camera_is_at_fault_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised, bugs = itertools.count(), list[object]()
    tries = 0

    def poisoned(_source: CameraSource) -> Iterator[Any]:
        nonlocal tries
        tries = next(raised) + 1
        if tries <= len(ARBITRARY_EXCEPTIONS):
            kind = ARBITRARY_EXCEPTIONS[tries - 1]
            raise kind()
        if tries:
            raise StreamLost(StreamFault.UNREACHABLE)
        yield None  # a generator, as the real one is

    monkeypatch.setattr(module, "read_packets", poisoned)
    monkeypatch.setattr(module, "RECONNECT_BACKOFF", Backoff(0.01, 0.02))
    monkeypatch.setattr(threading, "excepthook", bugs.append)
    around = CameraContext(
        root=tmp_path, pre_roll_s=1.0, film_sync_s=0.25, utc_now=lambda: datetime.now(UTC), publish=lambda _words: None,
        on_change=lambda: None, crash_point=lambda _point: None,
    )  # fmt: skip
    camera = CameraReader(CameraSource(name="front", url="rtsp://127.0.0.1:1/live"), around)

    def proof() -> CameraStatus:
        found = camera.take_status(time.monotonic())
        assert found is not None
        return found[0]

    camera.watch(on=True)
    try:
        soon(lambda: bool(proof().faults))
        assert proof().faults == (StreamFault.UNDECODABLE,)
        assert not proof().live
        soon(lambda: tries > len(ARBITRARY_EXCEPTIONS))
        soon(lambda: proof().faults == (StreamFault.UNREACHABLE,))
    finally:
        camera.stop()
    assert bugs == []
