"""`perron hands`: hands at the door of the simulated house, and what else may happen there."""

import asyncio
import json
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, get_args

import typer
from pydantic import BaseModel, ValidationError

from devices.simulators.control import REQUEST, HouseControl, Impossible, Request
from gateway.cli.failure import ExitCode, Failure, failure_on, load_home
from gateway.cli.lines import DEFAULT_HOME
from gateway.cli.options import HomeFile, cli, print_line
from gateway.cli.simulation import control_socket


@cli.example(
    "perron hands",
    'perron hands --who resident "turn key" open close',
    'perron hands "fault device=front-lock fault=jam" "scan code=8L20524752032"',
)
def hands(
    actions: Annotated[
        list[str] | None,
        typer.Argument(
            help='What is done, one after the other: "turn key", open, "fault device=front-lock fault=jam".',
            metavar="[ACTION]...",
        ),
    ] = None,
    *,
    who: Annotated[
        str | None, typer.Option(help="Who does it, where an action does not say: resident, courier, thief.")
    ] = None,
    control: Annotated[
        Path | None, typer.Option(help="The house's socket, where it is another.", metavar="SOCKET")
    ] = None,
    home: HomeFile = DEFAULT_HOME,
) -> None:
    """Move the simulated house's hands, doors and faults; without an action: list them all."""
    if not actions:
        print_line(*list_actions())
        return
    _refuse_split_action(actions)
    requests = [(action, parse_action(action, who)) for action in actions]
    asyncio.run(_send_actions(control or control_socket(load_home(home)), requests))


def _refuse_split_action(actions: Sequence[str]) -> None:
    """Refuse what a shell has split because the quotes were forgotten, and say how it is typed."""
    whole: list[str] = []
    for action in actions:
        if whole and all("=" in word for word in action.split()):
            whole[-1] += f" {action}"
        else:
            whole.append(action)
    if whole != list(actions):
        what = "Each action is one argument: an action with key=value needs quotes around the whole of it."
        raise Failure(what, f"Type `perron hands {shlex.join(whole)}`.")


def parse_action(action: str, who: str | None) -> Request:
    """Read an action: its name, in words or with `_`, and behind it `key=value` for what else it needs."""
    words = action.split()
    name = "_".join(word.lower().replace("-", "_") for word in words if "=" not in word)
    known = {kind.model_fields["do"].default: kind for kind in get_args(Request)}
    if name not in known:
        raise Failure(f"{name.replace('_', ' ')!r} is no action.", "`perron hands` lists them all.")
    parameters = [field for field in known[name].model_fields if field != "do"]
    fields: dict[str, object] = {"do": name, **({"who": who} if who is not None and "who" in parameters else {})}
    for key, value in (word.split("=", 1) for word in words if "=" in word):
        fields[key] = None if value == "null" else _parse_value(value) if key == "on" else value
    try:
        return REQUEST.validate_python(fields)
    except ValidationError as invalid:
        wrong = invalid.errors(include_url=False)[0]
        where = ".".join(str(part) for part in wrong["loc"][1:])
        what = "is missing" if wrong["type"] == "missing" else f"{wrong['msg'][:1].lower()}{wrong['msg'][1:]}"
        known_as = name.replace("_", " ")
        takes = " ".join(_parameter_texts(known[name])) or "nothing"
        raise Failure(f"{action!r}: {where} {what}.", f"{known_as} takes {takes}. Put the whole action into quotes:"
                      f' "{known_as} {takes}".') from invalid  # fmt: skip


def _parse_value(value: str) -> object:
    try:
        return json.loads(value)
    except ValueError:
        return value


def list_actions() -> Iterator[str]:
    """Yield one line for each action: its name, its parameters, its meaning."""
    for kind in get_args(Request):
        takes = " ".join(_parameter_texts(kind))
        name = str(kind.model_fields["do"].default).replace("_", " ")
        yield f"{f'{name} {takes}'.strip()}: {(kind.__doc__ or '').strip()}"


def _parameter_texts(kind: type[BaseModel]) -> Iterator[str]:
    """Yield `name=` for each parameter of an action, in brackets if it may be left out."""
    for name, field in kind.model_fields.items():
        if name != "do":
            yield f"{name}=" if field.is_required() else f"[{name}=]"


async def _send_actions(socket: Path, requests: Sequence[tuple[str, Request]]) -> None:
    begin = "Start it with `perron simulate`, or name its socket with --control."
    silent = f"No simulated house answers at {socket} ({{why}})."
    with (
        failure_on(OSError, f"{socket} cannot be spoken to ({{why}}).", begin),
        failure_on((FileNotFoundError, ConnectionError), silent, begin, ExitCode.NO_ANSWER),
    ):
        async with HouseControl(socket) as house:
            for action, request in requests:
                refused = f"{action}: the simulated house says no: {{why}}."
                with failure_on(Impossible, refused, "The actions before it were carried out.", ExitCode.NEGATIVE):
                    answer = await house.ask(request)
                print_line(f"{action}: {json.dumps(answer, ensure_ascii=False) if answer else 'done'}")
