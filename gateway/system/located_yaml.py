"""Parses YAML and keeps the line and column of every value.

It accepts plain data only: no aliases (which could multiply data), no tags, no repeated keys, limited size and depth.
Text that looks like a date stays text.
"""

import math
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedBase, CommentedMap, CommentedSeq
from ruamel.yaml.constructor import RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, NodeEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode
from ruamel.yaml.parser import Parser

from gateway.domain.frozen import Frozen
from gateway.system.text import error_line

MAX_YAML_BYTES = 262_144  # bytes
MAX_DEPTH = 16  # levels; home.yaml needs six
MAX_NUMBER_DIGITS = 18  # digits of a number

Loc = Sequence[str | int]


class SourcePosition(Frozen, kw_only=False):
    """A place in the file, counted from 1."""

    line: int
    column: int


class InvalidYaml(Exception):  # noqa: N818 - the name states the fault
    """The text is not plain YAML. `spot` is the place."""

    def __init__(self, what: str, spot: SourcePosition) -> None:
        super().__init__(what)
        self.spot = spot


def position_of(data: object, loc: Loc) -> SourcePosition:
    """Return the place of the value at `loc` in parsed data; for a missing value, the place of its parent."""
    spot = SourcePosition(1, 1)
    if isinstance(data, CommentedBase):
        spot = SourcePosition(data.lc.line + 1, data.lc.col + 1)
    for part in loc:
        if isinstance(data, CommentedMap) and part in data:
            line, column = data.lc.key(part)  # people search for the key, not for its value
        elif isinstance(data, CommentedSeq) and isinstance(part, int) and part < len(data):
            line, column = data.lc.item(part)
        else:
            continue
        data, spot = data[part], SourcePosition(line + 1, column + 1)
    return spot


def parse_yaml(text: str) -> object:
    """Parse YAML as dicts, lists, strings, numbers, booleans and None. InvalidYaml: it is not YAML, or has more."""
    if len(text.encode()) > MAX_YAML_BYTES:
        raise InvalidYaml(f"the file is larger than {MAX_YAML_BYTES // 1024} KiB", SourcePosition(1, 1))
    try:
        yaml = YAML(typ="safe", pure=True)
        yaml.Parser, yaml.Constructor = _PlainParser, _PlainConstructor
        return yaml.load(text)
    except MarkedYAMLError as error:
        raise _explain(error, text.splitlines()) from error
    except YAMLError as error:
        raise InvalidYaml(f"this is not valid YAML: {error_line(error)}", SourcePosition(1, 1)) from error


_SYNTAX_HINTS = (  # a sign in the library's text, what is wrong, and whether that is where the error's context began
    (r"'\t'", "a tab stands here: use spaces", False),
    ("cannot start any token", 'a text that begins like this needs quotes: write "..." around it', False),
    ("could not find expected ':'", "this line has no value: write `key: value`, with a space behind the colon", True),
    ("flow", "the list or section that begins here does not end as it must: close it with ] or }", True),
    ("quoted scalar", "the quotation mark that stands here is never closed", True),
    ("found '<scalar>'", 'the quotation ends before its line does: put the whole text into "..."', False),
)


def _explain(error: MarkedYAMLError, lines: Sequence[str]) -> InvalidYaml:
    marks = [mark for mark in (error.problem_mark, error.context_mark) if mark is not None]
    places = [SourcePosition(mark.line + 1, mark.column + 1) for mark in marks] or [SourcePosition(1, 1)]
    problem = f"{error.context or ''}, {error.problem or ''}"
    for sign, hint, is_at_beginning in _SYNTAX_HINTS:
        if sign in problem:
            return InvalidYaml(hint, places[-1] if is_at_beginning else places[0])
    if "mapping values" in problem or "block" in problem:
        return _explain_indentation(lines, places[0])
    return InvalidYaml(f"this is not valid YAML ({problem.strip(', ')})", places[0])


def _explain_indentation(lines: Sequence[str], spot: SourcePosition) -> InvalidYaml:
    indentation = _indent("".join(lines[spot.line - 1 : spot.line]))  # at the file's end there is none
    opened: dict[int, int] = {}  # how far a section's lines are indented -> the last line that is
    for number, line in enumerate(lines[: spot.line - 1], start=1):
        if line.split("#")[0].strip():
            opened = {depth: n for depth, n in opened.items() if depth < _indent(line)} | {_indent(line): number}
    if indentation in opened or not opened:
        return InvalidYaml('there is a second colon in this line: put a text with `: ` in it into "..."', spot)
    fit = " or ".join(f"{depth} (as line {number})" for depth, number in opened.items())
    begins = f"this line begins with {indentation} space{'s' * (indentation != 1)}"
    description = f"{begins}, but here it can only be {fit}: one of these lines is indented wrongly"
    return InvalidYaml(description, SourcePosition(spot.line, indentation + 1))


def _indent(line: str) -> int:
    """Return the column of the line's key; a list's dash counts as a space."""
    return len(line) - len(line.lstrip(" -"))


class _PlainParser(Parser):
    """Refuses everything but plain data while it reads, so the cost is limited by the length of the text."""

    _depth = 0

    def get_event(self) -> Any:  # noqa: ANN401 - the library's
        event = super().get_event()
        spot = SourcePosition(event.start_mark.line + 1, event.start_mark.column + 1)
        if isinstance(event, AliasEvent) or (isinstance(event, NodeEvent) and event.anchor is not None):
            raise InvalidYaml("anchors and aliases (&, *) are not read here: write the value out", spot)
        self._depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if self._depth > MAX_DEPTH:
            raise InvalidYaml(f"nothing here is nested more than {MAX_DEPTH} deep", spot)
        return event


class _PlainConstructor(RoundTripConstructor):
    """Makes dicts and lists with positions (`.lc`) and plain values; refuses tags."""

    def construct_mapping(  # type: ignore[override] # the library's own subclass differs from its base here
        self,
        node: Node,
        maptyp: CommentedMap,
        deep: bool = False,  # noqa: FBT002 - the library's
    ) -> None:
        for key, _ in node.value if isinstance(node, MappingNode) else ():
            if not isinstance(key, ScalarNode):
                raise InvalidYaml("a key must be a plain word", _position(key))
            key.tag = f"{_TAG}str"  # `1:`, `true:` and `<<:` are text too
        super().construct_mapping(node, maptyp, deep=deep)

    def check_mapping_key(self, node: Node, key_node: Node, mapping: CommentedMap, key: str, value: object) -> bool:
        del node, value
        if key in mapping:
            raise InvalidYaml(f"`{key}` stands here twice: keep one", _position(key_node))
        return True

    def plain(self, node: Node) -> str | int | float | bool | None:
        """Return the value of a scalar. InvalidYaml: another node, or a tag that plain YAML does not have."""
        if not isinstance(node, ScalarNode):
            raise InvalidYaml("this is neither a value, a list nor a section", _position(node))
        text: str = node.value
        match str(node.tag).removeprefix(_TAG):
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int" | "float" if len(text) <= MAX_NUMBER_DIGITS:
                return _number(text, node)
            case "str" | "timestamp":
                return text
            case _:
                raise InvalidYaml("this value is not a text, number, true, false or null", _position(node))


_TAG = "tag:yaml.org,2002:"
_PlainConstructor.yaml_constructors = {  # without the tags that make sets, bytes or dates
    f"{_TAG}map": _PlainConstructor.construct_yaml_map,
    f"{_TAG}seq": _PlainConstructor.construct_yaml_seq,
    None: _PlainConstructor.plain,
}


def _number(text: str, node: ScalarNode) -> int | float:
    for parse in (int, float):
        with suppress(ValueError):
            number: int | float = parse(text)
            if math.isfinite(number):
                return number
    raise InvalidYaml("this is not a plain number: write it like 20 or 2.5", _position(node))


def _position(node: Node) -> SourcePosition:
    return SourcePosition(node.start_mark.line + 1, node.start_mark.column + 1)
