"""SECURITY.md's table of attacks: each row names tests that are there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def rows() -> list[str]:
    """The rows of the table."""
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8").partition("## Attacks that were tried")[2]
    table = [line for line in text.splitlines() if line.startswith("|")]
    return table[2:]


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.split("|")[1].strip()[:60])
def test_each_attack_is_tried_by_tests_that_are_there(row: str) -> None:
    named = NAMED.findall(row)
    assert named, "a row without a test"
    for file, test in named:
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        there = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert test in there, f"{file}::{test}"


def test_the_table_has_the_attacks() -> None:
    assert len(rows()) >= 26
