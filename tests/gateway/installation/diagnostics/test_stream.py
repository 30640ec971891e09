"""What an examination says of a camera's stream."""

from pathlib import Path

import pytest

from gateway.config.devices import CameraDevice
from gateway.installation.diagnostics.finding import FindingVerdict
from gateway.installation.diagnostics.stream import (
    ACCOUNT_PAUSE_S,
    REFUSALS_BEFORE_PAUSE,
    CameraLockouts,
    judge_stream,
    stream_finding,
    stream_subject,
)
from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.video.ipc import OpenFailure, StreamFault
from gateway.video.probe import ProbeResult
from tests.foreign import foreign_camera
from tests.gateway.installation.diagnostics.english import read_finding

VERDICTS = {True: FindingVerdict.GOOD, None: FindingVerdict.DOUBTFUL, False: FindingVerdict.BAD}


@pytest.mark.parametrize(
    ("looked", "good", "said"),
    [
        (
            ProbeResult(width=1280, height=720, pictures_a_second=15.0, key_every=1.0),
            True,
            "1280x720, 15 pictures a second",
        ),
        (ProbeResult(width=640, height=360, pictures_a_second=15.0, key_every=4.0), None, "4 s between key pictures"),
        (ProbeResult(width=640, height=360, pictures_a_second=15.0), None, "more than 2 s between key pictures"),
        (ProbeResult(width=640, height=360, lost=StreamFault.STALL), False, "opened and was lost (stall)"),
        (ProbeResult(width=640, height=360), False, "nothing came"),
        (ProbeResult(unopened=OpenFailure.LOGIN_REFUSED), False, "refuses the user or the password"),
        (ProbeResult(unopened=OpenFailure.NOT_H264), False, "not H.264"),
        (ProbeResult(unopened=OpenFailure.UNKNOWN_HOST), False, "nobody knows a host of this name"),
    ],
)
def test_what_was_seen_is_said_with_what_to_do(looked: ProbeResult, good: bool | None, said: str) -> None:
    seen = read_finding(judge_stream(stream_subject("front"), looked, "10.0.0.9:554"))
    assert seen.verdict is VERDICTS[good]
    assert seen.said.startswith("10.0.0.9:554: ")
    assert said in seen.said
    assert bool(seen.todo) is (good is not True)


def test_a_certificate_that_is_not_trusted_is_shown_as_it_is_given() -> None:
    seen = read_finding(
        judge_stream(
            stream_subject("front"), ProbeResult(unopened=OpenFailure.CERTIFICATE, shown="ab12" * 16), "10.0.0.9:322"
        )
    )
    assert ":".join(["AB", "12"] * 16) in seen.todo


@pytest.mark.parametrize(("text", "mode", "said"), [("a:b", 0o644, "chmod 600"), ("ab", 0o600, "one line")])
async def test_a_file_that_cannot_be_used_is_named_and_not_repeated(
    tmp_path: Path, text: str, mode: int, said: str
) -> None:
    file = tmp_path / "front.login"
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    url = f"rtsp://127.0.0.1:{free_port()}/cam"
    seen = read_finding(
        await stream_finding("front", CameraDevice(kind="camera", vendor="rtsp", url=url, credentials_file=file))
    )
    assert seen.verdict is FindingVerdict.BAD
    assert str(file) in seen.said
    assert said in seen.said


@pytest.mark.slow
async def test_a_camera_that_refuses_its_account_is_left_alone_until_the_account_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.video.probe.PROBE_TIMEOUT_S", 60.0)  # on a machine that does much else
    file = tmp_path / "front.login"
    file.write_text("admin:wrong\n", encoding="utf-8")
    file.chmod(0o600)
    wariness = CameraLockouts()
    with foreign_camera(user="admin", password="right") as foreign:  # noqa: S106 - of a camera for one test
        camera = CameraDevice(kind="camera", vendor="rtsp", url=foreign.url, credentials_file=file)
        for _ in range(REFUSALS_BEFORE_PAUSE):
            assert "refuses the user" in read_finding(await stream_finding("front", camera, wariness)).said
        left = read_finding(await stream_finding("front", camera, wariness))
        assert (left.verdict, "left alone for 10 min" in left.said) == (FindingVerdict.BAD, True)
        file.write_text("admin:right\n", encoding="utf-8")
        assert read_finding(await stream_finding("front", camera, wariness)).verdict is not FindingVerdict.BAD


def test_refusals_long_ago_and_another_camera_s_do_not_count() -> None:
    camera, wariness = CameraDevice(kind="camera", vendor="rtsp", url="rtsp://h/s"), CameraLockouts()
    refused = ProbeResult(unopened=OpenFailure.LOGIN_REFUSED)
    for n in range(REFUSALS_BEFORE_PAUSE):
        assert not wariness.is_paused("front", camera, now=float(n))
        wariness.record("front", camera, refused, now=float(n))
    assert wariness.is_paused("front", camera, now=5.0)
    assert not wariness.is_paused("hall", camera, now=5.0)
    assert not wariness.is_paused("front", camera, now=ACCOUNT_PAUSE_S)
    wariness.record("front", camera, ProbeResult(width=1, height=1), now=6.0)
    assert not wariness.is_paused("front", camera, now=6.0)
