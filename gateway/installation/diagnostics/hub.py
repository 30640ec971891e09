"""Examines the connection to the hub: the box's certificate, the hub's broker, the hub itself, its clock."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from http import HTTPStatus
from http.client import HTTPException
from typing import Final
from urllib.error import HTTPError
from urllib.request import Request

from gateway.config.home import Home, HubSection
from gateway.installation.diagnostics.broker import START_GATEWAY_TODO
from gateway.installation.diagnostics.connection_errors import file_error
from gateway.installation.diagnostics.finding import Finding, bad, doubtful, good
from gateway.integrations.hub_client import enrolment
from gateway.integrations.hub_client.enrolment import read_status
from gateway.integrations.hub_client.unenrolment import is_enrolled_by_claim
from gateway.mqtt.tls import certificate_expiry, error_text
from gateway.runtime.maintenance import reload
from gateway.system.bounded_http import open_bounded
from gateway.system.clock import machine_time
from gateway.system.config_section import ConfigError
from gateway.system.dates import day_text, utc_text
from gateway.system.i18n import Fact, Text, _, pgettext

HUB: Final = _("hub")
HUB_TIMEOUT_S: Final = 3.0  # for the hub, its broker or a name server
CERTIFICATE_WARNING_DAYS: Final = 25  # it is renewed from 30 days before its end
MAX_CLOCK_DIFFERENCE_S: Final = 60  # a message from the future is refused


async def examine_hub(home: Home, *, in_gateway: bool) -> AsyncIterator[Finding]:
    """Yield the findings about the hub. `in_gateway`: the gateway itself runs the examination."""
    section = home.hub
    if section is None:
        return
    for finding in await asyncio.to_thread(lambda: tuple(_identity_findings(home, section))):
        yield finding
    broker, api = await asyncio.gather(_broker_finding(section), _api_findings(home, section))
    link = await asyncio.to_thread(lambda: tuple(_link_findings(home, section, in_gateway=in_gateway)))
    for finding in (broker, *api, *link):
        yield finding


def _rejoin_todo(section: HubSection) -> Text:
    return _(
        "Leave the hub on the page Settings, Hub; then, over there: `perron hub-claim --again {home}`.",
        home=section.home,
    )


def _identity_findings(home: Home, section: HubSection) -> Iterator[Finding]:
    if not is_enrolled_by_claim(home, section):
        return
    subject, folder = _("hub: the box's certificate"), home.storage.folder / enrolment.HUB_FOLDER
    try:
        identity = enrolment.read_identity(folder)
    except (enrolment.DamagedIdentity, OSError) as error:
        yield bad(subject, _("it cannot be read: {why}", why=file_error(error)), _rejoin_todo(section))
        return
    if identity is None:
        yield bad(subject, _("{file} is not there", file=folder / enrolment.IDENTITY_FILE), _rejoin_todo(section))
        return
    until, days_left = day_text(identity.valid_until.date()), (identity.valid_until - machine_time()).days
    if days_left < 0:
        yield bad(subject, _("it ended on {until}", until=until), _rejoin_todo(section))
    elif days_left < CERTIFICATE_WARNING_DAYS:
        todo = _("See what is said of the hub: the gateway renews it by itself once that answers.")
        yield doubtful(subject, _("good until {until}: nobody renewed it", until=until), todo)
    else:
        yield good(subject, pgettext("an identity", "good until {until}", until=until))


async def _broker_finding(section: HubSection) -> Finding:
    subject, address = _("hub: its broker"), f"{section.host}:{section.port}"
    try:
        async with asyncio.timeout(HUB_TIMEOUT_S):
            until = await certificate_expiry(section.broker)
            if until is None:
                _reader, writer = await asyncio.open_connection(section.host, section.port)
                writer.transport.abort()
    except (OSError, ConfigError) as error:
        statement, todo = _broker_error(error)
        return bad(subject, statement.with_facts(where=address), todo)
    return good(subject, _("{where} is this hub's broker", where=address))


def _broker_error(error: OSError | ConfigError) -> tuple[Text, Text]:
    match error:
        case TimeoutError():
            todo = _("Look at the link to the internet, and whether the router lets this port out.")
            return _("{where} does not answer"), todo
        case socket.gaierror():
            todo = _("Look at this machine's DNS; the name is `hub.host` in the house file.")
            return _("{where}: nobody knows this name"), todo
        case ssl.SSLError():
            todo = _(
                "It is not the hub that was joined, or somebody intercepts the connection: ask the hub's operator."
            )
            return _("{where}: {why}", why=error_text(str(error)).replace("broker.tls.ca", "hub.tls.ca")), todo
        case ConnectionRefusedError():
            todo = _("Ask whoever runs the hub whether its broker runs; nothing is lost, it is tried again.")
            return _("{where}: nobody listens there"), todo
        case ConfigError():
            todo = _("Put that file back, or join the hub anew on the page Settings, Hub.")
            return Text("{why}").with_facts(why=str(error).partition("\n")[0]), todo
        case _:
            return _("{where} cannot be reached: {why}", why=file_error(error)), _("Look at the link to the internet.")


async def _api_findings(home: Home, section: HubSection) -> tuple[Finding, ...]:
    try:
        async with asyncio.timeout(HUB_TIMEOUT_S + 0.5):
            hub_time = await asyncio.to_thread(_hub_time, section.url)
    except (OSError, ValueError, TimeoutError) as error:
        reason = getattr(error, "reason", error)
        text = "" if isinstance(error, TimeoutError) else str(getattr(reason, "strerror", None) or reason)
        todo = _("Look at the link to the internet; else ask whoever runs the hub. Doors work without it.")
        return (bad(HUB, _("{url} does not answer ({why})", url=section.url, why=text or "..."), todo),)
    if await _is_accepted(home, section) is False:
        acceptance = bad(HUB, _("{url} no longer accepts this house", url=section.url), _rejoin_todo(section))
    else:
        acceptance = good(HUB, _("{url} answers", url=section.url))
    difference_s = abs((hub_time - machine_time()).total_seconds())
    subject, statement = _("hub: clock"), _("{seconds} s away from the hub's").with_facts(seconds=f"{difference_s:.0f}")
    if difference_s > MAX_CLOCK_DIFFERENCE_S:
        return acceptance, bad(subject, statement, _("Set the clock of whichever of the two machines is wrong."))
    return acceptance, good(subject, statement)


def _hub_time(url: str) -> datetime:
    """Return the hub's time from the Date header; OSError: the hub does not answer, ValueError: no valid date."""
    if not url.startswith(("https://", "http://")):
        raise ValueError("no address of a hub")
    try:
        request = Request(f"{url}/healthz")  # noqa: S310 - http and https only, above
        with open_bounded(request, idle_timeout_s=HUB_TIMEOUT_S, max_duration_s=2 * HUB_TIMEOUT_S) as answer:
            date = answer.headers["Date"]
    except HTTPError as error:
        with error:
            raise OSError(f"HTTP {error.code} {HTTPStatus(error.code).phrase}") from error
    except HTTPException as error:
        raise OSError(f"it answers something that is no hub's ({type(error).__name__})") from error
    return parsedate_to_datetime(str(date)).astimezone(UTC)


async def _is_accepted(home: Home, section: HubSection) -> bool | None:
    """Return whether the hub accepts this home; None: unknown, or the certificate is being renewed."""
    folder = home.storage.folder / enrolment.HUB_FOLDER
    if not is_enrolled_by_claim(home, section) or (folder / enrolment.NEXT_KEY_FILE).exists():
        return None
    send = partial(enrolment.http_request, timeout_s=HUB_TIMEOUT_S)
    return await asyncio.to_thread(enrolment.is_accepted, section.url, folder, send)


def _link_findings(home: Home, section: HubSection, *, in_gateway: bool) -> Iterator[Finding]:
    subject, folder = _("hub: line"), home.storage.folder
    link = read_status(folder / enrolment.HUB_FOLDER)
    if not in_gateway and reload.gateway_pid(folder) is None:
        yield doubtful(subject, _("no gateway runs here"), START_GATEWAY_TODO)
        return
    if link is None or link.home != section.home:
        todo = _("Reload the house file (`perron reload`); else see the gateway's log.")
        yield doubtful(subject, _("it was never up"), todo)
        return
    facts: dict[str, Fact] = {
        "since": utc_text(link.since),
        "waiting": str(link.waiting),
        "support": enrolment.support_code(folder / enrolment.HUB_FOLDER) or "?",
    }
    if link.up:
        statement = _("up since {since}; {waiting} events to be acknowledged; the house's support code {support}")
        yield good(subject, statement.with_facts(**facts))
    else:
        statement = _("down since {since}; {waiting} events wait; the house's support code {support}", **facts)
        todo = _("See what is said of the hub and of its broker; the box tries again by itself.")
        yield bad(subject, statement, todo)
