from collections.abc import Iterator

import pytest

from tests.filmset.cameras import CameraSet, camera_set


@pytest.fixture(scope="session")
def on_air() -> Iterator[CameraSet]:
    with camera_set() as cameras:
        yield cameras


@pytest.fixture
def cameras(on_air: CameraSet) -> Iterator[CameraSet]:
    on_air.calm()
    yield on_air
    on_air.calm()
