from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.browser import share_browser
from tests.filmset.cameras import CameraSet, camera_set
from tests.shell.box import ShellBox, box_in_window


@pytest.fixture(scope="session")
def on_air() -> Iterator[CameraSet]:
    with camera_set() as cameras:
        yield cameras


@pytest.fixture
def cameras(on_air: CameraSet) -> Iterator[CameraSet]:
    on_air.calm()
    yield on_air
    on_air.calm()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_browser() -> AsyncIterator[None]:
    """One browser for all tests of a worker that are marked so (`tests.browser.IN_SHARED_BROWSER`)."""
    async with share_browser():
        yield


@pytest.fixture
async def ready(tmp_path: Path) -> AsyncIterator[ShellBox]:
    """A good day in the middle of a window; everything runs."""
    async with box_in_window(tmp_path) as made:
        yield made
