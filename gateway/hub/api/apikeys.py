"""Creates, lists and revokes API keys; a key's secret is shown once."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints
from sqlalchemy import ColumnElement, and_, insert, select, update

from gateway.domain.delivery.promise import Instant
from gateway.hub.database.store import new_id
from gateway.hub.database.tables import api_keys
from gateway.hub.http.authentication import new_secret, secret_digest
from gateway.hub.http.operation import (
    ApiAccess,
    ApiOperation,
    ApiParameters,
    Model,
    OperationLink,
    RequestContext,
    Response,
)
from gateway.hub.http.problem import ApiProblem, Code

MAX_API_KEYS = 100  # keys that count, of one retailer

Label = Annotated[str, StringConstraints(pattern=r"^[ -~À-ÿ]{1,80}$")]
KeyId = Annotated[str, StringConstraints(pattern=r"^key-[a-z2-7]{26}$")]


class ApiKeyPath(ApiParameters):
    """Which key."""

    key_id: KeyId


class NewKey(Model):
    """An API key to make. A key of the sandbox never reaches a real home."""

    label: Label
    right: Literal["full", "read"] = "full"
    expires: Instant | None = None


class ApiKey(Model):
    """An API key, without its secret."""

    id: KeyId
    label: str
    right: Literal["full", "read"]
    sandbox: bool
    created: datetime
    expires: datetime | None


class MadeKey(ApiKey):
    """A new API key. Send `token` as `Authorization: Bearer`; it is never shown again."""

    token: str


class ApiKeys(Model):
    """All API keys of the retailer, newest first."""

    data: Annotated[tuple[ApiKey, ...], Field(max_length=1000)]


async def create(call: RequestContext) -> Response:
    """Make one, of the caller's own kind: a sandbox's key makes no other."""
    asked, who = call.of(NewKey), call.who
    if asked.expires is not None and asked.expires <= call.now:
        raise ApiProblem(Code.CONFLICT, "`expires` is over already.")
    count = len(await _list_keys(call))
    if count >= MAX_API_KEYS:
        raise ApiProblem(Code.CONFLICT, f"A retailer has at most {MAX_API_KEYS} keys: revoke one first.")
    secret, id_ = new_secret(), new_id("key")
    made = MadeKey(
        id=id_, label=asked.label, right=asked.right, sandbox=who.sandbox, created=call.now, expires=asked.expires,
        token=f"{id_}_{secret}",
    )  # fmt: skip
    row = {**made.model_dump(exclude={"token"}), "retailer": who.retailer, "sha256": secret_digest(secret)}
    await call.tx.execute(insert(api_keys).values(row))
    return Response(status=201, body=made, headers={"Location": f"/v1/api_keys/{id_}"})


async def list_(call: RequestContext) -> Response:
    """List them."""
    return Response(status=200, body=ApiKeys(data=tuple(await _list_keys(call))))


async def read(call: RequestContext) -> Response:
    """Tell of one."""
    return Response(status=200, body=await _find_key(call))


async def revoke(call: RequestContext) -> Response:
    """End one, from this instant. The key that asks may end itself."""
    key = await _find_key(call)
    await call.tx.execute(update(api_keys).where(api_keys.c.id == key.id).values(revoked=call.now))
    return Response(status=204)


async def _list_keys(call: RequestContext) -> list[ApiKey]:
    rows = await call.tx.execute(
        select(api_keys).where(_owned_by_caller(call)).order_by(api_keys.c.created.desc(), api_keys.c.id)
    )
    return [_from_row(row) for row in rows]


async def _find_key(call: RequestContext) -> ApiKey:
    wanted = api_keys.c.id == call.of(ApiKeyPath).key_id
    row = (await call.tx.execute(select(api_keys).where(_owned_by_caller(call), wanted))).one_or_none()
    if row is None:
        raise ApiProblem(Code.NOT_FOUND)
    return _from_row(row)


def _owned_by_caller(call: RequestContext) -> ColumnElement[bool]:
    """What the caller may see: his own, of the same kind of world, and that counts still."""
    who = call.who
    return and_(api_keys.c.retailer == who.retailer, api_keys.c.sandbox == who.sandbox, api_keys.c.revoked.is_(None))


def _from_row(row: object) -> ApiKey:
    return ApiKey.model_validate({name: getattr(row, name) for name in ApiKey.model_fields})


_LINK_PARAMETERS = {"key_id": "$response.body#/id"}
OPERATIONS = (
    ApiOperation(
        name="createApiKey",
        method="POST",
        path="/v1/api_keys",
        tag="API keys",
        handler=create,
        summary="Make an API key",
        body=NewKey,
        answers={201: MadeKey},
        refuses=frozenset({Code.CONFLICT}),
        links=(
            OperationLink(operation="readApiKey", parameters=_LINK_PARAMETERS),
            OperationLink(operation="revokeApiKey", parameters=_LINK_PARAMETERS),
        ),
    ),
    ApiOperation(
        name="listApiKeys",
        method="GET",
        path="/v1/api_keys",
        tag="API keys",
        handler=list_,
        right=ApiAccess.READ,
        summary="List the valid API keys",
        answers={200: ApiKeys},
    ),
    ApiOperation(
        name="readApiKey",
        method="GET",
        path="/v1/api_keys/{key_id}",
        tag="API keys",
        handler=read,
        right=ApiAccess.READ,
        summary="Read one API key",
        path_model=ApiKeyPath,
        answers={200: ApiKey},
    ),
    ApiOperation(
        name="revokeApiKey",
        method="DELETE",
        path="/v1/api_keys/{key_id}",
        tag="API keys",
        handler=revoke,
        summary="Revoke an API key",
        path_model=ApiKeyPath,
        answers={204: None},
    ),
)
