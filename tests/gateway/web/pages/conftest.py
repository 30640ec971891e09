"""The pages of the house that most tests of one page use."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.shell.box import ShellBox, box, run_box
from tests.shell.house import make_home
from tests.shell.site import ServedSite, serve_site


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[ServedSite]:
    made: ShellBox
    async with box(tmp_path, make_home(tmp_path)) as made, run_box(made), serve_site(made) as site:
        yield site
