"""One process, gateway after gateway: which house files it takes, which it refuses, and that it never stands still."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway import app as module
from gateway.app import App, Supervision
from gateway.cli.failure import ExitCode, Failure
from gateway.cli.reloading import request_reload
from gateway.config.home import Home
from gateway.config.loader import load_home_file
from gateway.protocol.keys import BoxKey
from gateway.runtime.maintenance import reload
from gateway.storage.store import Store
from gateway.supervisor import Supervisor
from gateway.system.config_section import ConfigError
from tests.gateway.domain.delivery.house import make_step
from tests.gateway.domain.delivery.shop import NOW
from tests.gateway.test_app import Broker, Video, World
from tests.shell.house import entrance_in_visit, make_home
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("_recorders")


@pytest.fixture
def _recorders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MqttClient", Broker)
    monkeypatch.setattr(module, "VideoClient", Video)
    monkeypatch.setattr("os.umask", lambda _mask: 0o022)
    World.made.clear()


class Box:
    """A house file, the process that lives by it, and the houses of its gateways so far."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.houses: list[Home] = []
        self.apps: list[App] = []
        self.begins: Callable[[Home], None] = lambda _home: None

    def make(self, house: Home, supervision: Supervision) -> App:
        self.begins(house)
        self.houses.append(house)
        self.apps.append(App(house, supervision, free_bytes=lambda: 2**40))
        return self.apps[-1]

    @property
    def folder(self) -> Path:
        return self.file.parent / "box"

    @property
    def report(self) -> reload.ReloadReport | None:
        last = reload.read_report(self.folder)
        return None if last is None else last[0]

    def write(self, **changes: Any) -> None:  # noqa: ANN401 - any key of a house
        document = json.loads(self.file.read_text(encoding="utf-8"))
        self.file.write_text(json.dumps(document | changes), encoding="utf-8")

    async def hup(self) -> reload.ReloadReport:
        """What comes of a SIGHUP."""
        before = self.report
        os.kill(os.getpid(), signal.SIGHUP)
        await wait_until(lambda: self.report is not None and (before is None or self.report.id != before.id))
        assert self.report is not None
        return self.report


@asynccontextmanager
async def living(folder: Path) -> AsyncIterator[Box]:
    """A process that lives by a house file until SIGTERM."""
    box = Box(folder / "home.yaml")
    box.file.write_text(json.dumps(make_home(box.folder).model_dump(mode="json")), encoding="utf-8")
    work = asyncio.create_task(Supervisor(load_home_file(box.file), box.file, make_app=box.make).run())
    await wait_until(lambda: work.done() or any(app.started.is_set() for app in box.apps))
    await asyncio.sleep(0)  # the tasks that it has created begin
    try:
        yield box
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(20):
            await work


async def test_a_right_house_file_is_applied_at_once_where_nothing_happens_at_the_doors(tmp_path: Path) -> None:
    async with living(tmp_path) as box:
        box.write(name="Another house")
        report = await box.hup()
        assert report.said == "applied"
        assert [one.name for one in box.houses] == ["Home", "Another house"]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"naem": "x"}, "Did you mean `name`?"),
    ({"box": "another"}, "a box keeps its name"),
    ({"storage": {"folder": "elsewhere"}}, "the running box keeps its store"),
    ({"messages": {"file": "nowhere.txt"}}, "nowhere.txt"),
    ({"broker": {"password_file": "nowhere.password"}}, "nowhere.password, which the house file names, is not there"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("change", "told"), WRONG, ids=[next(iter(change)) for change, _ in WRONG])
async def test_a_house_file_that_cannot_be_used_is_refused_in_words_and_nothing_ends(
    tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    async with living(tmp_path) as box:
        box.write(**change)
        report = await box.hup()
        assert (report.said, told in "\n".join(report.problems)) == ("refused", True), report
        assert len(box.houses) == 1


@pytest.mark.parametrize("what", ["home.yaml", "a.password", "phones.txt", "pages.pem"])
async def test_a_pipe_in_a_file_s_place_stalls_no_reload_and_ends_nothing(tmp_path: Path, what: str) -> None:
    async with living(tmp_path) as box:
        if what == "a.password":
            box.write(broker={"password_file": what})
        elif what == "phones.txt":
            box.write(messages={"file": what})
        elif what == "pages.pem":
            box.write(pages={"certificate": what, "key": what})
        (tmp_path / what).unlink(missing_ok=True)
        os.mkfifo(tmp_path / what)
        async with asyncio.timeout(10):  # whoever waits for somebody to write there waits for ever
            report = await box.hup()
        assert report.said == "refused"
        assert f"{what}" in "\n".join(report.problems)
        assert len(box.houses) == 1


async def test_a_house_in_which_no_gateway_begins_gives_way_to_the_one_before(tmp_path: Path) -> None:
    def fails(house: Home) -> None:
        if house.name == "Another house":
            raise ConfigError("home.yaml: its phones went away between two looks.")

    async with living(tmp_path) as box:
        box.begins = fails
        box.write(name="Another house")
        report = await box.hup()
        assert (report.said, report.problems) == ("refused", ("home.yaml: its phones went away between two looks.",))
        await wait_until(lambda: len(box.houses) == 2)
        assert [one.name for one in box.houses] == ["Home", "Home"]


async def test_while_a_visit_runs_the_newest_word_waits_and_a_wrong_one_takes_it_back(tmp_path: Path) -> None:
    box_folder = tmp_path / "box"
    box_folder.mkdir()
    house = make_home(box_folder)
    BoxKey.load_or_create(box_folder / "key")  # a store without its box's key is in doubt
    store = await Store.open(box_folder / "perron.sqlite3", home=house, now=NOW)
    await store.commit(make_step(entrance_in_visit(house)))
    await store.close()
    async with living(tmp_path) as box:
        box.write(name="Another house")
        waits = await box.hup()
        assert (waits.said, waits.busy) == ("waiting", (reload.BusyEntrance(entrance="front", what="visit"),))
        told: list[str] = []
        await request_reload(box.file, wait=False, output=told.append)
        assert told == ["Taken, and applied once the doors are free: at front a visit runs."]
        box.write(naem="x")
        with pytest.raises(Failure, match="Did you mean `name`") as failure:
            await request_reload(box.file, wait=False, output=told.append)
        assert (failure.value.code, "goes on as it was" in failure.value.todo) == (ExitCode.INVALID, True)
        assert len(box.houses) == 1


async def test_where_no_gateway_runs_the_command_says_so(tmp_path: Path) -> None:
    file = tmp_path / "home.yaml"
    file.write_text(json.dumps(make_home(tmp_path / "box").model_dump(mode="json")), encoding="utf-8")
    with pytest.raises(Failure, match="No gateway runs") as failure:
        await request_reload(file, wait=False, output=lambda _line: None)
    assert failure.value.code is ExitCode.NO_ANSWER
    (tmp_path / "box").mkdir()
    # Of a process that ended: the number is ours now
    (tmp_path / "box" / "gateway.lock").write_text(f"{os.getpid()}\n")
    assert reload.gateway_pid(tmp_path / "box") is None
    file.write_text("naem: x")
    with pytest.raises(Failure, match="Did you mean"):
        await request_reload(file, wait=False, output=lambda _line: None)
