"""Creates, lists and revokes API keys; a key's secret is shown once."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints
from sqlalchemy import insert, select, update

from gateway.domain.delivery.promise import Instant
from gateway.hub.api.rows import count_owned, find_owned, owned_by
from gateway.hub.database.store import new_id
from gateway.hub.database.tables import api_keys
from gateway.hub.http.authentication import new_secret, secret_digest
from gateway.hub.http.operation import ApiParameters, Model, OperationGroup, RequestContext, Response, links_to
from gateway.hub.http.problem import ApiProblem, Code

MAX_API_KEYS = 100  # valid keys of one retailer

Label = Annotated[str, StringConstraints(pattern=r"^[ -~À-ÿ]{1,80}$")]
KeyId = Annotated[str, StringConstraints(pattern=r"^key-[a-z2-7]{26}$")]

API_KEYS = OperationGroup("API keys")


class ApiKeyPath(ApiParameters):
    """The API key that the path names."""

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


@API_KEYS.post(
    "/v1/api_keys",
    "createApiKey",
    body=NewKey,
    answers={201: MadeKey},
    refuses={Code.CONFLICT},
    links=links_to("key_id", "readApiKey", "revokeApiKey"),
)
async def create(call: RequestContext) -> Response:
    """Make an API key.

    With a key of a sandbox the new key is one of the sandbox too.
    """
    asked, who = call.part(NewKey), call.caller
    if asked.expires is not None and asked.expires <= call.now:
        raise ApiProblem(Code.CONFLICT, "`expires` is over already.")
    if await count_owned(call, api_keys, api_keys.c.revoked.is_(None)) >= MAX_API_KEYS:
        raise ApiProblem(Code.CONFLICT, f"A retailer has at most {MAX_API_KEYS} keys: revoke one first.")
    secret, id_ = new_secret(), new_id("key")
    made = MadeKey(
        id=id_, label=asked.label, right=asked.right, sandbox=who.sandbox, created=call.now, expires=asked.expires,
        token=f"{id_}_{secret}",
    )  # fmt: skip
    row = {**made.model_dump(exclude={"token"}), "retailer": who.retailer, "sha256": secret_digest(secret)}
    await call.tx.execute(insert(api_keys).values(row))
    return Response(made, status=201, headers={"Location": f"/v1/api_keys/{id_}"})


@API_KEYS.get("/v1/api_keys", "listApiKeys", answers={200: ApiKeys})
async def list_(call: RequestContext) -> Response:
    """List the valid API keys."""
    valid = select(api_keys).where(owned_by(call, api_keys), api_keys.c.revoked.is_(None))
    rows = await call.tx.execute(valid.order_by(api_keys.c.created.desc(), api_keys.c.id))
    return Response(ApiKeys(data=tuple(ApiKey.model_validate(row, from_attributes=True) for row in rows)))


@API_KEYS.get("/v1/api_keys/{key_id}", "readApiKey", path_model=ApiKeyPath, answers={200: ApiKey})
async def read(call: RequestContext) -> Response:
    """Read one API key."""
    return Response(await _find_key(call))


@API_KEYS.delete("/v1/api_keys/{key_id}", "revokeApiKey", path_model=ApiKeyPath, answers={204: None})
async def revoke(call: RequestContext) -> Response:
    """Revoke an API key.

    It ends at once; a key may revoke itself.
    """
    key = await _find_key(call)
    await call.tx.execute(update(api_keys).where(api_keys.c.id == key.id).values(revoked=call.now))
    return Response(status=204)


async def _find_key(call: RequestContext) -> ApiKey:
    row = await find_owned(call, api_keys, call.part(ApiKeyPath).key_id)
    if row.revoked is not None:
        raise ApiProblem(Code.NOT_FOUND)
    return ApiKey.model_validate(row, from_attributes=True)
