"""Looks at the line to the hub: what the box proves itself by, the hub's broker, the hub itself, its clock."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from http import HTTPStatus
from http.client import HTTPException
from typing import Final
from urllib.error import HTTPError
from urllib.request import Request

from gateway.config.errors import ConfigError
from gateway.config.home import Home, HubSection
from gateway.installation.diagnostics.finding import Fact, Finding, Said, Verdict
from gateway.installation.diagnostics.trouble import why
from gateway.integrations.hub_client import enrolment
from gateway.integrations.hub_client.link_status import kept
from gateway.integrations.hub_client.unenrolment import by_claim
from gateway.mqtt.tls import certificate_expiry, error_text
from gateway.runtime.maintenance import reload
from gateway.system.bounded_http import answer_to
from gateway.system.clock import machine_time

SLOW: Final = 3.0  # seconds for the hub, its broker or a name to answer
LATE: Final = 25  # days left of the certificate, which is renewed from 30 on
ASTRAY: Final = 60  # seconds that two clocks may differ: a message is refused that seems to come from later


async def by_the_hub(home: Home, found: list[Finding], *, here: bool) -> None:
    """Add to `found` what there is to say of the hub. `here`: the gateway itself looks, so it runs."""
    section = home.hub
    if section is None:
        return
    found += await asyncio.to_thread(lambda: tuple(_identity(home, section)))
    broker, site = await asyncio.gather(_broker(section), _site(home, section))
    found += [broker, *site]
    found += await asyncio.to_thread(lambda: tuple(_line(home, section, here=here)))


def _identity(home: Home, section: HubSection) -> Iterator[Finding]:
    """What the box proves itself by there, where it got that for a claim."""
    if not by_claim(home, section):
        return
    what, folder = Said("what.hub_certificate"), home.storage.folder / enrolment.FOLDER
    try:
        mine = enrolment.identity(folder)
    except (enrolment.Damaged, OSError) as error:
        said = Said("hub.identity.unreadable", {"why": why(error)})
        yield Finding(what, Verdict.BAD, said, Said("hub.again.todo", {"home": section.home}))
        return
    if mine is None:
        said = Said("hub.identity.none", {"file": folder / enrolment.IDENTITY})
        yield Finding(what, Verdict.BAD, said, Said("hub.again.todo", {"home": section.home}))
        return
    facts: dict[str, Fact] = {"until": f"{mine.until:%Y-%m-%d}"}
    left = (mine.until - machine_time()).days
    if left < 0:
        todo = Said("hub.again.todo", {"home": section.home})
        yield Finding(what, Verdict.BAD, Said("hub.identity.over", facts), todo)
    elif left < LATE:
        yield Finding(what, Verdict.DOUBTFUL, Said("hub.identity.late", facts), Said("hub.identity.late.todo"))
    else:
        yield Finding(what, Verdict.GOOD, Said("hub.identity.good", facts))


async def _broker(section: HubSection) -> Finding:
    """Whether its name is known, and who answers there."""
    what = Said("what.hub_broker")
    facts: dict[str, Fact] = {"where": f"{section.host}:{section.port}"}

    def bad(key: str, **more: Fact) -> Finding:
        return Finding(what, Verdict.BAD, Said(f"hub.broker.{key}", {**facts, **more}), Said(f"hub.broker.{key}.todo"))

    try:
        async with asyncio.timeout(SLOW):
            until = await certificate_expiry(section.line)
            if until is None:
                _, writer = await asyncio.open_connection(section.host, section.port)
                writer.transport.abort()
    except TimeoutError:
        return bad("silent")
    except socket.gaierror:
        return bad("name")
    except ssl.SSLError as error:
        return bad("authority", why=error_text(str(error)).replace("broker.tls.ca", "hub.tls.ca"))
    except ConnectionRefusedError:
        return bad("nobody")
    except ConfigError as error:
        return bad("files", why=str(error).partition("\n")[0])
    except OSError as error:
        return bad("else", why=why(error))
    return Finding(what, Verdict.GOOD, Said("hub.broker.good", facts))


async def _site(home: Home, section: HubSection) -> tuple[Finding, ...]:
    """Whether the hub's API answers, lets this home in, and has the same time."""
    what, facts = Said("what.hub"), {"url": section.url}
    try:
        async with asyncio.timeout(SLOW + 0.5):
            theirs = await asyncio.to_thread(_time_of, section.url)
    except (OSError, ValueError, TimeoutError) as error:
        reason = getattr(error, "reason", error)
        text = "" if isinstance(error, TimeoutError) else str(getattr(reason, "strerror", None) or reason)
        told: dict[str, Fact] = {**facts, "why": Said("os.other", {"text": text or "..."})}
        return (Finding(what, Verdict.BAD, Said("hub.site.away", told), Said("hub.site.away.todo")),)
    found = [_let_in(section, await _asked(home, section))]
    astray = abs((theirs - machine_time()).total_seconds())
    clock: dict[str, Fact] = {"seconds": f"{astray:.0f}"}
    if astray > ASTRAY:
        said, todo = Said("hub.clock.astray", clock), Said("hub.clock.astray.todo")
        found.append(Finding(Said("what.hub_clock"), Verdict.BAD, said, todo))
    else:
        found.append(Finding(Said("what.hub_clock"), Verdict.GOOD, Said("hub.clock.good", clock)))
    return tuple(found)


def _time_of(url: str) -> datetime:
    """The hub's own time: what it writes with its answer.

    Raises:
        OSError: it does not answer. ValueError: it says no time.
    """
    if not url.startswith(("https://", "http://")):
        raise ValueError("no address of a hub")
    try:
        asked = Request(f"{url}/healthz")  # noqa: S310 - http and https only, above
        with answer_to(asked, patience=SLOW, longest=2 * SLOW) as answer:
            said = answer.headers["Date"]
    except HTTPError as error:
        with error:
            raise OSError(f"HTTP {error.code} {HTTPStatus(error.code).phrase}") from error
    except HTTPException as error:
        raise OSError(f"it answers something that is no hub's ({type(error).__name__})") from error
    return parsedate_to_datetime(str(said)).astimezone(UTC)


async def _asked(home: Home, section: HubSection) -> bool | None:
    """Whether the hub lets this home in; None: it does not say, or the certificate is just being renewed."""
    folder = home.storage.folder / enrolment.FOLDER
    if not by_claim(home, section) or (folder / enrolment.NEXT).exists():
        return None
    ask = partial(enrolment.over_http, patience=SLOW)
    with contextlib.suppress(enrolment.HubAway, enrolment.HubSays, enrolment.Damaged, OSError):
        return await asyncio.to_thread(enrolment.counts, section.url, folder, ask)
    return None


def _let_in(section: HubSection, let_in: bool | None) -> Finding:
    what, facts = Said("what.hub"), {"url": section.url}
    if let_in is False:
        todo = Said("hub.again.todo", {"home": section.home})
        return Finding(what, Verdict.BAD, Said("hub.site.cut_off", dict(facts)), todo)
    return Finding(what, Verdict.GOOD, Said("hub.site.good", dict(facts)))


def _line(home: Home, section: HubSection, *, here: bool) -> Iterator[Finding]:
    """How the gateway's own line stands, and what the hub has not acknowledged."""
    what, folder = Said("what.hub_line"), home.storage.folder
    line = kept(folder / enrolment.FOLDER)
    if not here and reload.gateway_in(folder) is None:
        yield Finding(what, Verdict.DOUBTFUL, Said("hub.line.none"), Said("gateway.away.todo"))
    elif line is None or line.home != section.home:
        yield Finding(what, Verdict.DOUBTFUL, Said("hub.line.never"), Said("hub.line.never.todo"))
    else:
        support = enrolment.support_code(folder / enrolment.FOLDER)
        facts: dict[str, Fact] = {
            "since": f"{line.since:%Y-%m-%d %H:%M} UTC", "waiting": str(line.waiting), "support": support or "?"
        }  # fmt: skip
        if line.up:
            yield Finding(what, Verdict.GOOD, Said("hub.line.up", facts))
        else:
            yield Finding(what, Verdict.BAD, Said("hub.line.down", facts), Said("hub.line.down.todo"))
