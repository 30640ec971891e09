"""What the hub's own tests share, and on which of its databases each is run: the same code and the same tests."""

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.hub.config import HubFile
from tests.hubs import RunningHub, copied, run_hub, use_databases
from tests.joins import JoiningBox, with_boxes
from tests.postgresql import PostgreSQL, postgresql

ON_BOTH_DATABASES = (
    "api", "boxes/test_box_events.py", "boxes/test_dispatcher.py", "boxes/test_home_limits.py",
    "boxes/test_stale_subscriptions.py", "cluster/test_shard_leases.py", "consent/test_page.py",
    "database/test_tables.py", "database/test_transaction.py", "http/test_authentication.py",
    "operation", "sandbox/test_robot.py", "test_at_least_once.py", "test_metrics.py", "webhooks/test_sender.py",
)  # fmt: skip
"""Folders and modules beside this file: what they ask of a hub, they ask of it on each database."""

ON_SQLITE_ONLY = ("api/test_openapi.py",)
"""Takes minutes, and asks of the database what the others ask of both."""

_HERE = Path(__file__).parent
_numbers = itertools.count(1)
_emptied: list[str] = []


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what opens a store once on SQLite and once on PostgreSQL, which the inner loop leaves out."""

    def among(some: tuple[str, ...]) -> bool:
        return any(metafunc.definition.path.is_relative_to(_HERE / one) for one in some)

    if "tmp_path" in metafunc.fixturenames and among(ON_BOTH_DATABASES) and not among(ON_SQLITE_ONLY):
        both = ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)]
        metafunc.parametrize("on_database", both, indirect=True)


@pytest.fixture(scope="session")
def server() -> Iterator[PostgreSQL]:
    """One for all tests of a worker, with a database whose tables are copied for each of them."""
    with postgresql() as running:
        yield running


@pytest.fixture(autouse=True)  # pytest 9.2 sets up no fixture that is only appended to `metafunc.fixturenames`
def on_database(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have the hubs of a test keep in one of the two: one folder, one database."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield
        return
    server: PostgreSQL = request.getfixturevalue("server")
    made: dict[Path, str] = {}

    def new_database() -> str:
        name = f"t{next(_numbers)}"
        server.database(name, like="perron")
        return name

    def url(folder: Path) -> str:
        if folder not in made:
            made[folder] = _emptied.pop() if _emptied else new_database()
            copied(server.url(made[folder]))
        return server.url(made[folder])

    with use_databases(url):
        yield
    for name in made.values():
        if request.path.is_relative_to(_HERE / "database"):  # whose tests change the tables themselves
            server.drop(name)
        else:
            server.empty(name)
            _emptied.append(name)


@pytest.fixture
def file(tmp_path: Path) -> HubFile:
    """A hub that boxes can join."""
    return with_boxes(tmp_path)


@pytest.fixture
async def hub(file: HubFile) -> AsyncIterator[RunningHub]:
    """The same, running."""
    async with run_hub(file) as hub:
        yield hub


@pytest.fixture
def box(tmp_path: Path) -> JoiningBox:
    """One that has joined nothing."""
    return JoiningBox.new(tmp_path / "box")
