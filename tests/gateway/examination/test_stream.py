"""What an examination says of a camera's stream."""

from pathlib import Path

import pytest

from gateway.broker import free_port
from gateway.equipment import CameraDevice
from gateway.examination.finding import Verdict
from gateway.examination.stream import sight, stream_of, told
from gateway.video.look import Looked
from gateway.video.words import Fault, Unopened
from tests.gateway.examination.english import read

VERDICTS = {True: Verdict.GOOD, None: Verdict.DOUBTFUL, False: Verdict.BAD}


@pytest.mark.parametrize(
    ("looked", "good", "said"),
    [
        (Looked(width=1280, height=720, pictures_a_second=15.0, key_every=1.0), True, "1280x720, 15 pictures a second"),
        (Looked(width=640, height=360, pictures_a_second=15.0, key_every=4.0), None, "4 s between key pictures"),
        (Looked(width=640, height=360, pictures_a_second=15.0), None, "more than 2 s between key pictures"),
        (Looked(width=640, height=360, lost=Fault.STALL), False, "opened and was lost (stall)"),
        (Looked(width=640, height=360), False, "nothing came"),
        (Looked(unopened=Unopened.LOGIN_REFUSED), False, "refuses the user or the password"),
        (Looked(unopened=Unopened.NOT_H264), False, "not H.264"),
        (Looked(unopened=Unopened.UNKNOWN_HOST), False, "nobody knows a host of this name"),
    ],
)
def test_what_was_seen_is_said_with_what_to_do(looked: Looked, good: bool | None, said: str) -> None:
    seen = read(told(stream_of("front"), looked, "10.0.0.9:554"))
    assert seen.verdict is VERDICTS[good]
    assert seen.said.startswith("10.0.0.9:554: ")
    assert said in seen.said
    assert bool(seen.todo) is (good is not True)


def test_a_certificate_that_is_not_trusted_is_shown_as_it_is_given() -> None:
    seen = read(told(stream_of("front"), Looked(unopened=Unopened.CERTIFICATE, shown="ab12" * 16), "10.0.0.9:322"))
    assert ":".join(["AB", "12"] * 16) in seen.todo


@pytest.mark.parametrize(("text", "mode", "said"), [("a:b", 0o644, "chmod 600"), ("ab", 0o600, "one line")])
async def test_a_file_that_cannot_be_used_is_named_and_not_repeated(
    tmp_path: Path, text: str, mode: int, said: str
) -> None:
    file = tmp_path / "front.login"
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    url = f"rtsp://127.0.0.1:{free_port()}/cam"
    seen = read(await sight("front", CameraDevice(kind="camera", vendor="rtsp", url=url, credentials_file=file)))
    assert seen.verdict is Verdict.BAD
    assert str(file) in seen.said
    assert said in seen.said
