"""Creates, lists and revokes API keys; a key's secret is shown once."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints
from sqlalchemy import insert, select, update

from gateway.domain.delivery.promise import Instant, Name
from gateway.hub.api.rows import count_owned, find_owned, owned_by
from gateway.hub.database.revocations import RevocationKind, record_revocation
from gateway.hub.database.store import new_id, new_secret
from gateway.hub.database.tables import api_keys
from gateway.hub.http.authentication import secret_digest
from gateway.hub.http.operation import Model, OperationGroup, RequestContext, Response, links_to
from gateway.hub.http.problem import ApiProblem, Code

MAX_API_KEYS = 100  # valid keys of one retailer

Label = Annotated[str, StringConstraints(pattern=r"^[ -~À-ÿ]{1,80}$")]
KeyId = Annotated[str, StringConstraints(pattern=r"^key-[a-z2-7]{26}$")]

API_KEYS = OperationGroup("API keys")


Right = Literal["full", "read", "carrier"]


class NewKey(Model):
    """An API key to make. A key of the sandbox never reaches a real home.

    `right`: `full` may do everything, `read` changes nothing. `carrier` is for a carrier's own systems, and needs
    `carrier`, the name that stands in your deliveries: the key lists and reads your deliveries of that carrier, says
    when its courier arrives, asks for more time and makes the courier's code. Everything else it is refused.
    """

    label: Label
    right: Right = "full"
    carrier: Name | None = None
    expires: Instant | None = None


class ApiKey(Model):
    """An API key, without its secret. `carrier`: of a key with that right, the carrier whose deliveries it sees."""

    id: KeyId
    label: str
    right: Right
    carrier: str | None
    sandbox: bool
    created: datetime
    expires: datetime | None


class MadeKey(ApiKey):
    """A new API key. Send `token` as `Authorization: Bearer`; it is never shown again."""

    token: str


class ApiKeys(Model):
    """All API keys of the retailer, newest first."""

    data: Annotated[tuple[ApiKey, ...], Field(max_length=1000)]


@API_KEYS.add(
    "POST", "/v1/api_keys", "createApiKey", statuses=(201,), location=True, refuses={Code.CONFLICT},
    links=links_to("key_id", "readApiKey", "revokeApiKey"),
)  # fmt: skip
async def create(call: RequestContext, body: NewKey) -> Response[MadeKey]:
    """Make an API key. With a key of a sandbox the new key is one of the sandbox too."""
    if body.expires is not None and body.expires <= call.now:
        raise ApiProblem(Code.CONFLICT, "`expires` is over already.")
    if await count_owned(call, api_keys, api_keys.c.revoked.is_(None)) >= MAX_API_KEYS:
        raise ApiProblem(Code.CONFLICT, f"A retailer has at most {MAX_API_KEYS} keys: revoke one first.")
    if (body.carrier is not None) is not (body.right == "carrier"):
        reason = "A key with the right `carrier` names its carrier, and no other key names one."
        raise ApiProblem.at("/carrier", "carrier_and_right", reason, detail=reason)
    secret, id_ = new_secret(), new_id("key")
    key = MadeKey(
        id=id_, label=body.label, right=body.right, carrier=body.carrier, sandbox=call.caller.sandbox,
        created=call.now, expires=body.expires, token=f"{id_}_{secret}",
    )  # fmt: skip
    row = {**key.model_dump(exclude={"token"}), "retailer": call.caller.retailer, "sha256": secret_digest(secret)}
    await call.tx.execute(insert(api_keys).values(row))
    return Response(key, headers={"Location": f"/v1/api_keys/{id_}"})


@API_KEYS.add("GET", "/v1/api_keys", "listApiKeys")
async def list_(call: RequestContext) -> ApiKeys:
    """List the valid API keys."""
    valid = select(api_keys).where(owned_by(call.caller, api_keys), api_keys.c.revoked.is_(None))
    rows = await call.tx.execute(valid.order_by(api_keys.c.created.desc(), api_keys.c.id))
    return ApiKeys(data=tuple(ApiKey.model_validate(row, from_attributes=True) for row in rows))


@API_KEYS.add("GET", "/v1/api_keys/{key_id}", "readApiKey")
async def read(call: RequestContext, key_id: KeyId) -> ApiKey:
    """Read one API key."""
    row = await find_owned(call, api_keys, key_id)
    if row.revoked is not None:
        raise ApiProblem(Code.NOT_FOUND)
    return ApiKey.model_validate(row, from_attributes=True)


@API_KEYS.add("DELETE", "/v1/api_keys/{key_id}", "revokeApiKey")
async def revoke(call: RequestContext, key_id: KeyId) -> None:
    """Revoke an API key. It ends at once; a key may revoke itself."""
    key = await read(call, key_id)
    await call.tx.execute(update(api_keys).where(api_keys.c.id == key.id).values(revoked=call.now))
    if not key.sandbox:
        await record_revocation(call.tx, RevocationKind.API_KEY, key.id, call.now)
