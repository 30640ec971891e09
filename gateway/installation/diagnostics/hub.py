"""Examines the connection to the hub: the box's certificate, the hub's broker, the hub itself, its clock."""

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

from gateway.config.home import Home, HubSection
from gateway.installation.diagnostics.connection_errors import file_error
from gateway.installation.diagnostics.finding import Finding, FindingVerdict, Sentence, SentenceFact
from gateway.integrations.hub_client import enrolment
from gateway.integrations.hub_client.link_status import read_status
from gateway.integrations.hub_client.unenrolment import is_enrolled_by_claim
from gateway.mqtt.tls import certificate_expiry, error_text
from gateway.runtime.maintenance import reload
from gateway.system.bounded_http import open_bounded
from gateway.system.clock import machine_time
from gateway.system.config_section import ConfigError

HUB_TIMEOUT_S: Final = 3.0  # for the hub, its broker or a name server
CERTIFICATE_WARNING_DAYS: Final = 25  # it is renewed from 30 days before its end
MAX_CLOCK_DIFFERENCE_S: Final = 60  # a message from the future is refused


async def examine_hub(home: Home, findings: list[Finding], *, in_gateway: bool) -> None:
    """Add the findings about the hub to `findings`. `in_gateway`: the gateway itself runs the examination."""
    section = home.hub
    if section is None:
        return
    findings += await asyncio.to_thread(lambda: tuple(_identity_findings(home, section)))
    broker, site = await asyncio.gather(_broker_finding(section), _api_findings(home, section))
    findings += [broker, *site]
    findings += await asyncio.to_thread(lambda: tuple(_link_findings(home, section, in_gateway=in_gateway)))


def _identity_findings(home: Home, section: HubSection) -> Iterator[Finding]:
    """Yield the findings about the gateway's certificate for the hub."""
    if not is_enrolled_by_claim(home, section):
        return
    what, folder = Sentence("what.hub_certificate"), home.storage.folder / enrolment.HUB_FOLDER
    try:
        mine = enrolment.read_identity(folder)
    except (enrolment.DamagedIdentity, OSError) as error:
        said = Sentence("hub.identity.unreadable", {"why": file_error(error)})
        yield Finding(what, FindingVerdict.BAD, said, Sentence("hub.again.todo", {"home": section.home}))
        return
    if mine is None:
        said = Sentence("hub.identity.none", {"file": folder / enrolment.IDENTITY_FILE})
        yield Finding(what, FindingVerdict.BAD, said, Sentence("hub.again.todo", {"home": section.home}))
        return
    facts: dict[str, SentenceFact] = {"until": f"{mine.valid_until:%Y-%m-%d}"}
    left = (mine.valid_until - machine_time()).days
    if left < 0:
        todo = Sentence("hub.again.todo", {"home": section.home})
        yield Finding(what, FindingVerdict.BAD, Sentence("hub.identity.over", facts), todo)
    elif left < CERTIFICATE_WARNING_DAYS:
        yield Finding(
            what, FindingVerdict.DOUBTFUL, Sentence("hub.identity.late", facts), Sentence("hub.identity.late.todo")
        )
    else:
        yield Finding(what, FindingVerdict.GOOD, Sentence("hub.identity.good", facts))


async def _broker_finding(section: HubSection) -> Finding:
    """Return whether the name of the hub's broker is known, and which certificate answers there."""
    what = Sentence("what.hub_broker")
    facts: dict[str, SentenceFact] = {"where": f"{section.host}:{section.port}"}

    def bad(key: str, **more: SentenceFact) -> Finding:
        return Finding(
            what,
            FindingVerdict.BAD,
            Sentence(f"hub.broker.{key}", {**facts, **more}),
            Sentence(f"hub.broker.{key}.todo"),
        )

    try:
        async with asyncio.timeout(HUB_TIMEOUT_S):
            until = await certificate_expiry(section.broker)
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
        return bad("else", why=file_error(error))
    return Finding(what, FindingVerdict.GOOD, Sentence("hub.broker.good", facts))


async def _api_findings(home: Home, section: HubSection) -> tuple[Finding, ...]:
    """Yield whether the hub's API answers, accepts this home, and has the same time."""
    what, facts = Sentence("what.hub"), {"url": section.url}
    try:
        async with asyncio.timeout(HUB_TIMEOUT_S + 0.5):
            theirs = await asyncio.to_thread(_hub_time, section.url)
    except (OSError, ValueError, TimeoutError) as error:
        reason = getattr(error, "reason", error)
        text = "" if isinstance(error, TimeoutError) else str(getattr(reason, "strerror", None) or reason)
        told: dict[str, SentenceFact] = {**facts, "why": Sentence("os.other", {"text": text or "..."})}
        return (Finding(what, FindingVerdict.BAD, Sentence("hub.site.away", told), Sentence("hub.site.away.todo")),)
    found = [_acceptance_finding(section, await _is_accepted(home, section))]
    astray = abs((theirs - machine_time()).total_seconds())
    clock: dict[str, SentenceFact] = {"seconds": f"{astray:.0f}"}
    if astray > MAX_CLOCK_DIFFERENCE_S:
        said, todo = Sentence("hub.clock.astray", clock), Sentence("hub.clock.astray.todo")
        found.append(Finding(Sentence("what.hub_clock"), FindingVerdict.BAD, said, todo))
    else:
        found.append(Finding(Sentence("what.hub_clock"), FindingVerdict.GOOD, Sentence("hub.clock.good", clock)))
    return tuple(found)


def _hub_time(url: str) -> datetime:
    """Return the hub's time from the Date header of its answer.

    Raises:
        OSError: the hub does not answer. ValueError: the answer has no valid date.
    """
    if not url.startswith(("https://", "http://")):
        raise ValueError("no address of a hub")
    try:
        asked = Request(f"{url}/healthz")  # noqa: S310 - http and https only, above
        with open_bounded(asked, idle_timeout_s=HUB_TIMEOUT_S, max_duration_s=2 * HUB_TIMEOUT_S) as answer:
            said = answer.headers["Date"]
    except HTTPError as error:
        with error:
            raise OSError(f"HTTP {error.code} {HTTPStatus(error.code).phrase}") from error
    except HTTPException as error:
        raise OSError(f"it answers something that is no hub's ({type(error).__name__})") from error
    return parsedate_to_datetime(str(said)).astimezone(UTC)


async def _is_accepted(home: Home, section: HubSection) -> bool | None:
    """Return whether the hub accepts this home; None: unknown, or the certificate is being renewed."""
    folder = home.storage.folder / enrolment.HUB_FOLDER
    if not is_enrolled_by_claim(home, section) or (folder / enrolment.NEXT_KEY_FILE).exists():
        return None
    ask = partial(enrolment.http_request, timeout_s=HUB_TIMEOUT_S)
    with contextlib.suppress(enrolment.HubUnavailable, enrolment.HubError, enrolment.DamagedIdentity, OSError):
        return await asyncio.to_thread(enrolment.is_accepted, section.url, folder, ask)
    return None


def _acceptance_finding(section: HubSection, is_accepted: bool | None) -> Finding:
    what, facts = Sentence("what.hub"), {"url": section.url}
    if is_accepted is False:
        todo = Sentence("hub.again.todo", {"home": section.home})
        return Finding(what, FindingVerdict.BAD, Sentence("hub.site.cut_off", dict(facts)), todo)
    return Finding(what, FindingVerdict.GOOD, Sentence("hub.site.good", dict(facts)))


def _link_findings(home: Home, section: HubSection, *, in_gateway: bool) -> Iterator[Finding]:
    """Yield the state of the gateway's connection to the hub, and what the hub has not acknowledged."""
    what, folder = Sentence("what.hub_line"), home.storage.folder
    line = read_status(folder / enrolment.HUB_FOLDER)
    if not in_gateway and reload.gateway_pid(folder) is None:
        yield Finding(what, FindingVerdict.DOUBTFUL, Sentence("hub.line.none"), Sentence("gateway.away.todo"))
    elif line is None or line.home != section.home:
        yield Finding(what, FindingVerdict.DOUBTFUL, Sentence("hub.line.never"), Sentence("hub.line.never.todo"))
    else:
        support = enrolment.support_code(folder / enrolment.HUB_FOLDER)
        facts: dict[str, SentenceFact] = {
            "since": f"{line.since:%Y-%m-%d %H:%M} UTC", "waiting": str(line.waiting), "support": support or "?"
        }  # fmt: skip
        if line.up:
            yield Finding(what, FindingVerdict.GOOD, Sentence("hub.line.up", facts))
        else:
            yield Finding(what, FindingVerdict.BAD, Sentence("hub.line.down", facts), Sentence("hub.line.down.todo"))
