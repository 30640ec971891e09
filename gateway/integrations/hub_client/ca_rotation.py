"""Follows changes of the hub's certificate authority: each authority signs its successor.

The web server's certificate does not count here. The list of authorities can be read at any time, also long after the
change: a box that was off meanwhile learns it when it is back.
"""

import asyncio
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
from gateway.integrations.hub_client import enrolment
from gateway.protocol.enrolment import proquint_words, successor_statement
from gateway.system.atomic_file import write_whole
from gateway.system.base64url import decode_base64url
from gateway.system.clock import machine_time

log = structlog.get_logger(__name__)

CHECK_INTERVAL_S = 6 * 3600.0  # seconds between checks of the certificate
RETRY_DELAY_S = 900.0  # seconds after which a hub that did not answer is tried again
HttpGet = Callable[[str], bytes]
"""Reads an address and returns the answer; raises `HubError` or `HubUnavailable`."""
MAX_AUTHORITY_CHANGES = 20  # changes in the list


class _AuthorityChange(enrolment.HubResponse):
    certificate: Annotated[str, StringConstraints(max_length=8192)]
    signature: Annotated[str, StringConstraints(max_length=200)]


class _AuthorityChain(enrolment.HubResponse):
    data: Annotated[list[_AuthorityChange], Field(max_length=MAX_AUTHORITY_CHANGES)]


def follow_authorities(url: str, folder: Path, get: HttpGet) -> bool:
    """Read which authorities follow the trusted ones; return whether there are new ones.

    The box trusts all of them until its own certificate comes from the newest: then only that one. The
    exceptions are those of `enrolment`.
    """
    before, mine = enrolment.trusted_authorities(folder), enrolment.read_identity(folder)
    known = list(before)
    for step in enrolment.read_answer(_AuthorityChain, get(f"{url}/v1/authorities")).data:
        authority = enrolment.parse_authority(step.certificate)
        if authority not in known and any(_is_signed_by(older, authority, step.signature) for older in known):
            known.append(authority)
    if mine is not None and enrolment.is_issued_by(mine.certificate, known[-1]):
        known = known[-1:]
    if known == before:
        return False
    write_whole(
        folder / enrolment.AUTHORITY_FILE,
        b"".join(authority.public_bytes(serialization.Encoding.PEM) for authority in known),
    )
    return True


def renewal_tasks(home: Home) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
    """Return the tasks that renew the certificate, by name; empty if the box joined no hub by a claim."""
    folder = home.storage.folder / enrolment.HUB_FOLDER
    if home.hub is None or not (folder / enrolment.IDENTITY_FILE).exists():
        return {}
    return {"hub certificate": partial(keep_renewed, home.hub.url, folder, enrolment.http_request, now=machine_time)}


async def keep_renewed(  # noqa: PLR0913 - its dependencies, each replaced by tests
    url: str,
    folder: Path,
    post: enrolment.HttpPost,
    *,
    now: Callable[[], datetime],
    get: HttpGet = enrolment.http_request,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Follow the hub's authority, and renew the certificate in time, until cancelled.

    Errors go to the log, and the task tries again.
    """
    while True:
        wait = CHECK_INTERVAL_S
        try:
            if await asyncio.to_thread(follow_authorities, url, folder, get):
                log.warning(
                    "hub_authority_followed", words=proquint_words(enrolment.authority_fingerprint(folder) or "")
                )
            renewed = await asyncio.to_thread(enrolment.renew_certificate, url, folder, post, now=now())
            if renewed is not None:
                log.info("hub_certificate_renewed", until=renewed.valid_until.isoformat())
        except enrolment.HubUnavailable as away:
            log.warning("hub_certificate_not_renewed", why=str(away))
            wait = RETRY_DELAY_S
        except (enrolment.HubError, enrolment.WrongHub, enrolment.DamagedIdentity, OSError) as error:
            log.error("hub_certificate_not_renewed", why=str(error), todo="`perron join --replace`, with a new claim")
        await sleep(wait)


def _is_signed_by(signer: x509.Certificate, certificate: x509.Certificate, signature: str) -> bool:
    key, statement = signer.public_key(), successor_statement(certificate.public_bytes(serialization.Encoding.DER))
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return False
    try:
        key.verify(decode_base64url(signature), statement, ec.ECDSA(hashes.SHA256()))
    except (ValueError, InvalidSignature):
        return False
    return True
