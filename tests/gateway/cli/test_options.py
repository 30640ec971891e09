"""The examples in the help of a command can be pasted and do what they say."""

import os
import re
import shlex
from pathlib import Path

import pytest

from gateway.__main__ import app
from gateway.cli.lines import program_name
from gateway.cli.options import EXAMPLE_COLUMNS, example_lines
from gateway.config.loader import load_home_file
from tests.forkserver import run_python
from tests.gateway.cli.terminal import run_perron
from tests.test_documented_commands import fault


def test_a_long_command_breaks_between_options_and_each_line_fits() -> None:
    command = (
        'perron add back --kind entrance --set name="The back door" --set way_out_by_hand=true --set lock=back-lock'
    )
    lines = example_lines(command)
    assert len(lines) > 1
    assert all(len(line) <= EXAMPLE_COLUMNS for line in lines)
    assert shlex.split("\n".join(lines).replace("\\\n", " "))[1:] == shlex.split(command)
    assert example_lines("perron stop") == ["  $ perron stop"]


def test_an_error_names_its_line_in_figures_whichever_line_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "home.yaml"
    file.write_text("\n" * 99 + "}\n")  # rich knows `:100:` as a picture
    monkeypatch.setattr("sys.argv", ["perron", "doctor", "--home", str(file)])
    with pytest.raises(SystemExit):
        app()
    assert f"{file.name}:100:" in capsys.readouterr().err.replace("\n", "")


def examples_of(*command: str, columns: int) -> list[list[str]]:
    """The examples that a help shows in a terminal of this width, as a shell splits them after they were pasted."""
    told = run_python("-m", "gateway", *command, "--help", env={**os.environ, "COLUMNS": str(columns), "NO_COLOR": "1"})
    shown = [line.strip() for line in told.stdout.partition("Examples")[2].partition("Exit codes")[0].splitlines()]
    pasted = "\n".join(shown).replace("\\\n", " ")
    return [shlex.split(line[2:]) for line in pasted.splitlines() if line.startswith("$ ")]


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ("add",), ("parcel",), ("scan",), ("pause",), ("retailer", "announce"), ("retailer", "listen"),
        ("retailer", "comment"), ("retailer", "end"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_an_example_can_be_pasted_from_a_narrow_terminal(command: tuple[str, ...]) -> None:
    narrow = examples_of(*command, columns=80)
    assert narrow == examples_of(*command, columns=240)
    for words in narrow:
        name = next(n for n, word in enumerate(words) if word == program_name())
        assert words[name + 1 : name + 1 + len(command)] == [*command]
        assert fault(words[name + 1 :]) is None, words
    if command[-1] in {"comment", "end"}:
        assert all("--hub" in words for words in narrow)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["pause", "parcel"])
def test_no_example_has_a_day_that_passes(command: str) -> None:
    assert re.search(r"\d{4}-\d\d-\d\d", str(examples_of(command, columns=80))) is None


@pytest.mark.slow
def test_the_examples_of_add_make_a_house_in_their_order(tmp_path: Path) -> None:
    home = tmp_path / "home.yaml"
    for words in examples_of("add", columns=80):
        told = run_perron(*(word for word in words[1:] if word not in {"--home", "/etc/perron/home.yaml"}), home=home)
        assert told.returncode == 0, (words, told.stderr)
    assert [*load_home_file(home).entrances, *load_home_file(home).receptions] == ["back", "desk"]
