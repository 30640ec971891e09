"""The command lines that people are told to paste: for the house in use, and each as a shell takes it."""

import shlex
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from gateway.cli import lines
from gateway.cli.failure import ExitCode
from gateway.cli.lines import (
    COMMANDS_WITHOUT_HOME,
    DEFAULT_HOME,
    command_line,
    expand_commands,
    home_option,
    quoted_path,
    set_current_home,
)
from tests.gateway.cli.terminal import ROOT, every_command, make_house, run_perron, start_command
from tests.gateway.evidence.documents.printed import read_pdf
from tests.gateway.evidence.documents.visits import seal_visit

ODD = "it's a $(house).yaml"


@pytest.fixture(autouse=True)
def no_house_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PERRON_HOME", raising=False)
    monkeypatch.setattr(lines, "_current_home", ContextVar("home", default=None))  # what a process notes of its command


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, bool]]:  # noqa: ANN401 - typer's command
    """Every command of the program, and whether it takes a house file."""
    for name, one in getattr(group, "commands", {}).items():
        yield from commands(one, (*path, name))
    if path and (not hasattr(group, "commands") or group.invoke_without_command):
        yield " ".join(path), any("--home" in option.opts for option in group.params)


def test_which_commands_take_a_house_file_is_known() -> None:
    homeless = {name for name, takes in commands(get_command(every_command())) if not takes}
    assert homeless == COMMANDS_WITHOUT_HOME


def test_a_command_in_a_text_names_the_house_in_use_and_nothing_else_is_touched() -> None:
    set_current_home(Path("var/mine/home.yaml"))
    text = "`perron claim-code` shows it, `perron stop --lift`; `perron verify FOLDER`, perron run, `perron.local`."
    ours = lines.program_name()
    assert expand_commands(text) == (
        f"`{ours} claim-code --home var/mine/home.yaml` shows it, `{ours} stop --lift --home var/mine/home.yaml`;"
        f" `{ours} verify FOLDER`, perron run, `perron.local`."
    )
    assert expand_commands(expand_commands(text)) == expand_commands(text), "told twice, it is the same line"
    set_current_home(DEFAULT_HOME)
    assert expand_commands("`perron doctor`") == f"`{ours} doctor`"


def test_every_word_of_a_command_is_quoted() -> None:
    line = command_line("test", "a b;c", home=Path(ODD))
    assert shlex.split(line)[-4:] == ["test", "a b;c", "--home", ODD]
    set_current_home(Path(ODD))
    assert shlex.split(expand_commands("`perron doctor`").strip("`"))[-3:] == ["doctor", "--home", ODD]
    assert shlex.split(home_option(Path(ODD))) == ["--home", ODD]
    assert shlex.split(quoted_path(Path(ODD))) == [ODD]


def test_the_default_house_is_named_where_the_environment_names_another(monkeypatch: pytest.MonkeyPatch) -> None:
    assert home_option(DEFAULT_HOME) == ""
    monkeypatch.setenv("PERRON_HOME", "/etc/perron/home.yaml")
    assert shlex.split(home_option(DEFAULT_HOME)) == ["--home", str(DEFAULT_HOME)]


@pytest.mark.slow
def test_what_a_failing_command_says_to_do_works_as_it_is_printed(home_file: Path) -> None:
    told = run_perron("claim-code", "--home", home_file)
    assert told.returncode == ExitCode.NO_ANSWER
    assert f"way-in --home {home_file}`" in told.stderr


@pytest.mark.slow
@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "log"])
def test_run_names_its_house_in_the_commands_that_it_prints(tmp_path: Path, *, terminal: bool) -> None:
    folder = tmp_path / "my house"
    made = make_house(folder)
    home = shlex.quote(str(folder / "home.yaml"))
    assert f"claim-code --home {home}" in made.stdout
    with start_command("run", "--home", folder / "home.yaml", terminal=terminal) as told:
        told.until(f"claim-code --home {home}`")
        if terminal:
            told.until(f"doctor --home {home}` looks for the cause")
        line = next(one for one in told.text.splitlines() if "claim-code" in one)
        words = shlex.split(line.partition("`")[2].partition("`")[0])
        code = run_perron(*words[1:])
    assert (code.returncode, len(code.stdout.strip()) > 8) == (ExitCode.DONE, True), (
        "pasted as it is printed, it shows the code"
    )


@pytest.mark.slow
def test_a_report_takes_no_names_from_a_house_file_that_only_lies_there(tmp_path: Path) -> None:
    """As README's line has it: no --home, and config/home.yaml of this folder is another house."""
    folder, _ = seal_visit(tmp_path)
    out = tmp_path / "visit.pdf"
    told = run_perron("report", folder, out)
    assert told.returncode == ExitCode.DONE
    assert "a release that did not record names, zone and language" in told.stdout
    house = next(
        line for line in (ROOT / DEFAULT_HOME).read_text(encoding="utf-8").splitlines() if line.startswith("name:")
    )
    for page in read_pdf(out.read_bytes(), tmp_path).words:
        assert house.removeprefix("name:").strip().strip('"') not in page


@pytest.mark.slow
def test_a_report_takes_no_names_from_a_house_whose_box_has_another_key(home_file: Path, tmp_path: Path) -> None:
    folder, key = seal_visit(tmp_path)
    out, keys = tmp_path / "visit.pdf", home_file.parent / "var" / "key"
    keys.mkdir(parents=True)
    text = home_file.read_text(encoding="utf-8")
    home_file.write_text(text.replace("box: perron-demo", "box: box-1"), encoding="utf-8")
    for pem, own in ((key.public.pem, True), (type(key).generate().public.pem, False)):
        (keys / "box.pub.pem").write_bytes(pem)
        told = run_perron("report", folder, out, "--language", "en", "--home", home_file)
        assert (told.returncode == ExitCode.DONE) is own
        assert ("its box is box-1, with another key" in told.stderr) is not own
