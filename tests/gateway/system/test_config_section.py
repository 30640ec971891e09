from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from gateway.system.config_reading import parse_model
from gateway.system.config_section import ConfigError, ConfigSection, absolute_paths


class Inner(ConfigSection):
    file: Path | None = None
    name: str = "a"


class Outer(ConfigSection):
    file: Path = Path("a.pem")
    inner: Inner | None = None
    by_name: dict[str, Inner]
    more: tuple[Inner | Path, ...] = ()


def test_relative_paths_at_any_depth_begin_at_the_folder_and_absolute_ones_stay() -> None:
    inner, at = Inner(file=Path("b")), Path("/home/perron")
    found = absolute_paths(Outer(inner=inner, by_name={"x": inner}, more=(Path("/etc/c"), inner)), at)
    assert found.file == at / "a.pem"
    assert [one.file for one in (found.inner, found.by_name["x"], found.more[1]) if isinstance(one, Inner)] == [
        at / "b"
    ] * 3
    assert found.more[0] == Path("/etc/c")


def test_what_names_no_path_keeps_what_was_not_set() -> None:
    assert absolute_paths(Inner(name="b"), Path("/home")).model_fields_set == {"name"}


class Bounded(ConfigSection):
    metres: float = Field(default=20, ge=15, le=1_000_000)
    seconds: float = Field(default=1, gt=0, lt=0.5)
    word: Annotated[str, Field(min_length=2, max_length=3)] = "ab"
    names: Annotated[tuple[Annotated[str, Field(pattern="^[a-z]$")], ...], Field(min_length=1, max_length=2)] = ("a",)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("metres: 3", "`metres` is 3: it must be at least 15."),
        ("metres: 1000001", "`metres` is 1000001: it must be at most 1000000."),
        ("seconds: 0", "`seconds` is 0: it must be more than 0."),
        ("seconds: 0.5", "`seconds` is 0.5: it must be less than 0.5."),
        ("word: a", "`word` is 'a': it must have at least 2 characters."),
        ("word: abcd", "`word` is 'abcd': it must have at most 3 characters."),
        ("names: []", "`names` has none: write at least 1."),
        ("names: [a, b, c]", "`names` has 3: write at most 2."),
        ("names: [aa]", "value 1 of `names` is 'aa', but "),
    ],
)
def test_a_bound_is_told_in_plain_words_and_once(written: str, told: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        parse_model(f"{written}\n", Path("x.yaml"), Bounded, "")
    [line] = str(wrong.value).splitlines()
    assert told in line
