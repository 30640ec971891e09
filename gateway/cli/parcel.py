"""`perron parcel`: lets an owner without a phone announce parcels of his own, list them and withdraw them."""

import asyncio
import re
from collections.abc import Mapping
from contextlib import closing
from datetime import date, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from gateway.cli.broker import send_owner_request
from gateway.cli.failure import ExitCode, Failure, load_home, resolve_entrance
from gateway.cli.lines import DEFAULT_HOME
from gateway.cli.options import HomeFile, cli, print_line
from gateway.config.home import Home
from gateway.domain.delivery.own_parcel import CARRIERS
from gateway.evidence.rollback import STORE_FILE
from gateway.protocol.keys import shown_ending
from gateway.runtime.own_parcels import PARCEL_REFUSAL_TEXTS
from gateway.storage.own_parcels import OwnParcel, parcels
from gateway.storage.schema import connect
from gateway.system.clock import read_clock
from gateway.system.dates import window_text
from gateway.system.i18n import SOURCE

_RELATIVE_DAY = re.compile(r"\+(\d{1,2})d", re.ASCII)
_LIST_HINT = "`perron parcel --list` shows which parcels are announced."


@cli.example(
    "perron parcel 8L20524752032",
    'perron parcel "https://www.laposte.fr/outils/suivre-vos-envois?code=8L20524752032" --entrance garage --today',
    "perron parcel 1Z999AA10123456784 --day +1d --hours 14:00-18:00 --note shoes",
    "perron parcel --list",
    "perron parcel --comes-today colissimo-3f2a9c1e",
    "perron parcel --cancel colissimo-3f2a9c1e",
)
def parcel(  # noqa: PLR0913 - one argument an option of the command
    number: Annotated[
        str | None, typer.Argument(help="Its tracking number, the code of its label, or the link to its tracking.")
    ] = None,
    *,
    home: HomeFile = DEFAULT_HOME,
    entrance: Annotated[
        str | None, typer.Option(help="Which entrance; needed if the house has several.", metavar="ID")
    ] = None,
    place: Annotated[str | None, typer.Option(help="Where it is put; the first place if left out.")] = None,
    day: Annotated[str | None, typer.Option(help="On which day: 2026-12-01, or +1d for tomorrow; else today.")] = None,
    until: Annotated[
        str | None, typer.Option("--to", help="Up to which day, written alike, a week at most.", metavar="TEXT")
    ] = None,
    hours: Annotated[str | None, typer.Option(help="In which hours of a single day: 14:00-18:00.")] = None,
    carrier: Annotated[
        str | None, typer.Option(help=f"Who brings it, if the number does not show that: {', '.join(CARRIERS)}.")
    ] = None,
    note: Annotated[str, typer.Option(help="What it is, for you.")] = "",
    today: Annotated[bool, typer.Option("--today", help="Say yourself that it is out for delivery today.")] = False,
    show: Annotated[bool, typer.Option("--list", help="List the announced parcels.")] = False,
    cancel: Annotated[str | None, typer.Option(help="Withdraw the parcel of this id.", metavar="ID")] = None,
    comes_today: Annotated[
        str | None, typer.Option(help="Say that the parcel of this id is out for delivery today.", metavar="ID")
    ] = None,
) -> None:
    """Announce a parcel of your own, from any shop, as the owner. It comes in once, while it is out for delivery."""
    house = load_home(home)
    if (number is not None) + show + (cancel is not None) + (comes_today is not None) != 1:
        what = "Give one of a number, --list, --cancel and --comes-today."
        raise Failure(what, "See the examples in `perron parcel --help`.")
    if show:
        print_line(*list_parcels(house))
    elif number is not None:
        request = {
            "number": number, "day": day, "until": until, "hours": hours, "carrier": carrier, "note": note,
            "today": today, "place": place,
        }  # fmt: skip
        print_line(asyncio.run(announce(house, resolve_entrance(house, entrance), request)))
    else:
        print_line(asyncio.run(change(house, cancel, comes_today)))


async def announce(home: Home, entrance: str, given: Mapping[str, Any]) -> str:
    """Announce a parcel to an entrance; return once the gateway has stored it."""
    today = read_clock(home.clock).utc.astimezone(ZoneInfo(home.timezone)).date()
    place = given["place"] or next(iter(home.entrances[entrance].places))
    last = None if given["until"] is None else _day(given["until"], today)
    request = {
        "do": "announce_parcel", "number": given["number"], "place": place, "last_day": last, "hours": given["hours"],
        "first_day": _day(given["day"] or "+0d", today), "carrier": given["carrier"], "note": given["note"],
        "comes_today": given["today"],
    }  # fmt: skip
    await _send(home, entrance, {name: value for name, value in request.items() if value is not None})
    tap = entrance not in home.own_parcels.without_tap
    how = "you tap at the scan" if tap else "opens without your tap"
    return f"Announced: {entrance}, {place}; {how}. {_LIST_HINT}"


def _day(text: str, today: date) -> str:
    """Return the day as the request has it: `+1d` is the day after today."""
    match = _RELATIVE_DAY.fullmatch(text)
    return text if match is None else (today + timedelta(days=int(match[1]))).isoformat()


async def change(home: Home, cancel: str | None, comes_today: str | None) -> str:
    """Withdraw a parcel, or say that it comes today. An id may be cut after its first characters."""
    id_ = _whole_id(home, cancel or comes_today or "")
    do = "cancel_parcel" if cancel is not None else "parcel_today"
    await _send(home, next(iter(home.entrances)), {"do": do, "parcel": id_})
    return f"Withdrawn: {id_}." if cancel is not None else f"It may come in today: {id_}."


def list_parcels(home: Home) -> list[str]:
    """Return one line for each announced parcel that the store has. What tracking reports, the page My parcel shows."""
    zone, now = ZoneInfo(home.timezone), read_clock(home.clock).utc
    return [_line(one, zone, now) for one in _stored(home)] or ["No parcel is announced."]


def _stored(home: Home) -> tuple[OwnParcel, ...]:
    file = home.storage.folder / STORE_FILE
    if not file.exists():
        raise Failure(f"There is no store at {file}.", "Start the gateway once with `perron run`.")
    with closing(connect(file, writes=False)) as store:
        return parcels(store)


def _line(one: OwnParcel, zone: ZoneInfo, now: datetime) -> str:
    order, usage = one.row.order, one.row.usage
    day = now.astimezone(zone).date()
    if one.elsewhere is not None:
        state = "delivered elsewhere, says its carrier"
    elif order.cancelled:
        state = "withdrawn"
    elif usage.used:
        state = usage.outcomes[-1].value.replace("_", " ") if usage.outcomes else "at the door"
    elif order.end <= now:
        state = "over"
    else:
        state = "comes today, as you said" if order.said_day == day else "expected"
    span = window_text(order.start, order.end, zone, today=day).to(SOURCE)
    what = f"{order.carrier} …{shown_ending(one.code)}"
    return "  ".join(filter(None, (order.id, what, f"{order.entrance}/{order.place}", span, state, one.note)))


def _whole_id(home: Home, start: str) -> str:
    ids = [one.row.order.id for one in _stored(home) if start and one.row.order.id.startswith(start)]
    if start in ids or len(ids) == 1:
        return start if start in ids else ids[0]
    what = f"No announced parcel has the id {start!r}." if not ids else f"Several parcels' ids begin with {start!r}."
    raise Failure(what, _LIST_HINT)


async def _send(home: Home, entrance: str, request: Mapping[str, Any]) -> None:
    refusal = await send_owner_request(home, entrance, request, todo=f"Take it as not done: {_LIST_HINT}")
    if refusal is not None:
        code = refusal.removeprefix("no parcel: ")
        known = PARCEL_REFUSAL_TEXTS.get(code)
        what = known.to("en") if known is not None else f"The gateway says no: {refusal}."
        raise Failure(what, _LIST_HINT, ExitCode.NEGATIVE)
