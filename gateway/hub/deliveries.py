"""Deliveries as the hub keeps them, and what it sends of them to homes.

The home decides: the hub says `scheduled` or `cancelled` only once the home has. What nobody has let in yet is *held*:
the home's box does not know the brand, so nothing is sent, and the hub itself may cancel it or let it expire.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Row, bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.delivery.promise import Body, Cancel, Offer, Result, State, Update, Window
from gateway.hub import events, jobs
from gateway.hub.operation import Signer
from gateway.hub.tables import deliveries, delivery_versions
from gateway.protocol.box_hub import Kind, digest
from gateway.protocol.delivery_state import OVER
from gateway.protocol.hub_signed import HubClaims
from gateway.protocol.jws import LARGEST, LONGEST_LIFE

_SOME_HOME = f"home-{'a' * 26}"  # as long as any
_OF_A_PROMISE = frozenset({"entrance", "carrier", "place", "window", "parcels", "courier_sha256", "max_celsius"})

B = TypeVar("B", Offer, Update)

_ONE = select(deliveries).where(deliveries.c.id == bindparam("delivery"))
_VERSION = insert(delivery_versions)


class TooLarge(ValueError):  # noqa: N818 - it says what it is
    """Signed it is larger than a box reads."""


def waiting(promise: Mapping[str, Any]) -> State:
    """How a delivery stands of which no home has spoken."""
    return State.AWAITING_PERMISSION if promise["parcels"] else State.AWAITING_LABEL


def promise_of(body: Body) -> dict[str, Any]:
    """What is kept of a promise, as JSON has it."""
    return body.model_dump(mode="json", include=set(_OF_A_PROMISE))


def body_of(model: type[B], row: Row[Any], version: int, promise: Mapping[str, Any]) -> B:
    """Build the message of a version that is stored.

    Its values were validated when they were received. They are not validated again: the rules of an older release may
    have been others, and a stored row must not raise in a background task.
    """
    window = Window.model_construct(
        start=datetime.fromisoformat(promise["window"]["start"]), end=datetime.fromisoformat(promise["window"]["end"])
    )
    stored = {**promise, "window": window, "parcels": tuple(promise["parcels"])}
    return model.model_construct(**stored, id=row.name, version=version)


@dataclass(frozen=True, slots=True)
class Pen:
    """What is kept, and signed, in one transaction."""

    tx: AsyncConnection
    key: Signer
    now: datetime


async def keep_version(
    pen: Pen, delivery: str, version: int, promise: Mapping[str, Any] | None, token: bytes | None
) -> None:
    """Keep one version; without a token the hub signs it when it is sent."""
    kept = {"delivery": delivery, "version": version, "promise": promise, "token": token, "created": pen.now,
            "sha256": None if token is None else digest(token)}  # fmt: skip
    await pen.tx.execute(_VERSION, kept)


async def send(pen: Pen, row: Row[Any], said: Offer | Update | Cancel, token: bytes | None) -> None:
    """Send one version to its home: as the brand signed it, or signed by the hub.

    Raises:
        TooLarge: no box would read it.
    """
    kind = Kind.HUB_DELIVERY if token is None else Kind.DELIVERY
    if token is None:
        token = signed(pen, row.brand, row.home, said)
    await jobs.send(pen.tx, row.home, kind, token, now=pen.now, delivery=row.id)


def signed(pen: Pen, brand: str, home: str | None, said: Offer | Update | Cancel) -> bytes:
    """Sign as the hub what a brand did not; `home` None: for one that is not known yet, to see whether it fits.

    Raises:
        TooLarge: no box would read it.
    """
    iat = int(pen.now.timestamp())
    token = pen.key.sign(
        HubClaims(
            brand=brand, aud=home or _SOME_HOME, iat=iat, nbf=iat, exp=iat + LONGEST_LIFE,
            jti=secrets.token_urlsafe(16), delivery=said,
        )
    )  # fmt: skip
    if len(token) > LARGEST:
        raise TooLarge
    return token


async def release(pen: Pen, row: Row[Any], home: str) -> None:
    """The home has let the brand in: send what was held for it."""
    await pen.tx.execute(update(deliveries).where(deliveries.c.id == row.id).values(home=home, held=False))
    row = await one(pen.tx, row.id)
    asked = select(delivery_versions).where(delivery_versions.c.delivery == row.id)
    versions = (await pen.tx.execute(asked.order_by(delivery_versions.c.version))).all()
    signed = [version for version in versions if version.token is not None]
    for place, version in enumerate(signed):  # each a little later: a home is rung at in the order of its jobs
        number, promise = version.version, version.promise
        body = body_of(Update, row, number, promise) if place else body_of(Offer, row, number, promise)
        at = replace(pen, now=pen.now + place * timedelta(microseconds=1))
        await send(at, row, body, version.token)
    if not signed:  # of what the hub signs the newest is enough
        await send(pen, row, body_of(Offer, row, row.version, row.promise), None)


async def taken(tx: AsyncConnection, row: Row[Any], home: str) -> bool:
    """Whether this home has another delivery of that name from the brand."""
    same = (deliveries.c.brand == row.brand, deliveries.c.home == home, deliveries.c.name == row.name)
    return await tx.scalar(select(deliveries.c.id).where(*same, deliveries.c.id != row.id)) is not None


async def stand(tx: AsyncConnection, row: Row[Any], state: State, reason: str | None, now: datetime) -> None:
    """Say by the hub's own word how a delivery stands, where no home ever heard of it."""
    await tx.execute(
        update(deliveries).where(deliveries.c.id == row.id).values(state=state, reason=reason, held=False, changed=now)
    )
    await tell(tx, await one(tx, row.id), events.Type.DELIVERY_CHANGED, now)


async def spoken_of(tx: AsyncConnection, row: Row[Any], result: Result) -> dict[str, Any]:
    """The home has spoken of a version: what it refused does not count, so the one before it is what is promised.

    What is to be written of the delivery.
    """
    mine = delivery_versions.c.delivery == row.id
    version = result.version
    if version is None and result.token_sha256 is not None:
        same = delivery_versions.c.sha256 == result.token_sha256
        version = await tx.scalar(select(delivery_versions.c.version).where(mine, same))
    if version is None:
        return {}
    new: dict[str, Any] = {"answered": max(row.answered or 0, version)}
    if result.accepted is False:
        said = delivery_versions.c.version == version
        await tx.execute(update(delivery_versions).where(mine, said).values(refused=True))
        promised = (mine, delivery_versions.c.refused.is_(False), delivery_versions.c.promise.is_not(None))
        stands = select(delivery_versions.c.promise).where(*promised).order_by(delivery_versions.c.version.desc())
        promise = await tx.scalar(stands.limit(1))
        if promise is not None:
            end = datetime.fromisoformat(promise["window"]["end"])
            new |= {"promise": promise, "window_end": end}
    return new


async def tell(tx: AsyncConnection, row: Row[Any], type_: events.Type, now: datetime) -> None:
    """Tell its retailer how a delivery stands."""
    names = ("id", "connection", "brand", "name", "version", "answered", "state", "reason", "missing", "house")
    data = {name: getattr(row, name) for name in names}
    if row.untold:
        await tx.execute(update(deliveries).where(deliveries.c.id == row.id).values(untold=False))
    await events.tell(tx, row.retailer, type_, row.id, data, sandbox=row.sandbox, now=now)


async def one(tx: AsyncConnection, delivery: str) -> Row[Any]:
    """Read one that is there, as it is in this transaction."""
    return (await tx.execute(_ONE, {"delivery": delivery})).one()


def over(row: Row[Any]) -> bool:
    """Whether nothing can be changed any more."""
    return State(row.state) in OVER


LATEST = timedelta(days=365)
"""How far ahead a window may lie."""
