"""Manages brands: the id and name under which homes know a shop, and the keys that sign for it.

A retailer enrols a key with a proof that it has the private half. The hub informs each home that permits the brand of a
new key, and its owner approves it. The old key stays valid until then, so keys rotate with overlap. The hub vouches for
no key.
"""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints
from sqlalchemy import Row, insert, select, update

from gateway.domain.delivery.promise import Id
from gateway.hub.api.rows import PageParameters, count_owned, find_owned, newest_page
from gateway.hub.database.tables import brand_keys, brands
from gateway.hub.http.operation import ApiParameters, Model, OperationGroup, RequestContext, Response, links_to
from gateway.hub.http.problem import ApiProblem, Code
from gateway.protocol.brand_statement import NextKeyStatement, verify_brand_statement
from gateway.protocol.consent_request import COMPACT_RULE, MAX_BRAND_KEYS, Kid, Label, PublicX, ShortJws, is_compact
from gateway.protocol.jws import EnrolledKey, EnrolledKeys, public_key
from gateway.protocol.key_possession import proof_error
from gateway.protocol.keys import PublicKey

MAX_BRANDS = 100  # brands of one retailer
MAX_KEYS_PER_BRAND = 200  # keys that one brand ever had

_PROOF_PATTERN = r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$"

BRANDS = OperationGroup("Brands")


class BrandPath(ApiParameters):
    """The brand that the path names."""

    brand: Id


class BrandKeyPath(ApiParameters):
    """The key of a brand that the path names."""

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


@BRANDS.post(
    "/v1/brands",
    "createBrand",
    body=NewBrand,
    answers={201: Brand},
    refuses={Code.CONFLICT, Code.ALREADY_EXISTS},
    links=links_to("brand", "readBrand", "listBrandKeys", "addBrandKey"),
)
async def create(call: RequestContext) -> Response:
    """Make a brand.

    With a key of a sandbox the brand is one of the sandbox.
    """
    asked, who = call.part(NewBrand), call.caller
    if await count_owned(call, brands) >= MAX_BRANDS:
        raise ApiProblem(Code.CONFLICT, f"A retailer has at most {MAX_BRANDS} brands.")
    taken = (brands.c.id == asked.id, brands.c.sandbox == who.sandbox)
    if await call.tx.scalar(select(brands.c.id).where(*taken)) is not None:
        raise ApiProblem(Code.ALREADY_EXISTS, "This word is a brand's already.")
    made = Brand(id=asked.id, name=asked.name, sandbox=who.sandbox, created=call.now)
    await call.tx.execute(insert(brands).values({**made.model_dump(), "retailer": who.retailer, "keys_version": 0}))
    return Response(made, status=201, headers={"Location": f"/v1/brands/{made.id}"})


@BRANDS.get("/v1/brands", "listBrands", query=PageParameters, answers={200: Brands})
async def list_(call: RequestContext) -> Response:
    """List the brands."""
    rows, next_ = await newest_page(call, brands, call.part(PageParameters))
    found = tuple(Brand.model_validate(row, from_attributes=True) for row in rows)
    return Response(Brands(data=found, next=next_))


@BRANDS.get("/v1/brands/{brand}", "readBrand", path_model=BrandPath, answers={200: Brand})
async def read(call: RequestContext) -> Response:
    """Read one brand."""
    brand = await find_owned(call, brands, call.part(BrandPath).brand)
    return Response(Brand.model_validate(brand, from_attributes=True))


@BRANDS.post(
    "/v1/brands/{brand}/keys",
    "addBrandKey",
    path_model=BrandPath,
    body=NewBrandKey,
    answers={201: BrandKey},
    refuses={Code.CONFLICT, Code.ALREADY_EXISTS, Code.SIGNATURE_REFUSED},
)
async def add_key(call: RequestContext) -> Response:
    """Enrol a key of a brand.

    Homes that permit the brand are informed of it.
    """
    brand, asked = await find_owned(call, brands, call.part(BrandPath).brand, lock=True), call.part(NewBrandKey)
    why = _refusal_reason(call, brand, asked)
    if why is not None:
        raise signature_refused("proof", why)
    if asked.vouched is not None:
        word = verify_brand_statement(asked.vouched, NextKeyStatement, await active_keys(call, brand.id), hub=call.url)
        if word is None or (word[0].kid, word[0].x) != (asked.kid, asked.x):
            raise signature_refused("vouched", "no key of the brand that counts vouches for this one")
        if not is_compact(asked.vouched):
            raise signature_refused("vouched", COMPACT_RULE)
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
    return Response(key, status=201, headers={"Location": f"/v1/brands/{brand.id}/keys"})


@BRANDS.get("/v1/brands/{brand}/keys", "listBrandKeys", path_model=BrandPath, answers={200: BrandKeys})
async def list_keys(call: RequestContext) -> Response:
    """List the keys of a brand."""
    brand = await find_owned(call, brands, call.part(BrandPath).brand)
    return Response(BrandKeys(data=tuple(await _list_brand_keys(call, brand))))


@BRANDS.post("/v1/brands/{brand}/keys/{kid}/revoke", "revokeBrandKey", path_model=BrandKeyPath, answers={200: BrandKey})
async def revoke_key(call: RequestContext) -> Response:
    """Revoke a key of a brand.

    Revoking it again changes nothing.
    """
    asked = call.part(BrandKeyPath)
    brand = await find_owned(call, brands, asked.brand, lock=True)
    key = next((key for key in await _list_brand_keys(call, brand) if key.kid == asked.kid), None)
    if key is None:
        raise ApiProblem(Code.NOT_FOUND)
    if key.revoked is None:
        mine = (brand_keys.c.kid == key.kid, brand_keys.c.sandbox == brand.sandbox)
        await call.tx.execute(update(brand_keys).where(*mine).values(revoked=call.now))
        await _mark_changed(call, brand)
        key = key.model_copy(update={"revoked": call.now})
    return Response(key)


async def active_keys(call: RequestContext, brand: str) -> EnrolledKeys:
    """Return the valid keys of the caller's brand."""
    mine = (brand_keys.c.brand == brand, brand_keys.c.sandbox == call.caller.sandbox, brand_keys.c.revoked.is_(None))
    rows = await call.tx.execute(select(brand_keys.c.kid, brand_keys.c.x).where(*mine))
    return EnrolledKeys({row.kid: EnrolledKey(brand, public_key(row.x)) for row in rows})


def signature_refused(field: str, why: str) -> ApiProblem:
    """Return the problem that a signed field of the body is refused; `why` begins with a small letter."""
    sentence = f"{why[0].upper()}{why[1:]}."
    return ApiProblem.at(f"/{field}", field, why, code=Code.SIGNATURE_REFUSED, detail=sentence)


def _refusal_reason(call: RequestContext, brand: Row[Any], asked: NewBrandKey) -> str | None:
    try:
        key = PublicKey.from_text(asked.x)
    except ValueError:
        return "x is not an Ed25519 public key"
    return proof_error(asked.proof, key, brand=brand.id, kid=asked.kid, hub=call.url)


async def _mark_changed(call: RequestContext, brand: Row[Any]) -> None:
    """Note that the brand's keys changed; a background job informs the homes (consent_jobs.py), which may be many."""
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
    return [BrandKey.model_validate(row, from_attributes=True) for row in rows]
