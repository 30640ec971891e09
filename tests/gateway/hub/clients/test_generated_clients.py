"""The hub's document makes clients: three generators, with their default options, make one each, which goes the whole
way of a retailer at a real hub: sandbox, consent, availability, an order without label, its repetition, label, change,
cancel, a delivery with timeline and proof, events by pages, a webhook endpoint with its log and a replay.
"""

import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.hub.config import Webhooks
from tests.generators import NODE_MODULES, VENV, npm_program, python_program, run
from tests.hubs import RunningHub, hub_file, run_hub
from tests.receiver import WebhookReceiver, shared_receiver
from tests.waiting import wait_until

pytestmark = pytest.mark.slow  # compilers

HERE = Path(__file__).parent
JARS = Path("/usr/share/java")  # Debian's
SHORT_RUN = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")  # Java's: half of the processor time of such a run


@asynccontextmanager
async def hub_with_document(folder: Path) -> AsyncIterator[RunningHub]:
    """A hub that sends webhooks to this machine; its document is `openapi.json` in the folder."""
    async with run_hub(hub_file(folder, webhooks=Webhooks(private=True, plain=True))) as hub:
        async with hub.http.get("/openapi.json") as answer:
            (folder / "openapi.json").write_bytes(await answer.read())
        yield hub


async def assert_went_the_whole_way(printed: str, receiver: WebhookReceiver) -> None:
    """Check what a flow printed at its end, and that the message that it replayed comes twice."""
    told: dict[str, Any] = json.loads(printed.splitlines()[-1])
    events, replayed = told.pop("events"), told.pop("replayed")
    assert told == {
        "possible": True,
        "states": ["awaiting_label", "scheduled", "cancelled", "delivered"],
        "versions": [1, 2, 3],
        "repeated": True,
        "parcels": ["8L20524752032"],
        "timeline": ["awaiting_permission", "scheduled", "window_open", "visiting", "delivered"],
        "problem": "not_found",
    }
    assert len(events) > 5  # so that there was a second page
    assert events == sorted(set(events))
    await wait_until(lambda: [one.id for one in receiver.heard()].count(replayed) == 2)


async def test_openapi_typescript_and_openapi_fetch_go_the_whole_way(tmp_path: Path) -> None:
    receiver = shared_receiver()
    async with hub_with_document(tmp_path) as hub:
        await run(npm_program("openapi-typescript"), "openapi.json", "-o", "schema.d.ts", folder=tmp_path)
        for file in ("flow.ts", "tsconfig.json", "package.json"):
            shutil.copy(HERE / file, tmp_path)
        (tmp_path / "node_modules").symlink_to(NODE_MODULES)
        await run(npm_program("tsc"), folder=tmp_path)
        printed = await run("node", "out/flow.js", hub.url, receiver.url, "typescript", folder=tmp_path)
        await assert_went_the_whole_way(printed, receiver)


async def test_openapi_python_client_goes_the_whole_way(tmp_path: Path) -> None:
    receiver = shared_receiver()
    async with hub_with_document(tmp_path) as hub:
        path = f"{VENV / 'bin'}:{os.environ['PATH']}"  # it formats by ruff, which it looks for there
        made = ("--path", "openapi.json", "--output-path", "client", "--fail-on-warning")
        await run(python_program("openapi-python-client"), "generate", *made, folder=tmp_path, PATH=path)
        interpreter = python_program("python")
        checked = (
            "--strict",
            "--config-file=",
            f"--python-executable={interpreter}",
            HERE / "flow.py",
            "client/perron_hub_client",
        )
        await run(Path(sys.executable).with_name("mypy"), *checked, folder=tmp_path, MYPYPATH="client")
        words = (hub.url, receiver.url, "python")
        printed = await run(interpreter, HERE / "flow.py", *words, folder=tmp_path, PYTHONPATH="client")
        await assert_went_the_whole_way(printed, receiver)


async def test_openapi_generator_s_java_client_goes_the_whole_way(tmp_path: Path) -> None:
    """Default options but for what no package can be had for here: docs/decisions/0140."""
    (jar,) = VENV.glob("lib/python3*/site-packages/openapi_generator_cli/*.jar")
    classpath = ":".join(map(str, (jar, *(JARS / name for name in ("geronimo-annotation-1.3-spec.jar", "jsr305.jar")))))
    receiver = shared_receiver()
    async with hub_with_document(tmp_path) as hub:
        options = ("-g", "java", "--library", "native", "--additional-properties", "openApiNullable=false")
        said = await run(
            "java", *SHORT_RUN, "-jar", jar, "generate", *options, "-i", "openapi.json", "-o", "client", folder=tmp_path
        )
        warnings = [line for line in said.splitlines() if " WARN " in line or " ERROR " in line]
        # It says that it does not know all of 3.1, and that it writes no examples of JSON objects into its client.
        of_itself = (
            "OpenAPI 3.1 support is still in beta", "Ignoring complex example on request body",
            "Failed to get the schema name: null",
        )  # fmt: skip
        assert all(any(known in line for known in of_itself) for line in warnings), said
        sources = [HERE / "Flow.java", *sorted((tmp_path / "client/src/main").rglob("*.java"))]
        checked = ("-Xlint:all,-serial,-deprecation", "-Werror", "-proc:none")  # the two are the generator's own
        await run(
            "javac",
            *(f"-J{word}" for word in SHORT_RUN),
            *checked,
            "-cp",
            classpath,
            "-d",
            "out",
            *sources,
            folder=tmp_path,
        )
        words = (hub.url, receiver.url, "java")
        printed = await run("java", *SHORT_RUN, "-cp", f"{classpath}:out", "Flow", *words, folder=tmp_path)
        await assert_went_the_whole_way(printed, receiver)


async def test_redocly_and_spectral_have_no_warning_for_the_document(tmp_path: Path) -> None:
    async with hub_with_document(tmp_path):
        (tmp_path / "spectral.yaml").write_text('extends: ["spectral:oas"]\n')
        alone = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
        strict = ("--extends", "recommended-strict")  # its warnings count as errors
        await run(npm_program("redocly"), "lint", "openapi.json", *strict, folder=tmp_path, **alone)
        all_counts = ("--ruleset", "spectral.yaml", "--fail-severity", "hint")
        await run(npm_program("spectral"), "lint", "openapi.json", *all_counts, folder=tmp_path)
