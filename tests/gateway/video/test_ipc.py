import pytest
from pydantic import ValidationError

from gateway.video.ipc import (
    FROM_VIDEO_ADAPTER,
    TO_VIDEO_ADAPTER,
    CameraProof,
    CameraSource,
    ClipKey,
    RecordClip,
    StreamFault,
)

KEY = ClipKey(visit="0b6f-1", part=1)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "exec:/bin/sh",
        "http://169.254.169.254/",
        "concat:a|b",
        "rtsp://",
        "rtsp://host/a b",
        "rtsp://host\n",
    ],
)
def test_a_cameras_address_is_rtsp_and_nothing_else(url: str) -> None:
    with pytest.raises(ValidationError):
        CameraSource(name="front", url=url)


@pytest.mark.parametrize(
    "folder", ["", "/etc", "..", "a/../b", "a//b", "a/", ".hidden", "a\0b", "a\n", "films/\u202etxt"]
)
def test_a_films_folder_stays_under_the_configured_one(folder: str) -> None:
    with pytest.raises(ValidationError):
        RecordClip(clip=KEY, cameras=("front",), folder=folder)


@pytest.mark.parametrize("name", ["", "..", "a/b", ".a", "a b", "a" * 129, "é"])
def test_names_that_become_file_names_are_plain(name: str) -> None:
    with pytest.raises(ValidationError):
        ClipKey(visit=name, part=1)
    with pytest.raises(ValidationError):
        CameraSource(name=name, url="rtsp://127.0.0.1/a")


def test_every_line_comes_back_as_it_went() -> None:
    record = RecordClip(clip=KEY, cameras=("front",), folder="visits/0b6f-1")
    proof = CameraProof(camera="front", at=1.5, live=True, moving=False, recordings=(KEY,), faults=(StreamFault.DISK,))

    assert TO_VIDEO_ADAPTER.validate_json(record.model_dump_json()) == record
    assert FROM_VIDEO_ADAPTER.validate_json(proof.model_dump_json()) == proof
