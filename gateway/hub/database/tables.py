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

UNSENT_CHALLENGE = "unsent"  # an endpoint's challenge that is due and not made yet
SCHEMA_VERSION = 4  # a changed column needs a step in migrations.py

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

retailers = Table(
    "retailers", metadata,
    _id_column("ret-"),
    Column("name", String(80), nullable=False),
    Column("told", BigInteger, nullable=False, default=0),  # `seq` of the newest event
    _instant_column("created"),
    _instant_column("ends", missing=True),  # of a sandbox: then all of it is deleted
    Index("retailers_ending", "ends"),
)  # fmt: skip

api_keys = Table(
    "api_keys", metadata,
    _id_column("key-"),
    Column("retailer", ForeignKey("retailers.id"), nullable=False, index=True),
    Column("sha256", LargeBinary(32), nullable=False),  # of the secret, which is shown once
    Column("label", String(80), nullable=False),
    Column("right", String(8), nullable=False),  # full | read
    Column("sandbox", Boolean, nullable=False),
    _instant_column("created"),
    _instant_column("expires", missing=True),
    _instant_column("revoked", missing=True),
)  # fmt: skip

brands = Table(
    "brands", metadata,
    Column("id", String(64), primary_key=True),  # the name under which homes know it
    Column("sandbox", Boolean, primary_key=True, default=False),  # a sandbox cannot take a real brand's name
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
    Column("vouched", String(1000), nullable=True),  # statement of an earlier key
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
    Column("status", Integer, nullable=True),  # None: the request still runs
    Column("headers", JSON, nullable=True),
    Column("body", LargeBinary, nullable=True),  # encrypted under the secret of the caller's API key
    _instant_column("created"),
    Index("idempotency_created", "created"),
)  # fmt: skip

homes = Table(
    "homes", metadata,
    _id_column("home-"),
    Column("shard", Integer, nullable=False),
    Column("sandbox", Boolean, nullable=False),
    Column("support_code", String(16), nullable=False, unique=True),  # can be read aloud
    Column("box_key", String(43), nullable=False),  # the Ed25519 public key that signs the box's events
    Column("said", JSON, nullable=False),  # newest report of the box: entrances, places, zone
    Column("retailer", ForeignKey("retailers.id"), nullable=True),  # of a sandbox: its retailer
    _instant_column("joined"),
    _instant_column("heard", missing=True),
    _instant_column("revoked", missing=True),
    Column("there", Boolean, nullable=False, default=False),  # connected
    Index("homes_there", "there"),
    Index("homes_revoked", "revoked"),  # each process polls recent revocations
)  # fmt: skip

browsers = Table(
    "browsers", metadata,
    Column("home", ForeignKey("homes.id"), primary_key=True),
    Column("id", String(64), primary_key=True),  # chosen by its box; the hub does not know the person
    Column("sign", JSON, nullable=True),  # JWK that signs its tokens; None: it has ended
    Column("farewell", Text, nullable=True),  # last message of its box, which only the browser can decrypt
    _instant_column("told"),
)  # fmt: skip

claims = Table(
    "claims", metadata,
    _id_column("claim-"),
    Column("sha256", LargeBinary(32), nullable=False),  # of the one-time secret in the code; the key of its MACs
    Column("home", ForeignKey("homes.id"), nullable=True),  # that joined by it, or that is to join again
    Column("public", LargeBinary(32), nullable=True),  # digest of the key that used it; None: unused
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
    _instant_column("used", missing=True),  # None: the home has not confirmed it
    _instant_column("ended", missing=True),  # revoked, or replaced by a confirmed one
    Index("certificates_ended", "ended"), Index("certificates_issued", "issued"),
)  # fmt: skip

connections = Table(
    "connections", metadata,
    _id_column("con-"),
    Column("retailer", ForeignKey("retailers.id"), nullable=False, index=True),
    Column("brand", String(64), nullable=False),
    Column("home", ForeignKey("homes.id"), nullable=True, index=True),  # None until a person entered a support code
    Column("sandbox", Boolean, nullable=False, default=False),
    Column("state", String(16), nullable=False),  # pending | granted | refused | revoked | expired | ended
    Column("asked", JSON, nullable=False),  # the requested terms
    Column("terms", JSON, nullable=True),  # the granted terms
    Column("version", Integer, nullable=False),  # of the home's decision
    Column("reference", String(80), nullable=True),  # the retailer's own name for the customer
    Column("consent_sha256", LargeBinary(32), nullable=False, index=True),  # of the secret in its page's address
    Column("return_url", String(400), nullable=True),
    Column("tries", Integer, nullable=False, default=0),  # support codes entered on its page
    Column("keys_sent", Integer, nullable=False, default=0),  # the `keys_version` of which its home was informed
    Column("signed", String, nullable=True),  # the request as the brand signed it
    Column("end_signed", String(1000), nullable=True),  # the end as the brand signed it
    Column("end_told", Boolean, nullable=False, default=False),  # its home was informed
    _instant_column("created"),
    _instant_column("expires"),  # no answer until then is a no
    _instant_column("decided", missing=True),
    _instant_column("play", missing=True),  # of a sandbox: when its robot revokes it
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
    Column("name", String(64), nullable=False),  # the order's own id, chosen by the brand
    Column("version", Integer, nullable=False),  # newest version
    Column("promise", JSON, nullable=False),  # the order of the newest version that counts
    Column("hub_signed", Boolean, nullable=False),
    Column("sandbox", Boolean, nullable=False, default=False),
    Column("held", Boolean, nullable=False, default=False),  # not sent yet: the home has not permitted the brand
    Column("answered", Integer, nullable=True),  # newest version that the home answered
    Column("state", String(24), nullable=False),
    Column("untold", Boolean, nullable=False, default=False),  # an older version's state: not notified yet
    Column("reason", String(64), nullable=True),
    Column("missing", Integer, nullable=False),
    Column("house", String(24), nullable=True),
    Column("seq", BigInteger, nullable=False),  # of the home's event with this state; 0: the hub decided
    _instant_column("created"),
    _instant_column("changed"),
    _instant_column("window_end"),
    _instant_column("play", missing=True),  # of a sandbox: when its robot continues
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
    Column("promise", JSON, nullable=True),  # None: cancelled
    Column("token", LargeBinary, nullable=True),  # as the brand signed it; None: the hub signs it when it is sent
    Column("sha256", String(64), nullable=True, index=True),  # of that token
    Column("refused", Boolean, nullable=False, default=False),  # by the home
    _instant_column("created"),
)  # fmt: skip

jobs = Table(
    "jobs", metadata,
    _id_column("job-"),
    Column("home", ForeignKey("homes.id"), nullable=False),
    Column("kind", String(16), nullable=False),  # gateway.protocol.box_hub.JobKind
    Column("token", LargeBinary, nullable=False),  # stored byte for byte
    Column("sha256", String(64), nullable=False),  # of the token; a box names a refused message by it
    Column("delivery", ForeignKey("deliveries.id"), nullable=True),
    Column("browser", String(64), nullable=True),  # of the household that sent the order
    Column("attempts", Integer, nullable=False),
    Column("refused", String(200), nullable=True),  # why the box refused it
    Column("parked", Boolean, nullable=False),  # the box was absent: due at its hello or in the slow sweep
    _instant_column("created"),
    _instant_column("due", missing=True),  # None: received or expired
    _instant_column("leased", missing=True),  # by a dispatcher
    _instant_column("received", missing=True),
    _instant_column("expires"),
    Index("jobs_in_turn", "due", "created"),  # the longest due first, without a scan of all that wait
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
    Column("key", String(43), nullable=True),  # of the box, that signed it
    Column("delivery", ForeignKey("deliveries.id"), nullable=True, index=True),  # that it is about
    _instant_column("at"),
    Index("home_events_at", "at"),  # finds old events
)  # fmt: skip

events = Table(
    "events", metadata,
    Column("number", _Serial, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("retailer", ForeignKey("retailers.id"), nullable=False),
    Column("type", String(64), nullable=False),
    Column("object", String(64), nullable=False),  # the id of what it is about
    Column("data", JSON, nullable=False),
    Column("sandbox", Boolean, nullable=False),
    Column("seq", BigInteger, nullable=False),  # rises by one with each event of a retailer
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
    Column("disabled", String(16), nullable=True),  # asked | gone | failing | unverified
    Column("seq", BigInteger, nullable=False),  # of the newest event with a message; 0: none
    Column("slow", Boolean, nullable=False),  # its last answer was slow
    Column("challenge", String(64), nullable=True),  # message to be answered first, or UNSENT_CHALLENGE; None: verified
    _instant_column("replayed", missing=True),  # of a sandbox: its newest replay
    _instant_column("failing", missing=True),  # no message was accepted since then
    _instant_column("leased"),  # by a sender; in the past: when it was last served
    _instant_column("old_until", missing=True),
    _instant_column("created"),
)  # fmt: skip

messages = Table(
    "messages", metadata,
    _id_column("msg-"),  # the same at each attempt, so that a receiver can ignore repetitions
    Column("endpoint", ForeignKey("endpoints.id"), nullable=False),
    Column("event", ForeignKey("events.id"), nullable=False),
    Column("seq", BigInteger, nullable=False),  # of the event
    Column("previous", BigInteger, nullable=False),  # seq of the message before it to this endpoint; 0: none
    Column("attempts", Integer, nullable=False),
    Column("tries", Integer, nullable=False),  # since `begun`
    Column("state", String(16), nullable=False),  # waiting | delivered | given_up
    _instant_column("created"),
    _instant_column("begun"),  # when it was made or last replayed
    _instant_column("due", missing=True),  # None: it is over
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

shares = Table(
    "shares", metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("holder", Integer, nullable=False),  # the process that serves it: of the same number, or another
    _instant_column("until"),  # unless it is renewed
)  # fmt: skip
