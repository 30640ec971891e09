"""The SDK for TypeScript, packed as for the npm registry and installed in an empty project, at a real hub."""

import asyncio
import json
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway.hub.config import Webhooks
from gateway.mqtt.mosquitto.provisioning import free_port
from tests.generators import TYPESCRIPT_SDK, compile_typescript, install_typescript_sdk, run
from tests.hubs import HIGH_LIMITS, RunningHub, hub_file, run_hub
from tests.sandboxes import create_sandbox
from tests.typescript_sdk import SCHEMA, make_schema
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("typescript-sdk")]

HERE = Path(__file__).parent
GUIDE = Path(__file__).parents[5] / "docs" / "retailer" / "guide.md"


def _programs(page: Path) -> list[str]:
    return re.findall(r"^```ts\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


README_BLOCKS = _programs(TYPESCRIPT_SDK / "README.md")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has the packed SDK, with all programs of these tests compiled."""
    folder = tmp_path_factory.mktemp("project")
    for number, block in enumerate(README_BLOCKS):
        (folder / f"readme{number}.ts").write_text(block)
    (folder / "guide.ts").write_text(_programs(GUIDE)[1])
    for name in ("flow.ts", "limited.ts"):
        shutil.copy(HERE / name, folder)

    async def install() -> None:
        await install_typescript_sdk(folder)
        await compile_typescript(folder, *(path.name for path in folder.glob("*.ts")))

    asyncio.run(install())
    return folder


@asynccontextmanager
async def answer_losing_proxy(hub: RunningHub) -> AsyncIterator[str]:
    """A proxy that hangs up instead of passing on the first answer to an announcement; its address."""
    there, lost = urlsplit(hub.url), False

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal lost
        hub_reader, hub_writer = await asyncio.open_connection(there.hostname, there.port)
        while request := await reader.read(65_536):
            hub_writer.write(request.replace(where.encode(), there.netloc.encode()))
            if request.startswith(b"POST /v1/deliveries ") and not request.endswith(b"}"):
                continue  # the body comes in a piece of its own
            answer = await hub_reader.read(65_536)
            if not lost:
                lost = True
                break
            writer.write(answer)
        hub_writer.close()
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    where = f"{host}:{port}"
    async with server:
        yield f"http://{where}"


def test_its_types_are_made_of_the_document_that_the_hub_serves_now() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == make_schema(), "it is older than the document: run `make sdk`"


async def test_a_retailer_signs_follows_and_repeats_what_got_no_answer(tmp_path: Path, project: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub, answer_losing_proxy(hub) as proxy:
        nobody = f"http://127.0.0.1:{free_port()}"
        told = json.loads(await run("node", "out/flow.js", hub.url, proxy, nobody, folder=project))
    announced, seqs, waits = told.pop("announced"), told.pop("seqs"), told.pop("waits")
    assert told.pop("named") == [announced]  # once, though it was sent twice
    assert told.pop("signed") != announced
    assert seqs == list(range(1, len(seqs) + 1))
    assert len(seqs) > 4
    assert waits == [250, 250, 500]  # half of the longest: once for the lost answer, twice for nobody
    states = told.pop("states")
    assert (states[:2], states[-1]) == (["delivery.created", "scheduled"], "cancelled")
    assert told == {
        "hub_signed": False, "needs": ["dimensions", "entrances"], "missing": [404, "not_found", True],
        "unreachable": True, "insecure": True,
    }  # fmt: skip


async def test_a_limited_retailer_waits_for_as_long_as_the_hub_asks(tmp_path: Path, project: Path) -> None:
    limits = HIGH_LIMITS.model_copy(update={"writes": 2})
    async with run_hub(hub_file(tmp_path, limits=limits)) as hub:
        retailer = await hub.retailer()
        told = json.loads(await run("node", "out/limited.js", hub.url, retailer.token, folder=project))
    assert told["code"] == "rate_limited"
    assert told["waits"]
    assert all(1_000 <= wait <= 60_000 for wait in told["waits"])


async def test_the_readme_s_first_delivery_is_delivered(tmp_path: Path, project: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        printed = await run("node", "out/readme0.js", folder=project, HUB=hub.url)
    assert printed.split()[-1] == "delivered"


async def test_the_guide_s_receiver_verifies_each_step_of_a_delivery(tmp_path: Path, project: Path) -> None:
    async with run_hub(hub_file(tmp_path, webhooks=Webhooks(private=True, plain=True))) as hub:
        printed = await run("node", "out/guide.js", folder=project, HUB=hub.url)
    assert printed.split() == ["scheduled", "window_open", "visiting", "delivered"]


async def test_the_readme_s_receiver_answers_the_challenge_and_verifies_each_message(
    tmp_path: Path, project: Path
) -> None:
    port = free_port()
    async with run_hub(hub_file(tmp_path, webhooks=Webhooks(private=True, plain=True))) as hub:
        sandbox = await create_sandbox(hub)
        status, endpoint = await sandbox.ask("POST", "/v1/webhook_endpoints", {"url": f"http://127.0.0.1:{port}/"})
        assert status == 201
        environment = {"WEBHOOK_SECRET": endpoint["secret"], "PORT": str(port)}
        command = ("node", "out/readme1.js")
        receiver = await asyncio.create_subprocess_exec(*command, cwd=project, env={**os.environ, **environment})
        path = f"/v1/webhook_endpoints/{endpoint['id']}"

        async def is_verified() -> bool:
            return bool((await sandbox.ask("GET", path))[1]["verified"])

        async def are_delivered() -> bool:
            log = (await sandbox.ask("GET", f"{path}/messages?limit=100"))[1]["data"]
            return {one["state"] for one in log if one["type"] == "ping"} == {"delivered"}

        await wait_until(is_verified, every=0.1)
        assert (await sandbox.ask("POST", f"{path}/test"))[0] == 202
        await wait_until(are_delivered, every=0.1)
        async with hub.http.post(f"http://127.0.0.1:{port}/", json={"type": "ping"}) as forged:
            assert forged.status == 401
        receiver.kill()
        await receiver.wait()
