import asyncio
import os
import sys
from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.announcing import connected
from tests.hubs import running
from tests.joins import with_boxes

HERE = Path(__file__).parent
EXAMPLES = 10  # of each operation and phase


async def test_the_document_is_openapi_3_1(tmp_path: Path) -> None:
    async with running(with_boxes(tmp_path)) as hub, hub.http.get("/openapi.json") as answer:
        document = await answer.json()
    OpenAPIV31SpecValidator(document).validate()
    assert document["openapi"] == "3.1.0"


@pytest.mark.slow
async def test_the_api_does_what_its_document_says_whatever_is_sent(tmp_path: Path) -> None:
    async with running(with_boxes(tmp_path)) as hub:
        home = await connected(hub)
        asked = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("schemathesis")),
            "run", f"{hub.url}/openapi.json",
            "--header", f"Authorization: {home.headers['Authorization']}",
            "--max-examples", str(EXAMPLES), "--seed", "7", "--continue-on-failure",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": f"{HERE}:{HERE.parents[3]}", "SCHEMATHESIS_HOOKS": "drawn",
                 "PERRON_CONNECTION": home.connection},
        )  # fmt: skip
        said, _ = await asked.communicate()
    assert asked.returncode == 0, said.decode()[-6000:]
