"""The box follows its hub from one authority to the next: each is signed by the one before, so nobody else is believed.

What the web's certificate says of who answers counts for nothing here. The line can be read at any time, also long
after the change: a box that was off meanwhile learns it when it is back.
"""

import asyncio
from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import structlog
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import Field, StringConstraints

from gateway.config.home import Home
from gateway.integrations.hub_client.enrolment import (
    AUTHORITY,
    FOLDER,
    IDENTITY,
    Answer,
    Ask,
    Damaged,
    HubAway,
    HubSays,
    NotTheHub,
    authority_of,
    believed,
    identity,
    issued,
    over_http,
    read_answer,
    renew,
    trusted,
)
from gateway.protocol.enrolment import spoken, succeeds
from gateway.system.atomic_file import write_whole
from gateway.system.clock import machine_time

log = structlog.get_logger(__name__)

LOOK, AGAIN = 6 * 3600.0, 900.0  # seconds between looks at the certificate; after the hub did not answer
Read = Callable[[str], bytes]
"""Reads at an address and returns what was answered; raises `HubSays` or `HubAway`."""
LONGEST = 20  # changes in a line


class _Change(Answer):
    certificate: Annotated[str, StringConstraints(max_length=8192)]
    signature: Annotated[str, StringConstraints(max_length=200)]


class _Line(Answer):
    data: Annotated[list[_Change], Field(max_length=LONGEST)]


def follow(url: str, folder: Path, read: Read) -> bool:
    """Learn which authorities follow those that the box believes; whether it is news.

    All are believed until the box's own certificate is the newest one's: then that one alone.

    Raises:
        NotTheHub: what came is no such line. HubSays: the hub refuses. HubAway: it cannot be reached.
        Damaged, OSError: the folder's files cannot be used.
    """
    before, mine = trusted(folder), identity(folder)
    known = list(before)
    for step in read_answer(_Line, read(f"{url}/v1/authorities")).data:
        one = authority_of(step.certificate)
        if one not in known and any(_signed_for(older, one, step.signature) for older in known):
            known.append(one)
    if mine is not None and issued(mine.certificate, known[-1]):
        known = known[-1:]
    if known == before:
        return False
    write_whole(folder / AUTHORITY, b"".join(one.public_bytes(serialization.Encoding.PEM) for one in known))
    return True


def kept_young(home: Home) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
    """The work of keeping the certificate young, by its name; none where the box has joined no hub by a claim."""
    folder = home.storage.folder / FOLDER
    if home.hub is None or not (folder / IDENTITY).exists():
        return {}
    return {"hub certificate": partial(keep_young, home.hub.url, folder, over_http, now=machine_time)}


async def keep_young(  # noqa: PLR0913 - what it needs, named one by one
    url: str,
    folder: Path,
    ask: Ask,
    *,
    now: Callable[[], datetime],
    read: Read = over_http,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Follow the hub's authority, and renew whenever it is time, until cancelled.

    What goes wrong is told to the log, and tried again.
    """
    while True:
        wait = LOOK
        try:
            if await asyncio.to_thread(follow, url, folder, read):
                log.warning("hub_authority_followed", words=spoken(believed(folder) or ""))
            renewed = await asyncio.to_thread(renew, url, folder, ask, now=now())
            if renewed is not None:
                log.info("hub_certificate_renewed", until=renewed.until.isoformat())
        except HubAway as away:
            log.warning("hub_certificate_not_renewed", why=str(away))
            wait = AGAIN
        except (HubSays, NotTheHub, Damaged, OSError) as error:
            log.error("hub_certificate_not_renewed", why=str(error), todo="`perron join --replace`, with a new claim")
        await sleep(wait)


def _signed_for(before: x509.Certificate, one: x509.Certificate, signature: str) -> bool:
    key, told = before.public_key(), succeeds(one.public_bytes(serialization.Encoding.DER))
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return False
    try:
        key.verify(urlsafe_b64decode(signature + "=" * (-len(signature) % 4)), told, ec.ECDSA(hashes.SHA256()))
    except (ValueError, InvalidSignature):
        return False
    return True
