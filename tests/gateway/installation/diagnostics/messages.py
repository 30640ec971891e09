"""Reads the messages of an examination out of the source of its modules."""

import ast
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from gateway.installation import capability, diagnostics
from gateway.system.i18n import Text

DIAGNOSTICS = [ast.parse(path.read_text(encoding="utf-8")) for path in Path(diagnostics.__path__[0]).glob("*.py")]
CAPABILITY = ast.parse(Path(capability.__file__).read_text(encoding="utf-8"))
COMPLAINT_TABLES = ("FAULT_TEXTS", "NOT_QUERIED", "_TLS_ERRORS")


def message_of(node: ast.AST) -> Text | None:
    match node:
        case ast.Call(func=ast.Name("_"), args=[ast.Constant(str(message))]):
            return Text(message)
        case ast.Call(func=ast.Name("pgettext"), args=[ast.Constant(str(context)), ast.Constant(str(message))]):
            return Text(message, context)
    return None


def messages_in(node: ast.AST) -> Iterator[Text]:
    yield from filter(None, map(message_of, ast.walk(node)))


def every_message() -> Iterator[Text]:
    for tree in (*DIAGNOSTICS, CAPABILITY):
        yield from messages_in(tree)


def complaints() -> Iterator[Text]:
    """Every message of an examination, but subjects, remedies, good statements and what a device reports."""
    for tree in DIAGNOSTICS:
        others = {id(node) for part in parts_without_complaint(tree) for node in ast.walk(part)}
        for node in ast.walk(tree):
            message = message_of(node)
            if message is not None and id(node) not in others:
                yield message


def parts_without_complaint(tree: ast.AST) -> Iterator[ast.AST]:
    assigned = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Assign)}
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name("good"), args=args):
                yield from args
            case ast.Call(func=ast.Name("bad" | "doubtful"), args=[subject, _, *remedy]):
                yield from (subject, *remedy)
            case ast.Call(func=ast.Name("Finding"), args=[subject, _, _, remedy]):
                yield from (subject, remedy)
            case ast.Tuple(elts=[_, remedy]) if id(node) not in assigned:
                yield remedy
            case ast.keyword(arg="todo", value=remedy):
                yield remedy
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                yield from (value for name, value in zip(names, values, strict=True) if is_without_complaint(name))
            case ast.Assign(targets=[name], value=value) | ast.AnnAssign(target=name, value=ast.AST() as value):
                if is_without_complaint(name):
                    yield value
            case ast.FunctionDef(name="report_text" | "stream_subject" | "_rejoin_todo"):
                yield node


def is_without_complaint(target: ast.expr) -> bool:
    return isinstance(target, ast.Name) and (
        target.id in ("subject", "todo") or (target.id.isupper() and target.id not in COMPLAINT_TABLES)
    )


def forbidding() -> Iterator[Text]:
    """The capabilities that forbid a visit while nobody is home: the text is in the call, or in the line before."""
    for node in ast.walk(CAPABILITY):
        match node:
            case ast.Call(func=ast.Name("Capability"), args=[_, text], keywords=[ast.keyword(arg="forbids")]):
                yield from messages_in(text)
        body = getattr(node, "body", None)
        for before, statement in pairwise(body) if isinstance(body, list) else ():
            if isinstance(before, ast.Assign) and "forbids=True" in ast.unparse(statement):
                yield from messages_in(before)
