"""Manages brands: the id and name under which homes know a shop, and the keys that sign for it.

A key is enrolled by whoever has its private half. A home that has let the brand in hears of a new key and its owner
approves it; until then the old one counts, so keys rotate with overlap. The hub vouches for none of it.
"""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints
from sqlalchemy import ColumnElement, Row, and_, func, insert, select, update

from gateway.domain.delivery.promise import Id
from gateway.hub.api.pagination import PageParameters, decode_cursor, encode_cursor, rows_after
from gateway.hub.database.tables import brand_keys, brands
from gateway.hub.http.operation import (
    ApiAccess,
    ApiOperation,
    ApiParameters,
    Model,
    OperationLink,
    RequestContext,
    Response,
)
from gateway.hub.http.problem import ApiProblem, Code, Detail
from gateway.protocol.brand_statement import NextKeyStatement, verify_brand_statement
from gateway.protocol.consent_request import COMPACT_RULE, MAX_BRAND_KEYS, Kid, Label, PublicX, ShortJws, is_compact
from gateway.protocol.jws import EnrolledKey, EnrolledKeys, public_key
from gateway.protocol.key_possession import proof_error
from gateway.protocol.keys import PublicKey

MAX_BRANDS = 100  # brands of one retailer
MAX_KEYS_PER_BRAND = 200  # keys that one brand ever had

_PROOF_PATTERN = r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$"


class BrandPath(ApiParameters):
    """Which brand."""

    brand: Id


class BrandKeyPath(ApiParameters):
    """Which of its keys."""

    brand: Id
    kid: Kid


class NewBrand(Model):
    """A brand to make. `id` is the name under which homes know it, and the `iss` of its signed messages."""

    id: Id
    name: Label


class Brand(Model):
    """A brand."""

    id: Id
    name: Label
    sandbox: bool
    created: datetime


class Brands(Model):
    """A page of the retailer's brands, newest first. `next` is the cursor of the following page."""

    data: Annotated[tuple[Brand, ...], Field(max_length=100)]
    next: str | None


class NewBrandKey(Model):
    """A public key (Ed25519) and a proof that the retailer has its private key.

    `proof` is a compact JWS under this key: header `{alg: Ed25519, kid, typ: perron-brand-key+jwt}`, payload
    `{brand, kid, hub}` with the hub's address. `vouched` is a compact JWS under an earlier key, with which that key
    confirms this one: header `{alg: Ed25519, kid, typ: perron-next-key+jwt}`, payload `{iss, hub, iat, kid, x}`;
    `iss` is the brand, `kid` and `x` are those of the new key. No home accepts a later key without it; the first
    key needs none. Header and payload of `vouched` are JSON without spaces between the tokens.
    """

    kid: Kid
    x: PublicX
    proof: Annotated[str, StringConstraints(min_length=5, max_length=2048, pattern=_PROOF_PATTERN)]
    vouched: ShortJws | None = None


class BrandKey(Model):
    """A key of a brand. A key with `revoked` does not count any more, and its name is never given again."""

    kid: Kid
    x: PublicX
    created: datetime
    revoked: datetime | None


class BrandKeys(Model):
    """All keys that the brand ever had, newest first."""

    data: Annotated[tuple[BrandKey, ...], Field(max_length=MAX_KEYS_PER_BRAND)]


async def create(call: RequestContext) -> Response:
    """Make one, for the caller's own world."""
    asked, who = call.of(NewBrand), call.who
    mine = await call.tx.scalar(select(func.count()).select_from(brands).where(_owned_by_caller(call)))
    if (mine or 0) >= MAX_BRANDS:
        raise ApiProblem(Code.CONFLICT, f"A retailer has at most {MAX_BRANDS} brands.")
    taken = (brands.c.id == asked.id, brands.c.sandbox == who.sandbox)
    if await call.tx.scalar(select(brands.c.id).where(*taken)) is not None:
        raise ApiProblem(Code.ALREADY_EXISTS, "This word is a brand's already.")
    made = Brand(id=asked.id, name=asked.name, sandbox=who.sandbox, created=call.now)
    await call.tx.execute(insert(brands).values({**made.model_dump(), "retailer": who.retailer, "keys_version": 0}))
    return Response(status=201, body=made, headers={"Location": f"/v1/brands/{made.id}"})


async def list_(call: RequestContext) -> Response:
    """List them, a page at a time."""
    page = call.of(PageParameters)
    asked = select(brands).where(_owned_by_caller(call)).order_by(brands.c.created.desc(), brands.c.id.desc())
    if page.cursor is not None:
        id_ = decode_cursor(page.cursor, str)[0]
        last = (await call.tx.execute(select(brands).where(brands.c.id == id_, _owned_by_caller(call)))).one_or_none()
        if last is None:
            raise ApiProblem(Code.BAD_CURSOR)
        asked = asked.where(rows_after(brands, last.created, last.id))
    rows = (await call.tx.execute(asked.limit(page.limit + 1))).all()
    shown = rows[: page.limit]
    more = encode_cursor(shown[-1].id) if len(rows) > page.limit else None
    return Response(status=200, body=Brands(data=tuple(_from_row(row) for row in shown), next=more))


async def read(call: RequestContext) -> Response:
    """Tell of one."""
    return Response(status=200, body=_from_row(await find_brand(call, call.of(BrandPath).brand)))


async def add_key(call: RequestContext) -> Response:
    """Enrol a key; homes that have let the brand in are told of it."""
    brand, asked = await find_brand(call, call.of(BrandPath).brand, lock=True), call.of(NewBrandKey)
    why = _refusal_reason(call, brand, asked)
    if why is not None:
        at = Detail(pointer="/proof", where="body", code="proof", detail=why)
        raise ApiProblem(Code.SIGNATURE_REFUSED, f"{why[0].upper()}{why[1:]}.", errors=[at])
    if asked.vouched is not None:
        word = verify_brand_statement(asked.vouched, NextKeyStatement, await active_keys(call, brand.id), hub=call.url)
        if word is None or (word[0].kid, word[0].x) != (asked.kid, asked.x):
            why = "no key of the brand that counts vouches for this one"
        elif not is_compact(asked.vouched):
            why = COMPACT_RULE
        if why is not None:
            at = Detail(pointer="/vouched", where="body", code="vouched", detail=why)
            raise ApiProblem(Code.SIGNATURE_REFUSED, f"{why[0].upper()}{why[1:]}.", errors=[at])
    there = await _list_brand_keys(call, brand)
    if len(there) >= MAX_KEYS_PER_BRAND or sum(key.revoked is None for key in there) >= MAX_BRAND_KEYS:
        raise ApiProblem(
            Code.CONFLICT, f"A brand has at most {MAX_BRAND_KEYS} keys that count, and {MAX_KEYS_PER_BRAND} ever."
        )
    same = (brand_keys.c.kid == asked.kid) | (brand_keys.c.x == asked.x)
    if await call.tx.scalar(select(brand_keys.c.kid).where(same, brand_keys.c.sandbox == brand.sandbox)) is not None:
        raise ApiProblem(Code.ALREADY_EXISTS, "There is or was a key of this name, or this key under another one.")
    key = BrandKey(kid=asked.kid, x=asked.x, created=call.now, revoked=None)
    more = {"brand": brand.id, "sandbox": brand.sandbox, "vouched": asked.vouched}
    await call.tx.execute(insert(brand_keys).values({**key.model_dump(), **more}))
    await _mark_changed(call, brand)
    return Response(status=201, body=key, headers={"Location": f"/v1/brands/{brand.id}/keys"})


async def list_keys(call: RequestContext) -> Response:
    """List its keys."""
    return Response(
        status=200,
        body=BrandKeys(data=tuple(await _list_brand_keys(call, await find_brand(call, call.of(BrandPath).brand)))),
    )


async def revoke_key(call: RequestContext) -> Response:
    """Let a key count no more; said again it changes nothing."""
    asked = call.of(BrandKeyPath)
    brand = await find_brand(call, asked.brand, lock=True)
    key = next((key for key in await _list_brand_keys(call, brand) if key.kid == asked.kid), None)
    if key is None:
        raise ApiProblem(Code.NOT_FOUND)
    if key.revoked is None:
        mine = (brand_keys.c.kid == key.kid, brand_keys.c.sandbox == brand.sandbox)
        await call.tx.execute(update(brand_keys).where(*mine).values(revoked=call.now))
        await _mark_changed(call, brand)
        key = key.model_copy(update={"revoked": call.now})
    return Response(status=200, body=key)


async def find_brand(call: RequestContext, id_: str, *, lock: bool = False) -> Row[Any]:
    """The caller's brand of this name. `lock`: until the transaction ends nobody else changes what belongs to it.

    Raises:
        Problem: he has none.
    """
    wanted = select(brands).where(_owned_by_caller(call), brands.c.id == id_)
    row = (await call.tx.execute(wanted.with_for_update(key_share=True) if lock else wanted)).one_or_none()
    if row is None:
        raise ApiProblem(Code.NOT_FOUND)
    return row


async def active_keys(call: RequestContext, brand: str) -> EnrolledKeys:
    """The keys of the caller's brand that count."""
    mine = (brand_keys.c.brand == brand, brand_keys.c.sandbox == call.who.sandbox, brand_keys.c.revoked.is_(None))
    rows = await call.tx.execute(select(brand_keys.c.kid, brand_keys.c.x).where(*mine))
    return EnrolledKeys({row.kid: EnrolledKey(brand, public_key(row.x)) for row in rows})


def _refusal_reason(call: RequestContext, brand: Row[Any], asked: NewBrandKey) -> str | None:
    try:
        key = PublicKey.from_text(asked.x)
    except ValueError:
        return "x is not an Ed25519 public key"
    return proof_error(asked.proof, key, brand=brand.id, kid=asked.kid, hub=call.url)


async def _mark_changed(call: RequestContext, brand: Row[Any]) -> None:
    """Homes are told by and by (gateway/hub/consent/consent_jobs.py): there may be many of them."""
    mine = (brands.c.id == brand.id, brands.c.sandbox == brand.sandbox)
    await call.tx.execute(update(brands).where(*mine).values(keys_version=brands.c.keys_version + 1))


async def _list_brand_keys(call: RequestContext, brand: Row[Any]) -> list[BrandKey]:
    mine = (brand_keys.c.brand == brand.id, brand_keys.c.sandbox == brand.sandbox)
    rows = await call.tx.execute(
        select(brand_keys)
        .where(*mine)
        .order_by(brand_keys.c.created.desc(), brand_keys.c.kid)
        .limit(MAX_KEYS_PER_BRAND)
    )
    return [BrandKey.model_validate({name: getattr(row, name) for name in BrandKey.model_fields}) for row in rows]


def _owned_by_caller(call: RequestContext) -> ColumnElement[bool]:
    return and_(brands.c.retailer == call.who.retailer, brands.c.sandbox == call.who.sandbox)


def _from_row(row: object) -> Brand:
    return Brand.model_validate({name: getattr(row, name) for name in Brand.model_fields})


_LINK_PARAMETERS = {"brand": "$response.body#/id"}
_TAG = "Brands"
OPERATIONS = (
    ApiOperation(
        name="createBrand",
        method="POST",
        path="/v1/brands",
        tag=_TAG,
        handler=create,
        summary="Make a brand",
        body=NewBrand,
        answers={201: Brand},
        refuses=frozenset({Code.CONFLICT, Code.ALREADY_EXISTS}),
        links=tuple(
            OperationLink(operation=name, parameters=_LINK_PARAMETERS)
            for name in ("readBrand", "listBrandKeys", "addBrandKey")
        ),
    ),
    ApiOperation(
        name="listBrands",
        method="GET",
        path="/v1/brands",
        tag=_TAG,
        handler=list_,
        right=ApiAccess.READ,
        summary="List the brands",
        query=PageParameters,
        answers={200: Brands},
        refuses=frozenset({Code.BAD_CURSOR}),
    ),
    ApiOperation(
        name="readBrand",
        method="GET",
        path="/v1/brands/{brand}",
        tag=_TAG,
        handler=read,
        right=ApiAccess.READ,
        summary="Read one brand",
        path_model=BrandPath,
        answers={200: Brand},
    ),
    ApiOperation(
        name="addBrandKey",
        method="POST",
        path="/v1/brands/{brand}/keys",
        tag=_TAG,
        handler=add_key,
        summary="Enrol a key of a brand",
        path_model=BrandPath,
        body=NewBrandKey,
        answers={201: BrandKey},
        refuses=frozenset({Code.CONFLICT, Code.ALREADY_EXISTS, Code.SIGNATURE_REFUSED}),
    ),
    ApiOperation(
        name="listBrandKeys",
        method="GET",
        path="/v1/brands/{brand}/keys",
        tag=_TAG,
        handler=list_keys,
        right=ApiAccess.READ,
        summary="List the keys of a brand",
        path_model=BrandPath,
        answers={200: BrandKeys},
    ),
    ApiOperation(
        name="revokeBrandKey",
        method="POST",
        path="/v1/brands/{brand}/keys/{kid}/revoke",
        tag=_TAG,
        handler=revoke_key,
        summary="Revoke a key of a brand",
        path_model=BrandKeyPath,
        answers={200: BrandKey},
    ),
)
