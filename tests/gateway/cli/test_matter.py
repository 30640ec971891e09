"""`perron matter` as a person starts it: what it lists, how it ends, and what it says of a file that is wrong."""

import asyncio
import signal
from pathlib import Path

import pytest

from gateway.mqtt.mosquitto.provisioning import free_port
from tests.devices.street import gateway_client
from tests.forkserver import fork_server, run_python
from tests.gateway.integrations.matter.beside import ACCESS_LIST, BASE, simulated
from tests.mosquitto import mosquitto

pytestmark = pytest.mark.slow


def write_file(folder: Path, url: str, port: int = 1883) -> Path:
    (folder / "word").write_text("m", encoding="utf-8")
    file = folder / "matter.yaml"
    file.write_text(
        f"base: {BASE}\nbroker: {{port: {port}, username: {BASE}, password_file: word}}\nserver: {{url: '{url}'}}\n",
        encoding="utf-8",
    )
    return file


async def said(*words: str) -> tuple[int | None, str]:
    return await run_perron("matter", *words)


async def run_perron(*words: str) -> tuple[int | None, str]:
    done = await asyncio.to_thread(run_python, "-m", "gateway", *words)
    return done.returncode, done.stdout + done.stderr


async def test_it_lists_what_the_matter_server_has_and_moves_nothing(tmp_path: Path) -> None:
    async with simulated(tmp_path) as server:
        code, text = await said("--list", "--config", str(write_file(tmp_path, server.url)))
        assert code == 0, text
        assert "matter/5-1: lock, keypad (Simulated Virtual lock)" in text
        assert "matter/6-1: door (Simulated Virtual contact)" in text
        assert server.doorway.thrown


async def test_without_a_matter_server_it_says_so_and_what_to_look_at(tmp_path: Path) -> None:
    code, text = await said("--list", "--config", str(write_file(tmp_path, f"ws://127.0.0.1:{free_port()}/ws")))
    assert code == 3, text
    assert "does not answer as a Matter server" in text.replace("\n", " ")
    assert "Traceback" not in text


async def test_it_runs_until_it_is_told_to_end_and_then_says_that_it_is_away(tmp_path: Path) -> None:
    async with (
        mosquitto({"gateway": "g", BASE: "m"}, ACCESS_LIST) as broker,
        simulated(tmp_path) as server,
        gateway_client(broker) as client,
    ):
        await client.subscribe(f"{BASE}/bridge/state", qos=1)
        file = write_file(tmp_path, server.url, broker.port)
        with (tmp_path / "told").open("wb") as told_of_it:
            process = fork_server().start(["-m", "gateway", "matter", "--config", str(file)], told_of_it)
        try:
            async with asyncio.timeout(30):
                messages = aiter(client.messages)
                while bytes((await anext(messages)).payload) != b"online":
                    pass
                process.send_signal(signal.SIGTERM)
                assert bytes((await anext(messages)).payload) == b"offline"
                assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def test_a_file_that_is_wrong_is_told_in_a_few_lines(tmp_path: Path) -> None:
    code, text = await said("--config", str(write_file(tmp_path, "ws://192.168.1.9:5580/ws")))
    assert code == 2
    assert "is not this machine" in text.replace("\n", " ")
    assert "Traceback" not in text
