from pathlib import Path

from gateway.system.config_section import ConfigSection, absolute_paths


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
