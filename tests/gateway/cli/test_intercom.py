"""`perron intercom` as a person starts it: what it says, how it ends, and what it says of a file that is wrong."""

import asyncio
import signal
from pathlib import Path

import pytest

from devices.reports import AvailabilityReport
from devices.vendors import perron
from devices.vendors.words import DeviceRef, TopicSuffix
from tests.devices.street import gateway_client
from tests.forkserver import fork_server, run_python
from tests.gateway.integrations.intercom.beside import ACCESS_LIST, DEVICE, write_credentials
from tests.mosquitto import mosquitto
from tests.peers import doorbird
from tests.peers.line import serve

pytestmark = pytest.mark.slow


def write_file(folder: Path, url: str, port: int = 1883) -> Path:
    write_credentials(folder, doorbird.OWNER.name, doorbird.OWNER.password)
    (folder / "word").write_text("s", encoding="utf-8")
    file = folder / "intercom.yaml"
    file.write_text(
        f"device: {DEVICE}\nbroker: {{port: {port}, username: {DEVICE}, password_file: word}}\n"
        f"intercom: {{kind: doorbird, url: '{url}', credentials_file: intercom.credentials}}\n",
        encoding="utf-8",
    )
    return file


async def said(*words: str) -> tuple[int | None, str]:
    done = await asyncio.to_thread(run_python, "-m", "gateway", "intercom", *words)
    return done.returncode, done.stdout + done.stderr


async def test_it_says_whether_the_intercom_answers_and_releases_nothing(tmp_path: Path) -> None:
    app = doorbird.create_app()
    async with serve(app) as url:
        file = write_file(tmp_path, str(url).rstrip("/"))
        code, text = await said("--check", "--config", str(file))
        assert (code, "answers, and can be ordered to release" in text) == (0, True), text
        app[doorbird.STATION].power_off()
        code, text = await said("--check", "--config", str(file))
        assert code == 3, text
        assert "Traceback" not in text
        assert app[doorbird.STATION].orders == []


async def test_it_runs_until_it_is_told_to_end_and_then_says_that_it_is_away(tmp_path: Path) -> None:
    app = doorbird.create_app()
    accounts = {"gateway": "g", DEVICE: "s"}
    async with mosquitto(accounts, ACCESS_LIST) as broker, serve(app) as url, gateway_client(broker) as client:
        await client.subscribe(f"perron/{DEVICE}/availability", qos=1)
        file = write_file(tmp_path, str(url).rstrip("/"), broker.port)
        with (tmp_path / "told").open("wb") as told_of_it:
            process = fork_server().start(["-m", "gateway", "intercom", "--config", str(file)], told_of_it)
        try:
            async with asyncio.timeout(30):
                for online in (True, False):
                    message = await anext(aiter(client.messages))
                    told = perron.decode_report(
                        TopicSuffix.AVAILABILITY, bytes(message.payload), DeviceRef(kind="strike")
                    )
                    assert told == (AvailabilityReport(online=online),)
                    if online:
                        process.send_signal(signal.SIGTERM)
                assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def test_a_file_that_is_wrong_is_told_in_a_few_lines(tmp_path: Path) -> None:
    file = write_file(tmp_path, "http://127.0.0.1:1")
    (tmp_path / "intercom.credentials").chmod(0o644)
    code, text = await said("--config", str(file))
    assert code == 2
    assert "others on this machine may read it" in text.replace("\n", " ")
    assert "Traceback" not in text
