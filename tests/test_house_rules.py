"""The workshop's rules that no linter knows, held by reading the source."""

import ast
import builtins
import dataclasses
import gc
import importlib
import importlib.util
import io
import pkgutil
import re
import tokenize
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path
from types import MappingProxyType

import pytest

import devices
import gateway
from gateway.hub.http.problem import Code

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("house rules")]  # one process reads the source, once

ROOT = Path(__file__).parents[1]
LONGEST_FUNCTION = 60  # lines
LONGEST_FILE = 700  # lines

# Files that may be longer, each with its reason.
LONGER: dict[str, str] = {
    "gateway/hub/sdk/models.py": "`make sdk` makes it of the hub's document: nobody reads it from top to bottom",
}

# Who may read a clock beside gateway/system/clock.py, each with its reason.
CLOCKS = {
    "gateway/video/": "a process of its own: it stamps pictures with CLOCK_MONOTONIC, which all processes share",
    "gateway/app.py": "hands the clocks to the parts it builds",
    "gateway/hub/process.py": "hands the hub's clock to the parts it builds; it decides no door",
    "gateway/hub/sdk/": "runs in a retailer's program, which may hand it other clocks",
    "devices/simulators/": "devices have clocks of their own, which may be wrong",
}

BUCKETS = re.compile(r"(^|_)(utils?|helpers?|managers?|services?|misc|common)(_|$)")


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


PRODUCT = sources("gateway", "devices")
ALL = [*PRODUCT, *sources("tests")]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def walked(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(parsed(path)))


@pytest.fixture(scope="module", autouse=True)
def read_once() -> Iterator[None]:
    """Millions of nodes: nobody looks for garbage in them, and the tests behind these carry none of them along."""
    gc.disable()
    yield
    gc.enable()
    for kept in (parsed, walked, comments):
        kept.cache_clear()


def functions(node: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """All functions in a statement, wherever; an expression has none."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
        if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
            yield from functions(child)


def nodes(paths: list[Path]) -> Iterator[tuple[Path, ast.AST]]:
    for path in paths:
        for node in walked(path):
            yield path, node


def place(path: Path, node: ast.AST) -> str:
    return f"{name(path)}:{getattr(node, 'lineno', 1)}"


@cache
def comments(path: Path) -> tuple[tuple[int, str], ...]:
    with io.StringIO(path.read_text(encoding="utf-8")) as text:
        tokens = tokenize.generate_tokens(text.readline)
        return tuple((token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT)


# Where a bug is caught and handed to whoever waits for it, so that it ends the process from there.
HANDED_ON = {
    "gateway/storage/writer.py": "the writer's thread gives each caller the bug of its own job",
}


def test_a_bug_is_never_swallowed_by_a_broad_except() -> None:
    def broad(kind: ast.expr | None) -> bool:
        if isinstance(kind, ast.Tuple):
            return any(broad(one) for one in kind.elts)
        return kind is None or (isinstance(kind, ast.Name) and kind.id in {"Exception", "BaseException"})

    def raised_again(handler: ast.ExceptHandler) -> bool:
        last = handler.body[-1]
        return isinstance(last, ast.Raise) and last.exc is None

    handlers = [(path, node) for path, node in nodes(PRODUCT) if isinstance(node, ast.ExceptHandler)]
    assert [
        place(path, node)
        for path, node in handlers
        if broad(node.type) and not raised_again(node) and name(path) not in HANDED_ON
    ] == []


def test_nothing_is_suppressed_whole() -> None:
    calls = [(path, node) for path, node in nodes(PRODUCT) if isinstance(node, ast.Call)]
    assert [
        place(path, call)
        for path, call in calls
        if getattr(call.func, "attr", getattr(call.func, "id", "")) == "suppress"
        and any(ast.unparse(argument) in {"Exception", "BaseException"} for argument in call.args)
    ] == []


def test_only_the_clock_reads_the_time() -> None:
    def reads_time(node: ast.AST) -> bool:
        match node:
            case ast.Import(names=names):
                return any(alias.name == "time" for alias in names)
            case ast.ImportFrom(module="time"):
                return True
            case ast.Call(func=ast.Attribute(attr="now" | "utcnow" | "today", value=value)):
                return ast.unparse(value) in {"datetime", "date", "datetime.datetime", "datetime.date"}
            case _:
                return False

    readers = [(path, node) for path, node in nodes(PRODUCT) if reads_time(node)]
    assert [
        place(path, node)
        for path, node in readers
        if name(path) != "gateway/system/clock.py" and not name(path).startswith(tuple(CLOCKS))
    ] == []


def test_what_is_printed_keeps_its_characters() -> None:
    """Rich turns `:100:`, as after the name of a file, into a picture."""
    made = [(path, node) for path, node in nodes(PRODUCT) if _makes_console(node)]
    assert len(made) > 3
    assert [place(path, call) for path, call in made if "emoji=False" not in ast.unparse(call)] == []


def _makes_console(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "Console"


def test_what_decides_is_never_asynchronous() -> None:
    pure = sources("gateway/domain/visit", "gateway/domain/delivery", "devices/vendors")
    waiting = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    assert [place(path, node) for path, node in nodes(pure) if isinstance(node, waiting)] == []


def test_no_function_is_longer_than_a_screen() -> None:
    assert [
        f"{place(path, node)} {node.name}: {(node.end_lineno or node.lineno) - node.lineno + 1} lines"
        for path in ALL
        for node in functions(parsed(path))
        if (node.end_lineno or node.lineno) - node.lineno + 1 > LONGEST_FUNCTION
    ] == []


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    lengths = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in ALL}
    too_long = {file: length for file, length in lengths.items() if length > LONGEST_FILE}
    assert too_long.keys() - LONGER.keys() == set(), too_long
    assert LONGER.keys() - too_long.keys() == set(), "these are short again: take them off the list"


def test_a_module_is_a_noun_of_the_field_and_no_bucket() -> None:
    assert [name(path) for path in ALL if BUCKETS.search(path.stem)] == []


@pytest.mark.parametrize(
    ("comment", "reason"),
    [
        ("# noqa: S603 - our own command", True),
        ("# noqa: S603", False),
        ("# noqa: S603, E501", False),
        ("# type: ignore[arg-type]", False),
        ("# type: ignore[arg-type]  # the library has no types", True),
        ("# noqa: ARG001 (its topic is its whole address)", True),
    ],
)
def test_what_counts_as_a_reason(comment: str, *, reason: bool) -> None:
    assert gives_reason(comment) is reason


def gives_reason(comment: str) -> bool:
    rest = re.sub(
        r"#\s*(noqa(:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*)?|type:\s*ignore(\[[\w,\s-]+\])?|pragma:\s*[\w ]+)", "", comment
    )
    return re.search(r"\w{3}", rest) is not None


def test_whoever_silences_a_tool_says_why() -> None:
    silencing = re.compile(r"#\s*(noqa|type:\s*ignore|pragma:\s*no)")
    assert [
        f"{name(path)}:{line} {comment}"
        for path in ALL
        for line, comment in comments(path)
        if silencing.search(comment) and path != Path(__file__) and not gives_reason(comment)
    ] == []


def test_nothing_is_left_for_later() -> None:
    later = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    assert [
        f"{name(path)}:{line}"
        for path in ALL
        for line, comment in comments(path)
        if later.search(comment) and path != Path(__file__)
    ] == []


RAISES = re.compile(r"^( *)Raises:\n((?:\1 +.*\n?|\n)+)", re.MULTILINE)


def named_errors(docstring: str) -> Iterator[str]:
    """The exceptions that a docstring's `Raises:` names: in `Name, other.Name: when` all before the colon."""
    for section in RAISES.finditer(docstring):
        lines = section[2].splitlines()
        indent = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
        for line in lines:
            if line[indent : indent + 1].strip():
                yield from re.split(r", | or ", line.strip().partition(":")[0])


def known_names(path: Path) -> Iterator[str]:
    """The names that a module imports, wherever in it."""
    for node in walked(path):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)


@pytest.mark.parametrize(
    ("docstring", "names"),
    [
        ("Do it.\n\nRaises:\n    ValueError: it is late,\n        very: late.\n    KeyError, OSError: it is gone.\n",
         ["ValueError", "KeyError", "OSError"]),
        ("Do it.\n\n    Raises:\n        sqlite3.Error: always.\n\n    It is done.", ["sqlite3.Error"]),
    ],
)  # fmt: skip
def test_what_counts_as_a_named_exception(docstring: str, names: list[str]) -> None:
    assert list(named_errors(docstring)) == names


def error_exists(error: str, classes: Collection[str], imported: Collection[str]) -> bool:
    package, dot, _ = error.partition(".")
    return error in classes or package in imported or (dot != "" and importlib.util.find_spec(package) is not None)


def test_every_exception_that_a_docstring_names_exists() -> None:
    classes = {node.name for _, node in nodes(PRODUCT) if isinstance(node, ast.ClassDef)} | vars(builtins).keys()
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    assert [
        f"{place(path, node)} {error}"
        for path, node in nodes(PRODUCT)
        if isinstance(node, documented)
        for error in named_errors(ast.get_docstring(node) or "")
        if not error_exists(error, classes, set(known_names(path)))
    ] == []


def test_no_document_and_no_source_keeps_the_marks_of_a_merge() -> None:
    texts = [*ALL, *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md"), *(ROOT / "gateway").rglob("*.po")]
    mark = re.compile(r"^(<{7}|={7}|>{7})( |$)", re.MULTILINE)
    assert [str(path.relative_to(ROOT)) for path in texts if mark.search(path.read_text(encoding="utf-8"))] == []


def test_no_stub_is_left_in_the_product() -> None:
    """A body of `...` is the shape of a protocol or an overload, nowhere else."""
    trees = [(path, parsed(path)) for path in PRODUCT]
    stubs = []
    for path, tree in trees:
        shapes = {
            id(inner)
            for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef) and any("Protocol" in ast.unparse(base) for base in node.bases)
            for inner in ast.walk(node)
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or id(node) in shapes:
                continue
            if any(ast.unparse(decorator) == "overload" for decorator in node.decorator_list):
                continue
            last = node.body[-1]
            unwritten = isinstance(last, ast.Raise) and "NotImplementedError" in ast.unparse(last)
            empty = isinstance(last, ast.Expr) and isinstance(last.value, ast.Constant) and last.value.value is ...
            if unwritten or empty:
                stubs.append(place(path, node))
    assert stubs == []


def test_every_stable_code_of_the_hub_s_api_is_explained_and_each_is_said_somewhere() -> None:
    unexplained = [code.name for code in Code if not (code.kind.title and code.kind.means and code.kind.todo)]
    assert not unexplained, "gateway/hub/http/problem.py says of each code what it means and what to do"
    sources = [file for file in (ROOT / "gateway" / "hub").rglob("*.py") if file.name != "hub/problem.py"]
    text = "\n".join(file.read_text(encoding="utf-8") for file in sources)
    unsaid = [code.name for code in Code if not re.search(rf"\bCode\.{code.name}\b", text)]
    assert not unsaid, "no request is refused so any more: take the code out"


def test_no_field_of_a_dataclass_has_a_default_that_python_3_11_refuses() -> None:
    """Nothing imports where one has: there a default whose class has no hash counts as mutable, a mapping proxy too."""
    wrong = []
    for package in (devices, gateway):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if found.name.endswith("__main__") or ".alembic." in found.name:  # they run when they are imported
                continue
            for kind in vars(importlib.import_module(found.name)).values():
                if isinstance(kind, type) and dataclasses.is_dataclass(kind):
                    wrong += [
                        f"{kind.__module__}.{kind.__name__}.{one.name}"
                        for one in dataclasses.fields(kind)
                        if isinstance(one.default, MappingProxyType)
                    ]
    assert wrong == []
