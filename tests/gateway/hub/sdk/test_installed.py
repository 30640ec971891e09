"""`perron-sdk` as a retailer has it: installed from its wheel, without Perron."""

import asyncio
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from gateway.hub.api.openapi import API_VERSION
from gateway.hub.sdk.client import SDK_VERSION
from tests.hubs import hub_file, run_hub
from tests.retailers_python import retailers_python
from tests.sdk_source import FOLDER

pytestmark = pytest.mark.slow


def readme_program() -> str:
    (program,) = re.findall(
        r"^```python\n(.*?)^```", (FOLDER / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    return str(program)


async def test_the_program_of_its_page_announces_and_follows_a_delivery_where_no_perron_is(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(f"{readme_program()}\nimport gateway\n", encoding="utf-8")
    async with run_hub(hub_file(tmp_path / "hub")) as hub:
        process = await asyncio.create_subprocess_exec(
            retailers_python(), "-I", tmp_path / "program.py", cwd=tmp_path, env={**os.environ, "HUB": hub.url},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        said, wrong = await asyncio.wait_for(process.communicate(), 60)
    assert said.decode().split()[-3:] == ["window_open", "visiting", "delivered"], wrong.decode()
    assert wrong.decode().splitlines()[-1] == "ModuleNotFoundError: No module named 'gateway'"


def test_a_type_checker_knows_each_operation_and_finds_what_is_wrong(tmp_path: Path) -> None:
    wrong = """
from typing import reveal_type

from perron.sdk import AsyncClient


async def check(other: AsyncClient) -> None:
    reveal_type(await other.read_delivery("dlv-1"))
    reveal_type([one async for one in other.iterate_events()])
    hub.create_delivery(order)
    hub.list_deliveries(sate="scheduled")
    print(made.stat)
"""
    (tmp_path / "program.py").write_text(readme_program() + wrong, encoding="utf-8")
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--python-executable", retailers_python(), "program.py"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={name: value for name, value in os.environ.items() if name not in {"MYPYPATH", "PYTHONPATH"}},
    )  # fmt: skip
    assert 'Revealed type is "perron.sdk.models.Delivery"' in checked.stdout, checked.stdout
    assert 'Revealed type is "list[perron.sdk.models.ConnectionDecidedEvent | ' in checked.stdout
    codes = re.findall(r"\[([a-z-]+)\]$", checked.stdout, re.MULTILINE)
    assert codes == ["arg-type", "call-arg", "attr-defined"], checked.stdout


def test_its_versions_are_those_of_the_api() -> None:
    project = tomllib.loads((FOLDER / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == SDK_VERSION == API_VERSION
