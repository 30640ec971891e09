"""Manages brands: the id and name under which homes know a shop, and the keys that sign for it.

A retailer enrols a key with a proof that it has the private half. The hub informs each home that permits the brand of a
new key, and its owner approves it. The old key stays valid until then, so keys rotate with overlap. The hub vouches for
no key.
"""

from datetime import datetime
from typing import Annotated, Any, TypeVar

from pydantic import Field, StringConstraints
from sqlalchemy import Row, insert, select, update

from gateway.domain.delivery.promise import Id
from gateway.hub.api.rows import PageParameters, count_owned, find_owned, newest_page
from gateway.hub.database.revocations import RevocationKind, record_revocation
from gateway.hub.database.tables import brand_keys, brands
from gateway.hub.http.operation import Model, OperationGroup, RequestContext, Response, links_to
from gateway.hub.http.problem import ApiProblem, Code
from gateway.protocol import consent_request
from gateway.protocol.brand_statement import BrandStatement, NextKeyStatement, proof_error, verify_brand_statement
from gateway.protocol.consent_request import MAX_BRAND_KEYS, Kid, Label, PublicX, ShortJws
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.jws import EnrolledKey

S = TypeVar("S", bound=BrandStatement)

MAX_BRANDS = 100  # brands of one retailer
MAX_KEYS_PER_BRAND = 200  # keys that one brand ever had

BRANDS = OperationGroup("Brands")


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
    proof: Annotated[str, StringConstraints(min_length=5, max_length=2048, pattern=consent_request.JWS_PATTERN)]
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


@BRANDS.add(
    "POST", "/v1/brands", "createBrand", statuses=(201,), location=True, refuses={Code.CONFLICT, Code.ALREADY_EXISTS},
    links=links_to("brand", "readBrand", "listBrandKeys", "addBrandKey"),
)  # fmt: skip
async def create(call: RequestContext, body: NewBrand) -> Response[Brand]:
    """Make a brand. With a key of a sandbox the brand is one of the sandbox."""
    caller = call.caller
    if await count_owned(call, brands) >= MAX_BRANDS:
        raise ApiProblem(Code.CONFLICT, f"A retailer has at most {MAX_BRANDS} brands.")
    if await call.tx.scalar(select(brands.c.id).filter_by(id=body.id, sandbox=caller.sandbox)) is not None:
        raise ApiProblem(Code.ALREADY_EXISTS, "This word is a brand's already.")
    brand = Brand(id=body.id, name=body.name, sandbox=caller.sandbox, created=call.now)
    await call.tx.execute(insert(brands).values(**brand.model_dump(), retailer=caller.retailer, keys_version=0))
    return Response(brand, headers={"Location": f"/v1/brands/{brand.id}"})


@BRANDS.add("GET", "/v1/brands", "listBrands")
async def list_(call: RequestContext, query: PageParameters) -> Brands:
    """List the brands."""
    rows, next_ = await newest_page(call, brands, query)
    return Brands(data=tuple(Brand.model_validate(row, from_attributes=True) for row in rows), next=next_)


@BRANDS.add("GET", "/v1/brands/{brand}", "readBrand")
async def read(call: RequestContext, brand: Id) -> Brand:
    """Read one brand."""
    return Brand.model_validate(await find_owned(call, brands, brand), from_attributes=True)


@BRANDS.add(
    "POST", "/v1/brands/{brand}/keys", "addBrandKey", statuses=(201,), location=True,
    refuses={Code.CONFLICT, Code.ALREADY_EXISTS, Code.SIGNATURE_REFUSED},
)  # fmt: skip
async def add_key(call: RequestContext, brand: Id, body: NewBrandKey) -> Response[BrandKey]:
    """Enrol a key of a brand. Homes that permit the brand are informed of it."""
    row = await find_owned(call, brands, brand, lock=True)
    check_not_ended(row)
    reason = _refusal_reason(call, row, body)
    if reason is not None:
        raise signature_refused("proof", reason)
    if body.vouched is not None:
        reason = "no key of the brand that counts vouches for this one"
        statement = await verify_statement(call, brand, NextKeyStatement, "vouched", body.vouched, reason)
        if (statement.kid, statement.x) != (body.kid, body.x):
            raise signature_refused("vouched", reason)
    keys = await _list_brand_keys(call, row)
    if len(keys) >= MAX_KEYS_PER_BRAND or sum(key.revoked is None for key in keys) >= MAX_BRAND_KEYS:
        raise ApiProblem(
            Code.CONFLICT, f"A brand has at most {MAX_BRAND_KEYS} keys that count, and {MAX_KEYS_PER_BRAND} ever."
        )
    same = (brand_keys.c.kid == body.kid) | (brand_keys.c.x == body.x)
    if await call.tx.scalar(select(brand_keys.c.kid).where(same, brand_keys.c.sandbox == row.sandbox)) is not None:
        raise ApiProblem(Code.ALREADY_EXISTS, "There is or was a key of this name, or this key under another one.")
    key = BrandKey(kid=body.kid, x=body.x, created=call.now, revoked=None)
    owner = {"brand": brand, "sandbox": row.sandbox}
    await call.tx.execute(insert(brand_keys).values(**key.model_dump(), **owner, vouched=body.vouched))
    await _mark_changed(call, row)
    return Response(key, headers={"Location": f"/v1/brands/{brand}/keys"})


@BRANDS.add("GET", "/v1/brands/{brand}/keys", "listBrandKeys")
async def list_keys(call: RequestContext, brand: Id) -> BrandKeys:
    """List the keys of a brand."""
    row = await find_owned(call, brands, brand)
    return BrandKeys(data=tuple(await _list_brand_keys(call, row)))


@BRANDS.add("POST", "/v1/brands/{brand}/keys/{kid}/revoke", "revokeBrandKey")
async def revoke_key(call: RequestContext, brand: Id, kid: Kid) -> BrandKey:
    """Revoke a key of a brand. Revoking it again changes nothing."""
    row = await find_owned(call, brands, brand, lock=True)
    key = next((key for key in await _list_brand_keys(call, row) if key.kid == kid), None)
    if key is None:
        raise ApiProblem(Code.NOT_FOUND)
    if key.revoked is None:
        this = update(brand_keys).filter_by(kid=key.kid, sandbox=row.sandbox)
        await call.tx.execute(this.values(revoked=call.now))
        if not row.sandbox:
            detail = {"brand": brand, "x": key.x}
            await record_revocation(call.tx, RevocationKind.BRAND_KEY, kid, call.now, detail=detail)
        await _mark_changed(call, row)
        key = key.model_copy(update={"revoked": call.now})
    return key


def check_not_ended(brand: Row[Any]) -> None:
    """Refuse what would be done in the name of a brand that the operator ended."""
    if brand.ended is not None:
        raise ApiProblem(Code.CONFLICT, "The operator of this hub has ended this brand.")


async def active_keys(call: RequestContext, brand: str) -> dict[str, EnrolledKey]:
    """Return the valid keys of the caller's brand."""
    valid = select(brand_keys.c.kid, brand_keys.c.x).filter_by(brand=brand, sandbox=call.caller.sandbox, revoked=None)
    return {row.kid: EnrolledKey(brand, PublicKey.from_jwk(row.x)) for row in await call.tx.execute(valid)}


async def verify_statement(  # noqa: PLR0913, PLR0917 - the statement, and what a refusal says
    call: RequestContext, brand: str, model: type[S], field: str, token: str, reason: str
) -> S:
    """Return the statement in a field of the body that a valid key of the caller's brand signed for this hub."""
    verified = verify_brand_statement(token, model, await active_keys(call, brand), hub=call.url)
    if verified is None or not consent_request.is_compact(token):
        raise signature_refused(field, reason if verified is None else consent_request.COMPACT_RULE)
    return verified[0]


def signature_refused(field: str, reason: str) -> ApiProblem:
    """Return the problem that a signed field of the body is refused; `reason` begins with a small letter."""
    sentence = f"{reason[0].upper()}{reason[1:]}."
    return ApiProblem.at(f"/{field}", field, reason, code=Code.SIGNATURE_REFUSED, detail=sentence)


def _refusal_reason(call: RequestContext, brand: Row[Any], body: NewBrandKey) -> str | None:
    try:
        key = PublicKey.from_text(body.x)
    except ValueError:
        return "x is not an Ed25519 public key"
    return proof_error(body.proof, key, brand=brand.id, kid=body.kid, hub=call.url)


async def _mark_changed(call: RequestContext, brand: Row[Any]) -> None:
    """Note that the brand's keys changed; `due_connections` informs the homes, which may be many."""
    this = update(brands).filter_by(id=brand.id, sandbox=brand.sandbox)
    await call.tx.execute(this.values(keys_version=brands.c.keys_version + 1))


async def _list_brand_keys(call: RequestContext, brand: Row[Any]) -> list[BrandKey]:
    known = select(brand_keys).filter_by(brand=brand.id, sandbox=brand.sandbox)
    newest = known.order_by(brand_keys.c.created.desc(), brand_keys.c.kid).limit(MAX_KEYS_PER_BRAND)
    return [BrandKey.model_validate(row, from_attributes=True) for row in await call.tx.execute(newest)]
