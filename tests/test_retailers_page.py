"""docs/retailer/guide.md is what it says: its blocks are run as printed, by a reader who fills in what it asks."""

import asyncio
import contextlib
import json
import os
import re
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.domain.delivery.barcodes import (
    BarcodeKind,
    ParcelCode,
    courier_token_digest,
    courier_token_value,
    new_courier_token,
    normalise,
)
from gateway.hub.config import HubFile, Webhooks
from gateway.hub.sandbox.home import CARRIERS, SANDBOX_ENTRANCES
from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.protocol.delivery_state import PUBLIC_REASONS
from gateway.system.located_yaml import parse_yaml
from tests.hubs import hub_file, run_hub
from tests.retailers_python import retailers_python

PAGE = (Path(__file__).parent.parent / "docs" / "retailer" / "guide.md").read_text(encoding="utf-8")
WRITTEN_DAY = "2026-12-02"


def blocks(language: str, part: str = "") -> list[str]:
    """The blocks in this language, of the part with this heading or of the whole page."""
    text = PAGE.partition(f"\n## {part}\n")[2].partition("\n## ")[0] if part else PAGE
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


class Reader:
    """Who follows the page in a folder: copies each block, and writes there what the page says."""

    def __init__(self, hub: str, folder: Path) -> None:
        self.folder = folder
        perron = Path(sys.executable).parent
        self.environment = {**os.environ, "HUB": hub, "PATH": f"{perron}:{os.environ['PATH']}"}
        self.answer: Mapping[str, Any] = {}
        self.sandbox: Mapping[str, Any] = {}

    async def run(self, *command: str | Path) -> str:
        """What a program prints; it has gone well."""
        process = await asyncio.create_subprocess_exec(
            *command, cwd=self.folder, env=self.environment, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await asyncio.wait_for(process.communicate(), 120)
        assert process.returncode == 0, err.decode()
        return out.decode()

    async def shell(self, block: str) -> Mapping[str, Any]:
        """Run a block of a shell; what it answers in JSON, if it does. What a block exports is known to later ones."""
        said = await self.run("bash", "-euc", block.replace("curl ", "curl --silent --show-error --fail-with-body "))
        if said.startswith("{"):
            self.answer = json.loads(said)
            self.sandbox = self.answer if "api_key" in self.answer else self.sandbox
        return self.answer

    def export(self, block: str) -> None:
        """Set the variables of a block to the fields of the last answer that its comments name."""
        for name, field in re.findall(r"^export ([A-Z]+)=\S+ +# (\S+)$", block, re.MULTILINE):
            self.environment[name] = str(self.answer[field])

    def filled(self, text: str) -> str:
        """A block with the reader's connection, brand and support code, and tomorrow's date."""
        tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
        for written, own in (
            ("con-...", "connection"), ('"brand": "..."', "brand"), ('"code=..."', "support_code"),
        ):  # fmt: skip
            text = text.replace(written, written.replace("con-...", "...").replace("...", str(self.sandbox.get(own))))
        return text.replace(WRITTEN_DAY, tomorrow)

    def save(self, name: str, block: str) -> None:
        """Save a block as the file that the page names."""
        (self.folder / name).write_text(self.filled(block), encoding="utf-8")

    async def repeat(self, block: str, state: str) -> None:
        """Repeat a block until the answer has this state, as the page says."""
        until = time.monotonic() + 60
        while (await self.shell(block))["state"] != state:
            assert time.monotonic() < until, self.answer
            await asyncio.sleep(0.2)


@asynccontextmanager
async def reader(folder: Path) -> AsyncIterator[Reader]:
    """Somebody who has set HUB to a hub that sends webhooks to this machine."""
    async with run_hub(hub_file(folder / "hub", webhooks=Webhooks(private=True, plain=True))) as hub:
        yield Reader(hub.url, folder)


@pytest.mark.slow
async def test_the_page_begins_with_the_hub_s_address_and_curl_alone_leads_to_a_proof(tmp_path: Path) -> None:
    assert blocks("sh")[0] == "export HUB=https://hub.example\n"
    sandbox, of_sandbox, announce, of_delivery, read, events, proof = blocks("sh", "With curl")
    (delivery,) = blocks("json", "With curl")
    async with reader(tmp_path) as one:
        await one.shell(sandbox)
        one.export(of_sandbox)
        one.save("delivery.json", delivery)
        assert (await one.shell(announce))["name"] == "ORD-4711"
        one.export(of_delivery)
        await one.repeat(read, "delivered")
        assert len((await one.shell(events))["data"]) >= 5
        await one.shell(proof)
        await one.shell(next(block for block in blocks("sh") if block.startswith("perron verify")))


@pytest.mark.slow
async def test_a_customer_s_home_is_asked_and_found_again_and_the_front_door_takes_the_hub_s_code(
    tmp_path: Path,
) -> None:
    ask, of_connection, consent, read, found = blocks("sh", "Find your customer's home")
    (connection,) = blocks("json", "Find your customer's home")
    sandbox, of_sandbox, *_, delivery_read, _, _ = blocks("sh", "With curl")
    (announce,), (front,) = (blocks(language, "The courier's code") for language in ("sh", "json"))
    async with reader(tmp_path) as one:
        await one.shell(sandbox)
        one.export(of_sandbox)
        one.save("connection.json", connection)
        await one.shell(ask)
        one.export(of_connection)
        await one.shell(one.filled(consent))
        await one.repeat(read, "granted")
        await one.shell(found)
        assert [each["id"] for each in one.answer["data"]] == [one.environment["ASKED"]]
        one.save("front.json", front)
        courier = (await one.shell(announce))["courier"]
        assert isinstance(courier, dict)
        one.environment["DELIVERY"] = str(one.answer["id"])
        assert normalise(courier["text"]) == ParcelCode(
            BarcodeKind.COURIER, courier_token_value(courier["courier_sha256"])
        )
        await one.repeat(delivery_read, "delivered")


@pytest.mark.slow
async def test_python_s_programs_print_what_the_page_says_with_the_sdk_alone(tmp_path: Path) -> None:
    follow, webhook = blocks("python", "With Python")
    async with reader(tmp_path) as one:
        followed, received = await asyncio.gather(
            one.run(retailers_python(), "-I", "-c", follow), one.run(retailers_python(), "-I", "-c", webhook)
        )
    assert f"`{followed.splitlines()[-1]}`" in PAGE
    assert received.split()[-4:] == ["scheduled", "window_open", "visiting", "delivered"]
    (code,) = blocks("python", "The courier's code")
    text, digest = (await Reader("", tmp_path).run(sys.executable, "-I", "-c", code)).split()
    assert normalise(text) == ParcelCode(BarcodeKind.COURIER, courier_token_value(digest))


def test_typescript_s_program_is_the_first_of_the_sdk_s_page_which_its_own_test_runs() -> None:
    readme = Path(__file__).parent.parent / "gateway" / "hub" / "sdk" / "typescript" / "README.md"
    first = re.findall(r"^```ts\n(.*?)^```", readme.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)[0]
    assert blocks("ts", "With TypeScript")[0] == first


@pytest.mark.slow
async def test_perron_retailer_hears_the_first_webhooks_in_a_second_terminal(tmp_path: Path) -> None:
    sandbox, listen, announce, _ = blocks("sh", "With `perron retailer`")
    (delivery,) = blocks("yaml", "With `perron retailer`")
    port = str(free_port())  # a test has no port of the machine to itself
    async with reader(tmp_path) as one:
        await one.shell(sandbox)
        one.sandbox = one.answer
        one.save("delivery.yaml", delivery)
        listening = asyncio.create_task(one.run("bash", "-euc", listen.replace("8700", port)))
        async with aiohttp.ClientSession() as http, asyncio.timeout(60):
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    async with http.get(f"http://127.0.0.1:{port}/"):
                        break
                await asyncio.sleep(0.1)
        await one.run("bash", "-euc", one.filled(announce))
        heard = await listening
    assert [line.split("  ")[3] for line in heard.splitlines()] == [
        "awaiting_permission", "scheduled", "window_open", "visiting", "delivered",
    ]  # fmt: skip


def test_no_block_of_the_page_needs_a_trick_of_a_shell() -> None:
    for block in blocks("sh"):
        assert re.search(r"\b(until|while|for|python3)\b|\$\(|<<|-K |\|", block) is None, block


def test_the_worked_example_of_the_courier_s_code_is_what_the_door_reads() -> None:
    rows = dict(re.findall(r"^\| (.+?) \| `(.+?)` \|$", PAGE.partition("| worked example |")[2], re.MULTILINE)[:3])
    secret, text, digest = bytes.fromhex(rows["16 bytes (never use these)"]), *list(rows.values())[1:]
    assert new_courier_token(secret) == text
    assert courier_token_digest(secret) == sha256(secret).hexdigest() == digest
    for shown in (text, text.upper(), f"perron:{secret.hex()}"):
        assert normalise(shown) == ParcelCode(BarcodeKind.COURIER, courier_token_value(digest))


def test_the_hub_s_file_is_one() -> None:
    (block,) = blocks("yaml", "A hub on your own machine")
    assert HubFile.model_validate(parse_yaml(block), strict=False).sandbox


def test_the_simulated_home_is_the_one_that_the_page_tells_of() -> None:
    for entrance in SANDBOX_ENTRANCES:
        assert f"`{entrance.id}`" in PAGE
        assert all(f"`{place}`" in PAGE for place in entrance.places)
    assert f"carriers {', '.join(CARRIERS)}" in re.sub(r"\s+", " ", PAGE)
    assert "outside_window" in PUBLIC_REASONS
