"""A process that a fork started is like one that `python -m` started: it runs, prints, ends and dies alike."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway.demo.processes import LoggedProcess, is_running
from tests.foreign import foreign_camera
from tests.forkserver import PORTS_OF_PROCESSES, ROOT, ForkServer, fork_server, ports_of, run_python
from tests.gateway.evidence.visits import film_bytes
from tests.waiting import assert_stays

SAYS = """
import os, sys
print(sys.argv[1:], os.getcwd(), os.environ.get("GIVEN"), os.getsid(0) == os.getpid(), repr(sys.stdin.read()))
print("trouble", file=sys.stderr)
"""
FILMS = """
import os, pathlib, signal, sys, time
at = pathlib.Path(sys.argv[1])
nothing = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1)]
words = [sys.executable, "-m", "gateway.video", "--socket", str(at)]
pid = os.posix_spawnp(words[0], words, os.environ, file_actions=nothing, setsid=True)
while not at.with_suffix(".pid").exists():
    time.sleep(0.02)
parent = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
print(os.getsid(pid) == pid, int(parent) == os.getpid(), os.readlink(f"/proc/{pid}/fd/1"))
print(int(at.with_suffix(".pid").read_text()) == pid)
second = os.posix_spawnp(words[0], words, os.environ, file_actions=nothing, setsid=True)
print(os.waitstatus_to_exitcode(os.waitpid(second, 0)[1]))
os.kill(pid, signal.SIGTERM)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), at.exists())
"""
STILLS = """
import os, pathlib, sys
from gateway.video import stills
with pathlib.Path(sys.argv[1]).open("rb") as film:
    found = stills.take_stills(film, [0, 2.5, (1.0, 4.0)], side_px=32)
    if sys.argv[2:]:
        stills.DECODE_TIMEOUT_S = 0.0
        found += stills.take_stills(film, [0])
print(found)
"""
STAYS = "import time\nprint('here')\ntime.sleep(600)\n"


async def started(code: str, folder: Path, *arguments: str) -> LoggedProcess:
    """Start a script as the tests start a house; cProfile is a module that runs any script."""
    script = folder / "script.py"
    script.write_text(code, encoding="utf-8")
    return await LoggedProcess.start("cProfile", ["-o", os.devnull, str(script), *arguments], folder / "log")


ENDS = """
import atexit, sys, threading, time
atexit.register(print, "third")
threading.Thread(target=lambda: (time.sleep(0.2), print("second"))).start()
print("first")
exec(sys.argv[1])
"""


def gone(pid: int, *, within: float = 60.0) -> bool:
    """Whether a process ends within so many seconds."""
    until = time.monotonic() + within
    while is_running(pid) and time.monotonic() < until:
        time.sleep(0.02)
    return not is_running(pid)


PROBES = """
import asyncio, sys
from gateway.video import probe
probe.PROBE_TIMEOUT_S = float(sys.argv[2])
source = probe.CameraSource(name="front", url=sys.argv[1])
for _ in range(2):
    looked = asyncio.run(probe.probe_stream(source, picture=True))
    print(looked.unopened, looked.lost, looked.width, looked.height, looked.key_every, bool(looked.picture))
"""


async def here(child: LoggedProcess) -> None:
    await child.wait_until("the script", lambda: "here" in child.log.read_text(), within=30)


async def test_it_gets_arguments_folder_environment_and_a_session_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIVEN", "by the test")
    child = await started(SAYS, tmp_path, "7", "two words")
    assert await child.process.wait() == 0
    assert sorted(child.log.read_text().splitlines()) == [
        f"['7', 'two words'] {tmp_path} by the test True ''",
        "trouble",
    ]
    assert child.process.returncode is not None


async def test_the_video_process_of_a_forked_gateway_is_its_child_in_a_session_of_its_own(tmp_path: Path) -> None:
    child = await started(FILMS, tmp_path, str(tmp_path / "video.sock"))
    assert await child.process.wait() == 0, child.log.read_text()
    said = [line for line in child.log.read_text().splitlines() if not line.startswith("{")]  # a line of the log
    assert said == [f"True True {os.devnull}", "True", "3", "0 False"]


def test_the_decoder_of_a_forked_gateway_finds_the_stills_that_a_fresh_one_finds(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    film.write_bytes(film_bytes(40))
    fresh = subprocess.run(
        [sys.executable, "-c", STILLS, film], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1]
    )
    forked, late = run_python("-c", STILLS, film), run_python("-c", STILLS, film, "late")
    assert forked.returncode == 0, forked.stderr
    assert forked.stdout == fresh.stdout
    assert forked.stdout.count("Still(") == 3
    assert late.stdout == fresh.stdout.replace("))\n", "), None)\n")
    film.write_bytes(film_bytes(40)[:500])
    assert run_python("-c", STILLS, film).stdout == "(None, None, None)\n"


@pytest.mark.parametrize(
    ("end", "status", "told"),
    [
        ("pass", 0, ""),
        ("sys.exit(7)", 7, ""),
        ("sys.exit(-1)", 255, ""),
        ("sys.exit('no key')", 1, "no key"),
        ("raise LookupError('no lock')", 1, "LookupError: no lock"),
        ("raise KeyboardInterrupt", -2, "KeyboardInterrupt"),
    ],
)
def test_it_ends_as_the_interpreter_ends_it(end: str, status: int, told: str) -> None:
    forked = run_python("-c", ENDS, end)
    fresh = subprocess.run([sys.executable, "-c", ENDS, end], capture_output=True, text=True, check=False)
    assert forked.returncode == fresh.returncode == status
    assert told in forked.stderr
    assert told in fresh.stderr
    assert forked.stdout.split() == fresh.stdout.split() == ["first", "second", "third"]


async def test_the_status_with_which_it_exits_is_told(tmp_path: Path) -> None:
    child = await LoggedProcess.start("gateway", ["nonsense"], tmp_path / "log")
    assert await child.process.wait() == 2
    assert "No such command 'nonsense'" in child.log.read_text()


async def test_whoever_waits_hears_of_its_end_once_or_twice(tmp_path: Path) -> None:
    child = await started(STAYS, tmp_path)
    await here(child)
    both = [asyncio.create_task(child.process.wait()) for _ in range(2)]
    await assert_stays(lambda: child.process.returncode is None, 0.05)
    os.kill(child.process.pid, signal.SIGKILL)
    assert await asyncio.gather(*both) == [-9, -9]
    assert not is_running(child.process.pid)


async def test_an_error_that_nobody_catches_is_in_its_log_and_its_status_is_one(tmp_path: Path) -> None:
    child = await started("raise ValueError('on purpose')", tmp_path)
    assert await child.process.wait() == 1
    assert "ValueError: on purpose" in child.log.read_text()


async def test_it_ends_with_the_server_that_started_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = ForkServer()
    monkeypatch.setattr("tests.conftest.fork_server", lambda: server)
    child = await started(STAYS, tmp_path)
    await here(child)
    server.end()
    assert await asyncio.to_thread(gone, child.process.pid)
    assert fork_server() is not server


def test_a_probe_of_a_forked_process_finds_what_a_fresh_one_finds_and_is_ended_when_it_is_late() -> None:
    with foreign_camera(size=(640, 360)) as camera:
        fresh = subprocess.run(
            [sys.executable, "-c", PROBES, camera.url, "60"], capture_output=True, text=True, check=True, cwd=ROOT
        )
        forked, late = run_python("-c", PROBES, camera.url, "60"), run_python("-c", PROBES, camera.url, "0.1")
    assert forked.stdout == fresh.stdout == "None None 640 360 1.0 True\n" * 2, forked.stderr
    assert late.stdout == "no_answer None 0 0 None False\n" * 2, late.stderr


@pytest.mark.parametrize("workers", [1, 2, 7, 8, 16])
def test_no_two_workers_take_the_same_port_nor_a_process_one_of_theirs(workers: int) -> None:
    taken = [*PORTS_OF_PROCESSES, *(port for worker in range(workers) for port in ports_of(worker, workers))]
    assert len(set(taken)) == len(taken)
    assert ports_of(workers, workers) == ports_of(0, workers), "one that stands for a worker that died has a new number"
    said = run_python("-c", "from gateway.mqtt.mosquitto.provisioning import free_port; print(free_port())").stdout
    assert int(said) in PORTS_OF_PROCESSES
