"""`perron pause`: lets an owner without a phone plan, list and end pauses of deliveries."""

import asyncio
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from gateway.cli.broker import json_body, open_session, send_owner_request, wait_for_message
from gateway.cli.failure import ExitCode, Failure, load_home, resolve_entrance
from gateway.cli.lines import DEFAULT_HOME
from gateway.cli.options import HomeFile, cli
from gateway.config.home import Home
from gateway.config.topics import BRIDGE_STATE, entrance_topic
from gateway.domain.pause import PauseRefusal, parse_local_time
from gateway.mqtt.packets import InboundMessage
from gateway.mqtt.publisher import rfc3339_ms
from gateway.system.clock import read_clock
from gateway.system.dates import moment_text
from gateway.system.i18n import SOURCE
from gateway.web.texts.catalogue import TEXTS

RETAINED_TIMEOUT_S = 2.0  # seconds for the broker to hand out what it keeps
_RELATIVE_TIME = re.compile(r"\+(\d{1,5})([mhd])", re.ASCII)
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_TIME_FORMAT_HINT = 'Write it in the house\'s own time, as "2026-11-28 18:00", or from now on: +90m, +2h, +3d.'


@cli.example(
    "perron pause --to +2h",
    "perron pause --from +2h --to +8h",
    "perron pause garage --to +5d",
    "perron pause --list",
    "perron pause --end 3f2a9c1e",
)
def pause(  # noqa: PLR0913 - one argument an option of the command
    entrance: Annotated[str | None, typer.Argument(help="Which entrance; all of them if left out.")] = None,
    *,
    home: HomeFile = DEFAULT_HOME,
    start: Annotated[
        str, typer.Option("--from", help='When it begins, in the house\'s own time: "2026-11-28 18:00", +2h.')
    ] = "now",
    until: Annotated[str | None, typer.Option("--to", help="When it ends, written alike.", metavar="TEXT")] = None,
    show: Annotated[bool, typer.Option("--list", help="Tell which pauses stand.")] = False,
    end: Annotated[str | None, typer.Option(help="End or withdraw the pause of this id.", metavar="ID")] = None,
) -> None:
    """Let no delivery in from-to, as the owner. It ends by itself; a visit under way when it begins ends as usual."""
    house = load_home(home)
    where = None if entrance is None else resolve_entrance(house, entrance)
    if (until is not None) + show + (end is not None) != 1:
        raise Failure("Say one of --to, --list and --end.", "See the examples in `perron pause --help`.")
    if show:
        typer.echo("\n".join(asyncio.run(list_pauses(house))))
    elif end is not None:
        typer.echo(asyncio.run(end_pause(house, end)))
    elif until is not None:
        typer.echo(asyncio.run(plan_pause(house, where, start=start, end=until)))


async def plan_pause(home: Home, entrance: str | None, *, start: str, end: str) -> str:
    """Pause deliveries from `start` to `end` at one entrance (None: at all); return once the gateway accepts it."""
    zone, now = ZoneInfo(home.timezone), read_clock(home.clock).utc
    begins = None if start == "now" else _parse_instant(start, zone, now, end=False)  # the box's clock says when now is
    ends = _parse_instant(end, zone, now, end=True)
    request: dict[str, Any] = {"do": "pause", "end": rfc3339_ms(ends), "everywhere": entrance is None}
    if begins is not None:
        request["start"] = rfc3339_ms(begins)
    await _send_request(home, entrance or next(iter(home.entrances)), request)
    since = "now on" if begins is None else _format_instant(begins, zone)
    return f"{entrance or 'all entrances'}: no deliveries from {since} to {_format_instant(ends, zone)}"


async def end_pause(home: Home, pause: str) -> str:
    """End a running pause, or withdraw a planned one."""
    await _send_request(home, next(iter(home.entrances)), {"do": "end_pause", "pause": pause})
    return f"Pause {pause} is ended."


async def list_pauses(home: Home) -> list[str]:
    """Return one line for each pause of the running gateway that is not over."""
    zone, topics = ZoneInfo(home.timezone), {entrance_topic(name, "state"): name for name in home.entrances}
    states: dict[str, Mapping[str, Any]] = {}
    online = False

    def all_there(incoming: InboundMessage) -> bool:
        nonlocal online
        body = json_body(incoming)
        if incoming.topic in topics:
            states[topics[incoming.topic]] = body
        else:
            online = body.get("state") == "online"
        return online and len(states) == len(topics)

    async with open_session(home.broker.account("owner"), [BRIDGE_STATE, *topics]) as session:
        if await wait_for_message(session, all_there, within=RETAINED_TIMEOUT_S) is None:
            what = "The gateway does not run, so the present pauses are unknown."
            raise Failure(what, "Start it with `perron run`.", ExitCode.NO_ANSWER)
    entrances: dict[tuple[str, str, str], list[str]] = {}  # by start, end and id of a pause
    for name, state in states.items():
        for pause in state.get("pauses", ()):
            entrances.setdefault((pause["start"], pause["end"], pause["id"]), []).append(name)
    return [
        f"{id_}  {_format_instant(datetime.fromisoformat(start), zone)} - "
        f"{_format_instant(datetime.fromisoformat(end), zone)}  {', '.join(names)}"
        for (start, end, id_), names in sorted(entrances.items())
    ] or ["No pause stands."]


async def _send_request(home: Home, entrance: str, request: Mapping[str, Any]) -> None:
    todo = "Take it as not done: `perron pause --list` tells what stands; `perron stop` stops everything."
    reason = await send_owner_request(home, entrance, request, todo=todo)
    if reason is not None:
        refusal = reason.removeprefix("no pause: ")
        known = refusal in set(PauseRefusal)
        what = TEXTS[f"pause.no.{refusal}"].to("en") if known else f"The gateway says no: {reason}."
        raise Failure(what, "`perron pause --list` tells which pauses stand.", ExitCode.NEGATIVE)


def _parse_instant(text: str, zone: ZoneInfo, now: datetime, *, end: bool) -> datetime:
    match = _RELATIVE_TIME.fullmatch(text)
    if match is not None:
        return now + timedelta(**{_UNITS[match[2]]: int(match[1])})
    instant = parse_local_time(text, zone, end=end)
    if isinstance(instant, PauseRefusal):
        why = TEXTS[f"pause.no.{instant}"].to("en")
        raise Failure(f"{text!r}: {why}", _TIME_FORMAT_HINT)
    return instant


def _format_instant(instant: datetime, zone: ZoneInfo) -> str:
    return moment_text(instant, zone).to(SOURCE)
