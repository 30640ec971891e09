"""Challenges: the hub sends events to an endpoint of a sandbox only after its receiver has answered one."""

import secrets
from datetime import datetime, timedelta

from sqlalchemy import and_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.hub.database.tables import UNSENT_CHALLENGE, endpoints, messages, retailers
from gateway.hub.deliveries.events import EventType, emit

CHALLENGE_DELAY = timedelta(seconds=1)  # so that the receiver can begin to listen with its secret


async def issue_challenge(tx: AsyncConnection, endpoint: str, now: datetime) -> None:
    """Send an endpoint nothing until its receiver has answered a new challenge; an earlier one is given up.

    An endpoint that is switched off gets its challenge when it is switched on again.
    """
    row = (await tx.execute(select(endpoints).where(endpoints.c.id == endpoint))).one()
    old = and_(messages.c.id == row.challenge, messages.c.due.is_not(None))
    await tx.execute(update(messages).where(old).values(state="given_up", due=None))
    message = UNSENT_CHALLENGE
    if row.enabled:
        data = {"id": endpoint, "challenge": secrets.token_urlsafe(24)}
        event = await emit(
            tx, row.retailer, EventType.ENDPOINT_CHALLENGE, endpoint, data, sandbox=True, now=now,
            only_endpoint=endpoint,
        )  # fmt: skip
        mine, begin = and_(messages.c.event == event, messages.c.endpoint == endpoint), now + CHALLENGE_DELAY
        delayed = update(messages).where(mine).values(begun=begin, due=begin).returning(messages.c.id)
        message = (await tx.execute(delayed)).scalar_one()
    await tx.execute(update(endpoints).where(endpoints.c.id == endpoint).values(challenge=message))


async def issue_missing_challenges(tx: AsyncConnection, now: datetime) -> None:
    """Issue challenges to the endpoints in an older hub's database, which never had one."""
    unsent = and_(endpoints.c.challenge == UNSENT_CHALLENGE, endpoints.c.enabled)
    rows = await tx.execute(select(endpoints.c.id, endpoints.c.retailer).where(unsent).order_by(endpoints.c.retailer))
    for row in rows.all():
        # Several hubs may start at once on PostgreSQL, so the retailer's row is locked first, as for each event.
        await tx.execute(select(retailers.c.id).where(retailers.c.id == row.retailer).with_for_update(key_share=True))
        if await tx.scalar(select(endpoints.c.id).where(endpoints.c.id == row.id, unsent)) is not None:
            await issue_challenge(tx, row.id, now)
