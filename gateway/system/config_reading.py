"""Reads a configuration file as a pydantic model; each problem is one line: where, what is wrong, what to do."""

import difflib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gateway.system.config_section import (
    PATTERN_MEANINGS,
    ConfigError,
    ConfigSection,
    absolute_paths,
    describe_read_error,
)
from gateway.system.located_yaml import InvalidYaml, Loc, SourcePosition, parse_yaml, position_of
from gateway.system.regular_file import read_text
from gateway.system.text import mask_account

M = TypeVar("M", bound=BaseModel)
P = TypeVar("P", bound=ConfigSection)
Problem = tuple[Loc, str]  # where in the file, and what is wrong

MAX_SHOWN_PROBLEMS = 10  # problems of one file that are shown at once


def read_model(path: Path, model: type[M], *, todo: str, shape: str) -> tuple[M, object]:
    """Read a configuration file as `model`, and return its data too.

    `todo` ends the error of an unreadable file, `shape` is that of a scalar.

    Raises:
        ConfigError: one line a problem: file:line:column, what is wrong, what to do.
    """
    try:
        text = read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: this file cannot be read ({describe_read_error(error)}). {todo}") from error
    return parse_model(text, path, model, shape)


def read_process_file(path: Path, model: type[P], *, name: str, problems: Callable[[P], Iterable[Problem]]) -> P:
    """Read the configuration of a process beside the gateway, with paths that begin at the folder of the file.

    `perron schema <name>` describes the file. `problems` finds what no field finds by itself.

    Raises:
        ConfigError: one line a problem, as from `read_model`.
    """
    shape = f"this file is written as `key: value` lines: `perron schema {name} --markdown` describes every key."
    file, document = read_model(path, model, todo="Name another with --config.", shape=shape)
    wrong = list(problems(file))
    if wrong:
        raise config_error(path, document, wrong)
    return absolute_paths(file, path.resolve().parent)


def parse_model(text: str, path: Path, model: type[M], shape: str) -> tuple[M, object]:
    """Parse and validate the text of a configuration file; `shape` names its schema in an error."""
    try:
        data = parse_yaml(text)
    except InvalidYaml as misread:
        raise ConfigError(_problem_line(path, misread.spot, f"{misread}.")) from misread
    if not isinstance(data, dict):
        raise ConfigError(_problem_line(path, SourcePosition(1, 1), shape))
    zero_bytes = [(loc, "a text has no character \\0.") for loc, value in _texts(data) if "\0" in value]
    if zero_bytes:  # no path and no name of the system may have one
        raise config_error(path, data, zero_bytes)
    try:
        # Through JSON, because there strictness takes a list for a tuple and a text for a path, and nothing else.
        return model.model_validate_json(json.dumps(data), strict=True), data
    except ValidationError as invalid:
        errors = _without_consequences(invalid.errors(include_url=False))
        whole = model.model_json_schema()
        raise config_error(path, data, [(e["loc"], _describe_error(e, whole)) for e in errors]) from invalid


def _texts(data: object, loc: Loc = ()) -> Iterator[tuple[Loc, str]]:
    """Yield each text of a document with its place."""
    match data:
        case str():
            yield loc, data
        case dict():
            for key, value in data.items():
                yield from _texts(value, (*loc, key))
        case list():
            for number, value in enumerate(data):
                yield from _texts(value, (*loc, number))


def _without_consequences(errors: Sequence[ErrorDetails]) -> list[ErrorDetails]:
    """Leave out that a list has too few values if it has a wrong one: pydantic counts only the right ones."""
    within = {error["loc"][:n] for error in errors for n in range(len(error["loc"]))}
    return [error for error in errors if error["type"] != "too_short" or error["loc"] not in within]


def _problem_line(path: Path, position: SourcePosition, text: str) -> str:
    return f"{path}:{position.line}:{position.column}: {text}"


def config_error(path: Path, data: object, problems: Iterable[tuple[Loc, str]]) -> ConfigError:
    """Return an error with one line for each problem: its place in the file, and its text."""
    places = [(position_of(data, loc), loc, text) for loc, text in problems]
    lines = sorted({(place.line, _problem_line(path, place, text)) for place, _, text in places})
    more = [f"... and {len(lines) - MAX_SHOWN_PROBLEMS} more"] if len(lines) > MAX_SHOWN_PROBLEMS else []
    keys = dict.fromkeys((_existing_key(data, loc), text) for _, loc, text in places)
    return ConfigError("\n".join([*(line for _, line in lines[:MAX_SHOWN_PROBLEMS]), *more]),
                       tuple(keys)[:MAX_SHOWN_PROBLEMS])  # fmt: skip


def _existing_key(data: object, loc: Loc) -> str:
    """Return the part of `loc` that is in the data, with points between its levels."""
    levels: list[str] = []
    for part in loc:
        match data:
            case dict() if part in data:
                data = data[part]
                levels.append(_shorten(part))
            case list() if isinstance(part, int) and part < len(data):
                data = data[part]
    return ".".join(levels)


def _kinds(loc: Loc, whole: dict[str, Any]) -> list[str]:
    """Return the kinds that the section at this place may be of, in their order in the model."""
    field = whole["properties"][str(loc[0])]
    section = field if "discriminator" in field else next(iter(field["patternProperties"].values()))
    kinds = {ref: kind for kind, ref in section["discriminator"]["mapping"].items()}
    return [kinds[option["$ref"]] for option in section["oneOf"]]


def _describe_error(error: ErrorDetails, whole: dict[str, Any]) -> str:
    key = _describe_key([part for part in error["loc"] if part != "[key]"])
    context = error.get("ctx", {})
    match error["type"]:
        case "missing":
            return f"{key} is missing here."
        case "extra_forbidden":
            known = sorted(_known_keys(error["loc"], whole))
            close = difflib.get_close_matches(str(error["loc"][-1]), known, n=1)
            return f"{key} is not known here. " + (
                f"Did you mean `{close[0]}`?" if close else f"Known: {', '.join(known)}."
            )
        case "union_tag_not_found":
            first, *others, last = _kinds(error["loc"], whole)
            return f"say what this is: `kind: {first}`{''.join(f', {kind}' for kind in others)} or {last}."
        case "union_tag_invalid":
            meant = _meant(str(context["tag"]), context["expected_tags"])
            return (
                f"`kind: {_shorten(context['tag'])}` is unknown; it must be one of {context['expected_tags']}.{meant}"
            )
        case "string_pattern_mismatch":
            meaning = PATTERN_MEANINGS.get(context["pattern"], error["msg"])
            return f"{key} is {_shorten(repr(error['input']))}, but {meaning}."
        case "value_error":
            return f"{str(context['error']).rstrip('.')}."
        case "bool_type":
            return f"{key} is {_shorten(repr(error['input']))}: write true or false."
        case "tuple_type" | "list_type":
            return f"{key} is {_shorten(repr(error['input']))}: write a list, [{_shorten(error['input'])}]."
        case "literal_error":
            meant = _meant(str(error["input"]), context["expected"])
            if error["loc"][-1] == "vendor":
                return f"no such vendor: {_shorten(repr(error['input']))}; known are {context['expected']}.{meant}"
            return f"{key} is {_shorten(repr(error['input']))}: it can be {context['expected']}.{meant}"
        case "too_short":
            return f"{key} has {context['actual_length'] or 'none'}: write at least {context['min_length']}."
        case "too_long":
            return f"{key} has {context['actual_length'] or 'more'}: write at most {context['max_length']}."
        case kind:
            told = _describe_bound(kind, context) or f"{error['msg'][:1].lower()}{error['msg'][1:]}"
            return f"{key} is {_shorten(repr(error['input']))}: {told}."


def _describe_bound(kind: str, context: Mapping[str, Any]) -> str | None:
    """Return the bound that a number or a text does not keep; None: the error is about something else."""
    match kind:
        case "greater_than_equal":
            return f"it must be at least {_figures(context['ge'])}"
        case "greater_than":
            return f"it must be more than {_figures(context['gt'])}"
        case "less_than_equal":
            return f"it must be at most {_figures(context['le'])}"
        case "less_than":
            return f"it must be less than {_figures(context['lt'])}"
        case "string_too_short":
            return f"it must have at least {context['min_length']} characters"
        case "string_too_long":
            return f"it must have at most {context['max_length']} characters"
        case _:
            return None


def _figures(bound: float) -> str:
    return str(int(bound)) if bound == int(bound) else str(bound)


def _meant(written: str, quoted: str) -> str:
    """Return a question for the closest of the words in quotes; empty if none is close."""
    close = difflib.get_close_matches(written, re.findall(r"'([^']+)'", quoted), n=1, cutoff=0.75)
    return f" Did you mean `{close[0]}`?" if close else ""


def _describe_key(loc: Sequence[str | int]) -> str:
    """Return the name of the key at `loc`; a value of a list is counted from 1."""
    match loc:
        case [*_, str(name), int(index)]:
            return f"value {index + 1} of `{_shorten(name)}`"
        case [*_, name]:
            return f"`{_shorten(name)}`"
        case _:
            return "this"


def _shorten(value: object) -> str:
    """Shorten a value of the file for an error, without credentials and control characters."""
    plain = mask_account(str(value))
    text = re.sub(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]", "?", plain)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _known_keys(loc: tuple[str | int, ...], schema: dict[str, Any]) -> set[str]:
    node: dict[str, Any] = schema
    for part in loc[:-1]:
        if "discriminator" in node and part in node["discriminator"]["mapping"]:
            node = {"$ref": node["discriminator"]["mapping"][part]}
        elif isinstance(part, int):
            node = node.get("items", {})
        elif part in node.get("properties", {}):
            node = node["properties"][part]
        else:
            patterns = node.get("patternProperties", {})
            node = node.get("additionalProperties") or next(iter(patterns.values()), {})
        node = next((option for option in node.get("anyOf", []) if option.get("type") != "null"), node)
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rpartition("/")[2]]
    return set(node.get("properties", {}))
