"""The columns of the hub's tables, the same for SQLite and PostgreSQL.

`deliveries` has the columns of a delivery, `delivery_versions` those of each version. A new column also needs a step in
`migrations.py`; the API shows a delivery by `Delivery` in `gateway/hub/api/delivery_models.py`.

The database decides; the broker only carries messages. An instant is whole microseconds since 1970 in UTC, so both
databases store and order it alike. Ids are opaque: a prefix that names the table and 128 random bits.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

UNSENT_CHALLENGE = "unsent"  # in the place of an endpoint's challenge: it has to answer one, which is not made yet
SCHEMA_VERSION = 4  # of the whole; whoever changes a column adds a step to gateway/hub/database/migrations.py

metadata = MetaData()

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class InstantColumn(TypeDecorator[datetime]):
    """An aware datetime, stored as whole microseconds since 1970."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - the interface
        """Return the stored value."""
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ANN401, ARG002 - the interface
        """Return the value of a stored one."""
        return None if value is None else _EPOCH + value * _MICROSECOND


def _id_column(prefix: str, **more: Any) -> Column[str]:  # noqa: ANN401 - Column's own
    return Column("id", String(64), CheckConstraint(f"id LIKE '{prefix}%'"), primary_key=True, **more)


def _instant_column(name: str, *, missing: bool = False) -> Column[datetime]:
    return Column(name, InstantColumn, nullable=missing)


# SQLite numbers only an INTEGER PRIMARY KEY by itself
_Serial = BigInteger().with_variant(Integer, "sqlite")

about = Table("about", metadata, Column("key", String(64), primary_key=True), Column("value", String, nullable=False))

# ---- retailers ------------------------------------------------------------------------------------------------------

retailers = Table(
    "retailers", metadata,
    _id_column("ret-"),
    Column("name", String(80), nullable=False),
    Column("told", BigInteger, nullable=False, default=0),  # the `seq` of his newest event
    _instant_column("created"),
    _instant_column("ends", missing=True),  # of the sandbox: then all that is theirs is deleted
    Index("retailers_ending", "ends"),
)  # fmt: skip

api_keys = Table(
    "api_keys", metadata,
    _id_column("key-"),
    Column("retailer", ForeignKey("retailers.id"), nullable=False, index=True),
    Column("sha256", LargeBinary(32), nullable=False),  # of the secret, which is told once
    Column("label", String(80), nullable=False),
    Column("right", String(8), nullable=False),  # full | read
    Column("sandbox", Boolean, nullable=False),
    _instant_column("created"),
    _instant_column("expires", missing=True),
    _instant_column("revoked", missing=True),
)  # fmt: skip

brands = Table(
    "brands", metadata,
    Column("id", String(64), primary_key=True),  # the word under which homes know it
    Column("sandbox", Boolean, primary_key=True, default=False),  # who tries things out takes no real brand's word
    Column("retailer", ForeignKey("retailers.id"), nullable=False, index=True),
    Column("name", String(80), nullable=False),
    Column("keys_version", Integer, nullable=False, default=0),  # rises with each change of its keys
    _instant_column("created"),
)  # fmt: skip

brand_keys = Table(
    "brand_keys", metadata,
    Column("kid", String(64), primary_key=True),
    Column("sandbox", Boolean, primary_key=True, default=False),
    Column("brand", String(64), nullable=False),
    Column("x", String(43), nullable=False),  # the Ed25519 public key, as in a JWK
    Column("vouched", String(1000), nullable=True),  # an earlier key's word for it
    _instant_column("created"),
    _instant_column("revoked", missing=True),
    ForeignKeyConstraint(["brand", "sandbox"], ["brands.id", "brands.sandbox"]),
    Index("keys_by_x", "x", "sandbox"),
    Index("keys_of_brand", "brand", "sandbox"),
)  # fmt: skip

idempotency = Table(
    "idempotency", metadata,
    Column("retailer", String(64), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),  # SHA-256 of API key, method, path and body
    Column("status", Integer, nullable=True),  # None: it still runs
    Column("headers", JSON, nullable=True),
    Column("body", LargeBinary, nullable=True),  # encrypted under the secret of the API key that asked
    _instant_column("created"),
    Index("idempotency_created", "created"),
)  # fmt: skip

# ---- homes ----------------------------------------------------------------------------------------------------------

homes = Table(
    "homes", metadata,
    _id_column("home-"),
    Column("shard", Integer, nullable=False),
    Column("sandbox", Boolean, nullable=False),
    Column("support_code", String(16), nullable=False, unique=True),  # can be read aloud
    Column("box_key", String(43), nullable=False),  # the box's Ed25519 public key: its events are signed by it
    Column("said", JSON, nullable=False),  # what the box last told of itself: entrances, places, zone
    Column("retailer", ForeignKey("retailers.id"), nullable=True),  # of the sandbox: in whose playground it stands
    _instant_column("joined"),
    _instant_column("heard", missing=True),
    _instant_column("revoked", missing=True),
    Column("there", Boolean, nullable=False, default=False),  # it was heard, and not heard to go
    Index("homes_there", "there"),
    Index("homes_revoked", "revoked"),  # each process looks every few seconds who was, lately
)  # fmt: skip

browsers = Table(
    "browsers", metadata,
    Column("home", ForeignKey("homes.id"), primary_key=True),
    Column("id", String(64), primary_key=True),  # as its box named it; whose it is the hub does not know
    Column("sign", JSON, nullable=True),  # JWK: its tokens are signed by it; None: it has ended
    Column("farewell", Text, nullable=True),  # its box's last word to it, sealed; its hub cannot read that either
    _instant_column("told"),
)  # fmt: skip

claims = Table(
    "claims", metadata,
    _id_column("claim-"),
    Column("sha256", LargeBinary(32), nullable=False),  # of the one-time secret in the code: the key of its MACs
    Column("home", ForeignKey("homes.id"), nullable=True),  # that joined by it; before: that is to join anew
    Column("public", LargeBinary(32), nullable=True),  # of the key that it was used for; None: it was not yet
    _instant_column("created"),
    _instant_column("expires"),
    _instant_column("used", missing=True),
)  # fmt: skip

certificates = Table(
    "certificates", metadata,
    Column("serial", String(40), primary_key=True),  # in hex
    Column("home", ForeignKey("homes.id"), nullable=False, index=True),
    Column("public", LargeBinary(32), nullable=False),  # SHA-256 of its key, as SubjectPublicKeyInfo
    Column("der", LargeBinary, nullable=False),
    _instant_column("issued"),
    _instant_column("expires"),
    _instant_column("used", missing=True),  # None: the home has not said that it has it
    _instant_column("ended", missing=True),  # revoked, or replaced by a later one that was used
    Index("certificates_ended", "ended"), Index("certificates_issued", "issued"),
)  # fmt: skip

connections = Table(
    "connections", metadata,
    _id_column("con-"),
    Column("retailer", ForeignKey("retailers.id"), nullable=False, index=True),
    Column("brand", String(64), nullable=False),
    Column("home", ForeignKey("homes.id"), nullable=True, index=True),  # None until somebody said which home is his
    Column("sandbox", Boolean, nullable=False, default=False),
    Column("state", String(16), nullable=False),  # pending | granted | refused | revoked | expired | ended
    Column("asked", JSON, nullable=False),  # the terms that the retailer asks for
    Column("terms", JSON, nullable=True),  # the terms that the home gave
    Column("version", Integer, nullable=False),  # of the home's decision
    Column("reference", String(80), nullable=True),  # the retailer's own word for the customer
    Column("consent_sha256", LargeBinary(32), nullable=False, index=True),  # of the secret in its page's address
    Column("return_url", String(400), nullable=True),
    Column("tries", Integer, nullable=False, default=0),  # support codes that were said on its page
    Column("keys_sent", Integer, nullable=False, default=0),  # the `keys_version` that its home was told
    Column("signed", String, nullable=True),  # the question as the brand signed it
    Column("end_signed", String(1000), nullable=True),  # the brand's own word that it wants no more of it
    Column("end_told", Boolean, nullable=False, default=False),  # to its home
    _instant_column("created"),
    _instant_column("expires"),  # silence until then is no
    _instant_column("decided", missing=True),
    _instant_column("play", missing=True),  # of the sandbox: when its robot takes its word back
    ForeignKeyConstraint(["brand", "sandbox"], ["brands.id", "brands.sandbox"]),
    Index("connections_of_retailer", "retailer", "sandbox", "created", "id"),
    Index("connections_of_brand", "brand", "sandbox", "state", "keys_sent"),
    Index("connections_waiting", "state", "expires"),
    Index("connections_played", "play"),
)  # fmt: skip

deliveries = Table(
    "deliveries", metadata,
    _id_column("dlv-"),
    Column("retailer", ForeignKey("retailers.id"), nullable=False),
    Column("connection", ForeignKey("connections.id"), nullable=False),
    Column("home", ForeignKey("homes.id"), nullable=True),  # None until the connection has one
    Column("brand", String(64), nullable=False),
    Column("name", String(64), nullable=False),  # the promise's own id, which the brand gave it
    Column("version", Integer, nullable=False),  # the newest that was sent to the home
    Column("promise", JSON, nullable=False),  # the newest version, as it was promised
    Column("hub_signed", Boolean, nullable=False),
    Column("sandbox", Boolean, nullable=False, default=False),
    Column("held", Boolean, nullable=False, default=False),  # not sent yet: nobody has let the brand in
    Column("answered", Integer, nullable=True),  # the newest version of which the home has spoken
    Column("state", String(24), nullable=False),
    Column("untold", Boolean, nullable=False, default=False),  # the state came with a word of an older version
    Column("reason", String(64), nullable=True),
    Column("missing", Integer, nullable=False),
    Column("house", String(24), nullable=True),
    Column("seq", BigInteger, nullable=False),  # of the home's event that said so; 0: the hub's own word
    _instant_column("created"),
    _instant_column("changed"),
    _instant_column("window_end"),
    _instant_column("play", missing=True),  # of the sandbox: when its robot goes on with it
    UniqueConstraint("brand", "home", "name"),
    UniqueConstraint("connection", "name"),
    Index("deliveries_by_retailer", "retailer", "created", "id"),
    Index("deliveries_held", "held", "window_end"),
    Index("deliveries_played", "play"),
)  # fmt: skip

delivery_versions = Table(
    "delivery_versions", metadata,
    Column("delivery", ForeignKey("deliveries.id"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("promise", JSON, nullable=True),  # None: it is withdrawn
    Column("token", LargeBinary, nullable=True),  # as the brand signed it; None: the hub signs it, when it is sent
    Column("sha256", String(64), nullable=True, index=True),  # of that token
    Column("refused", Boolean, nullable=False, default=False),  # by the home
    _instant_column("created"),
)  # fmt: skip

jobs = Table(
    "jobs", metadata,
    _id_column("job-"),
    Column("home", ForeignKey("homes.id"), nullable=False),
    Column("kind", String(16), nullable=False),  # gateway.protocol.box_hub.JobKind
    Column("token", LargeBinary, nullable=False),  # kept byte for byte
    Column("sha256", String(64), nullable=False),  # of the token: by it a box names what it does not believe
    Column("delivery", ForeignKey("deliveries.id"), nullable=True),
    Column("browser", String(64), nullable=True),  # of the household, which ordered it
    Column("attempts", Integer, nullable=False),
    Column("refused", String(200), nullable=True),  # the box will never take it, and why
    Column("parked", Boolean, nullable=False),  # nobody was there: due when the box says hello, or in the slow sweep
    _instant_column("created"),
    _instant_column("due", missing=True),  # None: the box has received it, or it has had its time
    _instant_column("leased", missing=True),  # a dispatcher is at it until then
    _instant_column("received", missing=True),
    _instant_column("expires"),
    Index("jobs_in_turn", "due", "created"),  # the longest due first, without looking at all that wait
    Index("jobs_of_home", "home", "due"),
    Index("jobs_of_delivery", "delivery", "created"),
    Index("jobs_by_token", "home", "sha256"),
    Index("jobs_of_browser", "home", "browser"),
)  # fmt: skip

home_events = Table(
    "home_events", metadata,
    Column("home", ForeignKey("homes.id"), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("token", LargeBinary, nullable=False),  # as the box signed it
    Column("key", String(43), nullable=True),  # under which it did
    Column("delivery", ForeignKey("deliveries.id"), nullable=True, index=True),  # of which it speaks
    _instant_column("at"),
    Index("home_events_at", "at"),  # what is too old is found by it
)  # fmt: skip

# ---- what retailers are told ----------------------------------------------------------------------------------------

events = Table(
    "events", metadata,
    Column("number", _Serial, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("retailer", ForeignKey("retailers.id"), nullable=False),
    Column("type", String(64), nullable=False),
    Column("object", String(64), nullable=False),  # the id of what it is about
    Column("data", JSON, nullable=False),
    Column("sandbox", Boolean, nullable=False),
    Column("seq", BigInteger, nullable=False),  # rises by one for each event of a retailer
    _instant_column("at"),
    UniqueConstraint("retailer", "seq"),
    Index("events_of_object", "object", "number"),
)  # fmt: skip

endpoints = Table(
    "endpoints", metadata,
    _id_column("ep-"),
    Column("retailer", ForeignKey("retailers.id"), nullable=False, index=True),
    Column("url", String(400), nullable=False),
    Column("types", JSON, nullable=False),  # of events; empty: all
    Column("secret", String(160), nullable=False),  # sealed under the hub's own key (signing_key.py)
    Column("old_secret", String(160), nullable=True),
    Column("sandbox", Boolean, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("disabled", String(16), nullable=True),  # by whom or what: asked | gone | failing
    Column("seq", BigInteger, nullable=False),  # of the newest event that there was a message of; 0: none
    Column("slow", Boolean, nullable=False),  # it took long to answer the last time
    Column("challenge", String(64), nullable=True),  # message to be answered first, or UNSENT_CHALLENGE; None: none
    _instant_column("replayed", missing=True),  # of a sandbox: its newest replay
    _instant_column("failing", missing=True),  # nothing has been taken since then
    _instant_column("leased"),  # a sender is at it until then; over: when it was last served
    _instant_column("old_until", missing=True),
    _instant_column("created"),
)  # fmt: skip

messages = Table(
    "messages", metadata,
    _id_column("msg-"),  # the same at each try: the receiver's key against doing a thing twice
    Column("endpoint", ForeignKey("endpoints.id"), nullable=False),
    Column("event", ForeignKey("events.id"), nullable=False),
    Column("seq", BigInteger, nullable=False),  # of the event
    Column("previous", BigInteger, nullable=False),  # seq of the message before it to this endpoint; 0: none
    Column("attempts", Integer, nullable=False),
    Column("tries", Integer, nullable=False),  # since `begun`
    Column("state", String(16), nullable=False),  # waiting | delivered | given_up
    _instant_column("created"),
    _instant_column("begun"),  # when it was told, or last replayed
    _instant_column("due", missing=True),  # None: it waits no more
    UniqueConstraint("endpoint", "event"),
    Index("messages_due", "due"),
    Index("messages_of_turn", "endpoint", "due", "seq"),
    Index("messages_of_endpoint", "endpoint", "created"),
    Index("messages_over", "created", "state"),
)  # fmt: skip

attempts = Table(
    "attempts", metadata,
    Column("message", ForeignKey("messages.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("result", String(24), nullable=False),  # gateway.hub.webhooks.retry.WebhookResult
    Column("status", Integer, nullable=True),  # of HTTP; None: no answer
    Column("excerpt", String(200), nullable=True),
    Column("milliseconds", Integer, nullable=False),
    _instant_column("at"),
)  # fmt: skip

# ---- a cluster's processes -------------------------------------------------------------------------------------------

shares = Table(
    "shares", metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("holder", Integer, nullable=False),  # the process that hears it: the one of the same number, or another
    _instant_column("until"),  # unless it is told again
)  # fmt: skip
