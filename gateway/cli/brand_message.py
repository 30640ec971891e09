"""Signs a brand's query for its own facts or its comment, sends it to a home, and verifies the home's answer."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from gateway.cli.failure import ExitCode, Failure
from gateway.cli.keys import read_key
from gateway.hub.sdk import AsyncClient
from gateway.hub.sdk.models import BrandMessageState, SignedBrandMessage, StatedFacts
from gateway.protocol.brand_messages import (
    CommentClaims,
    FactsClaims,
    FactsQuery,
    sign_comment,
    sign_facts_query,
    verify_facts,
)
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.jws import RejectionCode
from gateway.system.clock import machine_time

MESSAGE_LIFETIME_S = 24 * 3600
ANSWER_TIMEOUT_S = 60.0  # seconds in which a connected home answers
POLL_INTERVAL_S = 1.0

_NOT_SIGNED = "The hub's answer is not a statement that the box signed in answer to this query"
_REPORT_IT = "Report this to the operator of the hub."


async def ask_for_facts(hub: AsyncClient, connection: str, key_file: Path) -> dict[str, Any]:
    """Query a home for the brand's own facts, and return the statement that its box signed in answer to this query."""
    query = FactsQuery(**await _prepare(hub, connection))
    token = sign_facts_query(query, read_key(key_file), kid=key_file.stem).decode()
    await _send("facts", lambda: hub.ask_facts(connection, SignedBrandMessage(token=token)))
    return read_facts(await hub.read_facts(connection), query)


async def send_comment(hub: AsyncClient, connection: str, key_file: Path, text: str) -> BrandMessageState:
    """Send a home the brand's comment, and return the hub's answer once the home has accepted it."""
    claims = await _prepare(hub, connection)
    try:
        comment = CommentClaims(**claims, comment=text)
    except ValidationError as error:
        raise Failure("A comment has 1 to 500 printable characters.", "Shorten it, on one line.") from error
    token = sign_comment(comment, read_key(key_file), kid=key_file.stem).decode()
    return await _send("comment", lambda: hub.send_comment(connection, SignedBrandMessage(token=token)))


def read_facts(said: StatedFacts, query: FactsQuery) -> dict[str, Any]:
    """Return the facts in the hub's answer: only a statement that the box itself signed, in answer to this query."""
    try:
        key = PublicKey.from_text(said.key)
    except ValueError as error:
        raise Failure(f"{_NOT_SIGNED}.", _REPORT_IT, ExitCode.NEGATIVE) from error
    stated = verify_facts(said.token.encode(), key)
    if isinstance(stated, RejectionCode):
        raise Failure(f"{_NOT_SIGNED} ({stated}).", _REPORT_IT, ExitCode.NEGATIVE)
    if not _answers(stated, query):
        todo = "The home may have answered another query since: send the query again."
        raise Failure(f"{_NOT_SIGNED} (wrong_claims).", todo, ExitCode.NEGATIVE)
    return {**stated.model_dump(mode="json"), "key": key.text}


def _answers(stated: FactsClaims, query: FactsQuery) -> bool:
    return (stated.iss, stated.sub, stated.answers) == (query.aud, query.iss, query.jti)


async def _prepare(hub: AsyncClient, connection: str) -> dict[str, Any]:
    """Return the claims of a message to a connection's home."""
    said = await hub.read_connection(connection)
    if not said.home:
        raise Failure(f"The connection is {said.state}: no home has granted it.", "Request a connection first.")
    now = int(machine_time().timestamp())
    return {
        "iss": said.brand, "aud": said.home, "iat": now, "nbf": now, "exp": now + MESSAGE_LIFETIME_S,
        "jti": secrets.token_urlsafe(16),
    }  # fmt: skip


async def _send(
    what: Literal["facts", "comment"], send: Callable[[], Awaitable[BrandMessageState]]
) -> BrandMessageState:
    """Send a message, and repeat it until the home has answered: the same bytes are the same message."""
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            while True:
                said = await send()
                if said.state != "waiting":
                    break
                await asyncio.sleep(POLL_INTERVAL_S)
    except TimeoutError as error:
        todo = "The home is not connected. The event connection.answered will report its answer."
        raise Failure(
            f"The home has not answered within {ANSWER_TIMEOUT_S:.0f} s.", todo, ExitCode.NO_ANSWER
        ) from error
    if said.state != "accepted":
        todo = "docs/retailer/api.md has the codes."
        raise Failure(f"The home refuses the {what}: {said.code}.", todo, ExitCode.NEGATIVE)
    return said
