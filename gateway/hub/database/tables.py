"""The columns of the hub's tables, the same for SQLite and PostgreSQL.

`deliveries` has the columns of a delivery, `delivery_versions` those of each version. Each change here also needs a
revision in `alembic/versions`; the API shows a delivery by `Delivery` in `gateway/hub/api/delivery_models.py`.

The database decides; the broker only carries messages. An instant is whole microseconds since 1970 in UTC, so both
databases store and order it alike. Ids are opaque: a prefix that names the table and at least 85 random bits.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from gateway.hub.database.partitions import DIVIDED_TABLES, divide
from gateway.system.clock import machine_time

UNSENT_CHALLENGE = "unsent"  # an endpoint's challenge that is due and not made yet

metadata = sa.MetaData()

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class InstantColumn(TypeDecorator[datetime]):
    """An aware datetime, stored as whole microseconds since 1970."""

    impl = sa.BigInteger
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], int | None]:  # noqa: ARG002 - the interface
        """Return what makes the stored value."""
        return _stored_instant

    def process_literal_param(self, value: datetime | None, dialect: Dialect) -> str:  # noqa: ARG002 - the interface
        """Return the stored value as SQL text."""
        return "NULL" if value is None else str(_stored_instant(value))

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[int | None], datetime | None]:  # noqa: ARG002 - the interface
        """Return what reads a stored value."""
        return _read_instant


def _stored_instant(value: datetime | None) -> int | None:
    return None if value is None else (value - _EPOCH) // _MICROSECOND


def _read_instant(value: int | None) -> datetime | None:
    return None if value is None else _EPOCH + value * _MICROSECOND


def _id_column(prefix: str, **more: Any) -> sa.Column[str]:  # noqa: ANN401 - sa.Column's own
    return sa.Column("id", sa.String(64), sa.CheckConstraint(f"id LIKE '{prefix}%'"), primary_key=True, **more)


def _instant_column(name: str, *, missing: bool = False) -> sa.Column[datetime]:
    return sa.Column(name, InstantColumn, nullable=missing)


# SQLite numbers only an INTEGER PRIMARY KEY by itself
_Serial = sa.BigInteger().with_variant(sa.Integer, "sqlite")

about = sa.Table(
    "about", metadata,
    sa.Column("key", sa.String(64), primary_key=True), sa.Column("value", sa.String, nullable=False),
)  # fmt: skip

retailers = sa.Table(
    "retailers", metadata,
    _id_column("ret-"),
    sa.Column("name", sa.String(80), nullable=False),
    sa.Column("told", sa.BigInteger, nullable=False, default=0),  # `seq` of the newest event
    # The operator's limits for it; None: those of hub.yaml
    sa.Column("writes", sa.Integer, nullable=True),  # in a second
    sa.Column("reads", sa.Integer, nullable=True),  # in a second
    sa.Column("writes_a_day", sa.Integer, nullable=True),
    _instant_column("created"),
    _instant_column("suspended", missing=True),  # by the operator: its keys are refused until it is resumed
    _instant_column("ended", missing=True),  # by the operator, for good
    _instant_column("ends", missing=True),  # of a sandbox: then all of it is deleted
    sa.Index("retailers_ending", "ends"),
    sa.Index("retailers_suspended", "suspended"),  # the sender of webhooks leaves them out
)  # fmt: skip

api_keys = sa.Table(
    "api_keys", metadata,
    _id_column("key-"),
    sa.Column("retailer", sa.ForeignKey("retailers.id"), nullable=False, index=True),
    sa.Column("sha256", sa.LargeBinary(32), nullable=False),  # of the secret, which is shown once
    sa.Column("label", sa.String(80), nullable=False),
    sa.Column("right", sa.String(8), nullable=False),  # full | read | carrier
    sa.Column("carrier", sa.String(80), nullable=True),  # of a carrier's own key: whose deliveries it sees
    sa.Column("sandbox", sa.Boolean, nullable=False),
    _instant_column("created"),
    _instant_column("expires", missing=True),
    _instant_column("revoked", missing=True),
)  # fmt: skip

brands = sa.Table(
    "brands", metadata,
    sa.Column("id", sa.String(64), primary_key=True),  # the name under which homes know it
    sa.Column("sandbox", sa.Boolean, primary_key=True, default=False),  # a sandbox cannot take a real brand's name
    sa.Column("retailer", sa.ForeignKey("retailers.id"), nullable=False, index=True),
    sa.Column("name", sa.String(80), nullable=False),
    sa.Column("keys_version", sa.Integer, nullable=False, default=0),  # rises with each change of its keys
    _instant_column("created"),
    _instant_column("ended", missing=True),  # by the operator: nothing more is done in its name
)  # fmt: skip

brand_keys = sa.Table(
    "brand_keys", metadata,
    sa.Column("kid", sa.String(64), primary_key=True),
    sa.Column("sandbox", sa.Boolean, primary_key=True, default=False),
    sa.Column("brand", sa.String(64), nullable=False),
    sa.Column("x", sa.String(43), nullable=False),  # the Ed25519 public key, as in a JWK
    sa.Column("vouched", sa.String(1000), nullable=True),  # statement of an earlier key
    _instant_column("created"),
    _instant_column("revoked", missing=True),
    sa.ForeignKeyConstraint(["brand", "sandbox"], ["brands.id", "brands.sandbox"]),
    sa.Index("keys_by_x", "x", "sandbox"),
    sa.Index("keys_of_brand", "brand", "sandbox"),
)  # fmt: skip

idempotency = sa.Table(
    "idempotency", metadata,
    sa.Column("retailer", sa.String(64), primary_key=True),
    sa.Column("key", sa.String(255), primary_key=True),
    sa.Column("fingerprint", sa.String(64), nullable=False),  # SHA-256 of API key, method, path and body
    sa.Column("status", sa.Integer, nullable=True),  # None: the request still runs
    sa.Column("headers", sa.JSON, nullable=True),
    sa.Column("body", sa.LargeBinary, nullable=True),  # encrypted under the secret of the caller's key; None: erased
    sa.Column("about", sa.String(64), nullable=True),  # the connection or delivery; empty: another; None: unknown
    _instant_column("created"),
    sa.Index("idempotency_created", "created"),
    sa.Index("idempotency_about", "about"),
)  # fmt: skip

# Everything that was revoked, in the order in which it was; each hub copies it into a file outside the backup
# (gateway/hub/operation/journal.py), so that a restored database learns what was revoked after its backup
revocations = sa.Table(
    "revocations", metadata,
    sa.Column("number", _Serial, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(64), nullable=False, unique=True),
    sa.Column("kind", sa.String(24), nullable=False),  # gateway.hub.database.revocations.RevocationKind
    sa.Column("object", sa.String(64), nullable=False),  # the id of what was revoked
    sa.Column("detail", sa.JSON(none_as_null=True), nullable=True),  # what a database without that object needs
    _instant_column("at"),
    _instant_column("expires", missing=True),  # of a certificate: from then on it counts nowhere
    sa.Index("revocations_of_kind", "kind", "expires"),
)  # fmt: skip

homes = sa.Table(
    "homes", metadata,
    _id_column("home-"),
    sa.Column("shard", sa.Integer, nullable=False),
    sa.Column("sandbox", sa.Boolean, nullable=False),
    sa.Column("support_code", sa.String(16), nullable=False, unique=True),  # can be read aloud
    sa.Column("box_key", sa.String(43), nullable=False),  # the Ed25519 public key that signs the box's events
    sa.Column("said", sa.JSON, nullable=False),  # newest report of the box: entrances, places, zone; statements
    sa.Column("retailer", sa.ForeignKey("retailers.id"), nullable=True),  # of a sandbox: its retailer
    _instant_column("joined"),
    _instant_column("heard", missing=True),
    _instant_column("revoked", missing=True),
    sa.Column("there", sa.Boolean, nullable=False, default=False),  # connected
    sa.Index("homes_there", "there"),
    sa.Index("homes_revoked", "revoked"),  # each process polls recent revocations
)  # fmt: skip

browsers = sa.Table(
    "browsers", metadata,
    sa.Column("home", sa.ForeignKey("homes.id"), primary_key=True),
    sa.Column("id", sa.String(64), primary_key=True),  # chosen by its box; the hub does not know the person
    sa.Column("sign", sa.JSON, nullable=True),  # JWK that signs its tokens; None: it has ended
    sa.Column("farewell", sa.Text, nullable=True),  # last message of its box, which only the browser can decrypt
    _instant_column("told"),
)  # fmt: skip

claims = sa.Table(
    "claims", metadata,
    _id_column("claim-"),
    sa.Column("sha256", sa.LargeBinary(32), nullable=False),  # of the one-time secret in the code; the key of its MACs
    sa.Column("home", sa.ForeignKey("homes.id"), nullable=True),  # that joined by it, or that is to join again
    sa.Column("public", sa.LargeBinary(32), nullable=True),  # digest of the key that used it; None: unused
    _instant_column("created"),
    _instant_column("expires"),
    _instant_column("used", missing=True),
)  # fmt: skip

certificates = sa.Table(
    "certificates", metadata,
    sa.Column("serial", sa.String(40), primary_key=True),  # in hex
    sa.Column("home", sa.ForeignKey("homes.id"), nullable=False, index=True),
    sa.Column("public", sa.LargeBinary(32), nullable=False),  # SHA-256 of its key, as SubjectPublicKeyInfo
    sa.Column("der", sa.LargeBinary, nullable=False),
    _instant_column("issued"),
    _instant_column("expires"),
    _instant_column("used", missing=True),  # None: the home has not confirmed it
    _instant_column("ended", missing=True),  # revoked, or replaced by a confirmed one
    sa.Index("certificates_ended", "ended"), sa.Index("certificates_issued", "issued"),
)  # fmt: skip

connections = sa.Table(
    "connections", metadata,
    _id_column("con-"),
    sa.Column("retailer", sa.ForeignKey("retailers.id"), nullable=False, index=True),
    sa.Column("brand", sa.String(64), nullable=False),
    sa.Column("home", sa.ForeignKey("homes.id"), nullable=True, index=True),  # None until a person gave a support code
    sa.Column("sandbox", sa.Boolean, nullable=False, default=False),
    sa.Column("state", sa.String(16), nullable=False),  # pending | granted | refused | revoked | expired | ended
    sa.Column("asked", sa.JSON, nullable=False),  # the requested terms
    sa.Column("terms", sa.JSON, nullable=True),  # the granted terms
    sa.Column("version", sa.Integer, nullable=False),  # of the home's decision
    sa.Column("reference", sa.String(80), nullable=True),  # the retailer's own name for the customer
    sa.Column("consent_sha256", sa.LargeBinary(32), nullable=False, index=True),  # of the secret in its page's address
    sa.Column("return_url", sa.String(400), nullable=True),
    sa.Column("tries", sa.Integer, nullable=False, default=0),  # support codes entered on its page
    sa.Column("keys_sent", sa.Integer, nullable=False, default=0),  # the `keys_version` of which its home was informed
    sa.Column("signed", sa.String, nullable=True),  # the request as the brand signed it
    sa.Column("end_signed", sa.String(1000), nullable=True),  # the end as the brand signed it
    sa.Column("end_told", sa.Boolean, nullable=False, default=False),  # its home was informed
    _instant_column("created"),
    _instant_column("expires"),  # no answer until then is a no
    _instant_column("decided", missing=True),
    _instant_column("erased", missing=True),  # then all that it said of a customer was erased
    sa.Column("events_left", sa.Boolean, nullable=True),  # events of deliveries that are no longer there
    _instant_column("play", missing=True),  # of a sandbox: when its robot revokes it
    sa.ForeignKeyConstraint(["brand", "sandbox"], ["brands.id", "brands.sandbox"]),
    sa.Index("connections_of_retailer", "retailer", "sandbox", "created", "id"),
    sa.Index("connections_of_brand", "brand", "sandbox", "state", "keys_sent"),
    sa.Index("connections_waiting", "state", "expires"),
    sa.Index("connections_played", "play"),
)  # fmt: skip

deliveries = sa.Table(
    "deliveries", metadata,
    _id_column("dlv-"),
    sa.Column("retailer", sa.ForeignKey("retailers.id"), nullable=False),
    sa.Column("connection", sa.ForeignKey("connections.id"), nullable=False),
    sa.Column("home", sa.ForeignKey("homes.id"), nullable=True),  # None until the connection has one
    sa.Column("brand", sa.String(64), nullable=False),
    sa.Column("name", sa.String(64), nullable=False),  # the order's own id on the wire (`orders.wire_id`)
    sa.Column("retailer_name", sa.String(64), nullable=True),  # as the retailer writes it; None: the same as `name`
    sa.Column("metadata", sa.JSON(none_as_null=True), nullable=True),  # the retailer's own; None: empty
    sa.Column("version", sa.Integer, nullable=False),  # newest version
    sa.Column("promise", sa.JSON, nullable=False),  # the order of the newest version that counts
    sa.Column("hub_signed", sa.Boolean, nullable=False),
    sa.Column("sandbox", sa.Boolean, nullable=False, default=False),
    sa.Column("held", sa.Boolean, nullable=False, default=False),  # not sent yet: the home has not permitted the brand
    sa.Column("answered", sa.Integer, nullable=True),  # newest version that the home answered
    sa.Column("state", sa.String(24), nullable=False),
    sa.Column("untold", sa.Boolean, nullable=False, default=False),  # an older version's state: not notified yet
    sa.Column("reason", sa.String(64), nullable=True),
    sa.Column("missing", sa.Integer, nullable=False),
    sa.Column("missing_parcels", sa.JSON(none_as_null=True), nullable=True),  # which; None: the home did not say
    sa.Column("house", sa.String(24), nullable=True),
    sa.Column("custody", sa.String(24), nullable=True),  # who took it for the household
    sa.Column("moved_to", sa.String(64), nullable=True),  # the entrance to which the home moved it
    sa.Column("more_time", sa.String(24), nullable=True),  # of a late courier's question
    _instant_column("on_the_way", missing=True),  # when its carrier said that it set out
    _instant_column("eta", missing=True),  # when its carrier expects to be there
    _instant_column("eta_sent", missing=True),  # the one that its home was sent last
    sa.Column("arrivals", sa.Integer, nullable=False, default=0),  # messages about its arrival that its home was sent
    sa.Column("collected", sa.String(24), nullable=True),  # of an order with `collect`
    sa.Column("cold_chain", sa.JSON(none_as_null=True), nullable=True),  # how that of each item held
    sa.Column("cancel", sa.String(16), nullable=True),  # of a cancel: gateway.hub.deliveries.orders.CancelStatus
    sa.Column("seq", sa.BigInteger, nullable=False),  # of the home's event with this state; 0: the hub decided
    sa.Column("carrier_id", sa.String(80), nullable=True),  # of the promise's carrier (carrier_names.py)
    _instant_column("created"),
    _instant_column("changed"),
    _instant_column("window_start", missing=True),
    _instant_column("window_end"),
    _instant_column("play", missing=True),  # of a sandbox: when its robot continues
    sa.UniqueConstraint("brand", "home", "name"),
    sa.UniqueConstraint("connection", "name"),
    sa.Index("deliveries_by_retailer", "retailer", "created", "id"),
    sa.Index("deliveries_by_name", "retailer", "name"),
    sa.Index("deliveries_by_brand", "retailer", "brand", "created", "id"),
    sa.Index("deliveries_by_state", "retailer", "state", "created", "id"),
    sa.Index("deliveries_by_carrier", "retailer", "carrier_id", "created", "id"),
    sa.Index("deliveries_by_window", "retailer", "window_end"),
    sa.Index("deliveries_held", "held", "window_end"),
    sa.Index("deliveries_played", "play"),
)  # fmt: skip

# The codes of each delivery's newest order, for the look-up by a parcel's number
delivery_parcels = sa.Table(
    "delivery_parcels", metadata,
    sa.Column("delivery", sa.ForeignKey("deliveries.id"), primary_key=True),
    sa.Column("parcel", sa.String(128), primary_key=True),  # normalised; to be brought or collected
    sa.Column("retailer", sa.ForeignKey("retailers.id"), nullable=False),
    sa.Index("deliveries_by_parcel", "retailer", "parcel"),
)  # fmt: skip

delivery_versions = sa.Table(
    "delivery_versions", metadata,
    sa.Column("delivery", sa.ForeignKey("deliveries.id"), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("promise", sa.JSON, nullable=True),  # None: cancelled
    sa.Column("token", sa.LargeBinary, nullable=True),  # as the brand signed it; None: the hub signs it when it is sent
    sa.Column("sha256", sa.String(64), nullable=True, index=True),  # of that token
    sa.Column("refused", sa.Boolean, nullable=False, default=False),  # by the home
    _instant_column("created"),
)  # fmt: skip

# The pages for couriers: what one must know beside his code, which stands in the link's fragment only
courier_pages = sa.Table(
    "courier_pages", metadata,
    sa.Column("sha256", sa.LargeBinary(32), primary_key=True),  # of the secret in the page's address
    sa.Column("delivery", sa.ForeignKey("deliveries.id"), nullable=False, index=True),
    sa.Column("courier_sha256", sa.String(64), nullable=False),  # of the code: the page ends with it
    _instant_column("created"),
)  # fmt: skip

# What was asked to be erased; it names connections, and nothing of a customer
erasures = sa.Table(
    "erasures", metadata,
    _id_column("era-"),
    sa.Column("retailer", sa.ForeignKey("retailers.id"), nullable=False),
    sa.Column("sandbox", sa.Boolean, nullable=False),
    sa.Column("connections", sa.JSON, nullable=False),  # their ids
    sa.Column("cause", sa.String(16), nullable=False),  # gateway.hub.deliveries.erasure.ErasureCause
    sa.Column("deliveries", sa.Integer, nullable=False),  # so many were erased
    sa.Column("seq", sa.BigInteger, nullable=False, default=0),  # events up to it were looked through
    _instant_column("created"),
    _instant_column("due", missing=True),  # for its next step; None: nothing is left to do
    _instant_column("done", missing=True),  # when nothing was left that belongs to the customer
    sa.Index("erasures_due", "due"),
    sa.Index("erasures_of_retailer", "retailer", "created", "id"),
)  # fmt: skip

_WITHOUT_DELIVERY = sa.text("delivery IS NULL")
_UNRECEIVED = sa.text("received IS NULL AND due IS NOT NULL")

jobs = sa.Table(
    "jobs", metadata,
    _id_column("job-"),
    sa.Column("home", sa.ForeignKey("homes.id"), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),  # gateway.protocol.box_hub.JobKind
    sa.Column("token", sa.LargeBinary, nullable=False),  # stored byte for byte
    sa.Column("sha256", sa.String(64), nullable=False),  # of the token; a box names a refused message by it
    sa.Column("delivery", sa.ForeignKey("deliveries.id"), nullable=True),
    sa.Column("browser", sa.String(64), nullable=True),  # of the household that sent the order
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("refused", sa.String(200), nullable=True),  # why the box refused it
    sa.Column("parked", sa.Boolean, nullable=False),  # the box was absent: due at its hello or in the slow sweep
    _instant_column("created"),
    _instant_column("due", missing=True),  # None: received or expired; a dispatcher that sends it moves it ahead first
    _instant_column("leased", missing=True),  # unused: a release before moved `due` only after the job was sent
    _instant_column("received", missing=True),
    _instant_column("expires"),
    # The longest due first. It cannot serve a condition on `due` alone: while few jobs are due, PostgreSQL would search
    # it for each job's predecessors, also when thousands have come at once
    sa.Index("jobs_in_turn", "due", "created", sqlite_where=_UNRECEIVED, postgresql_where=_UNRECEIVED),
    sa.Index("jobs_over", "expires", sqlite_where=_WITHOUT_DELIVERY, postgresql_where=_WITHOUT_DELIVERY),
    sa.Index("jobs_of_home", "home", "due"),
    sa.Index("jobs_of_delivery", "delivery", "created"),
    sa.Index("jobs_by_token", "home", "sha256"),
    sa.Index("jobs_of_browser", "home", "browser"),
)  # fmt: skip

# A brand's queries for its own facts in a home, and its comments on them, with the home's answers
brand_messages = sa.Table(
    "brand_messages", metadata,
    sa.Column("connection", sa.ForeignKey("connections.id"), primary_key=True),
    sa.Column("sha256", sa.String(64), primary_key=True),  # of the brand's token, which is in `jobs`
    sa.Column("home", sa.ForeignKey("homes.id"), nullable=False),
    sa.Column("kind", sa.String(8), nullable=False),  # facts | comment
    sa.Column("state", sa.String(8), nullable=False),  # waiting | accepted | refused
    sa.Column("code", sa.String(64), nullable=True),  # why the home refused it
    sa.Column("facts", sa.String, nullable=True),  # the statement that the box signed
    sa.Column("key", sa.String(43), nullable=True),  # of the box, that signed it
    _instant_column("created"),
    _instant_column("answered", missing=True),
    sa.Index("brand_messages_by_token", "home", "sha256"),
)  # fmt: skip

home_events = sa.Table(
    "home_events", metadata,
    sa.Column("home", sa.ForeignKey("homes.id"), primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("token", sa.LargeBinary, nullable=False),  # as the box signed it; empty: erased
    sa.Column("sha256", sa.String(64), nullable=True),  # of an erased token, which the home's next event names
    sa.Column("key", sa.String(43), nullable=True),  # of the box, that signed it
    sa.Column("delivery", sa.ForeignKey("deliveries.id"), nullable=True, index=True),  # that it is about
    _instant_column("at"),
    sa.Index("home_events_at", "at"),  # finds old events
)  # fmt: skip

events = sa.Table(
    "events", metadata,
    sa.Column("number", _Serial, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(64), nullable=False),
    sa.Column("retailer", sa.ForeignKey("retailers.id"), nullable=False),
    sa.Column("type", sa.String(64), nullable=False),
    sa.Column("object", sa.String(64), nullable=False),  # the id of what it is about
    sa.Column("data", sa.JSON, nullable=False),
    sa.Column("request", sa.String(64), nullable=True),  # the API request that caused it; None: something else did
    sa.Column("sandbox", sa.Boolean, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),  # rises by one with each event of a retailer
    _instant_column("at"),
    sa.UniqueConstraint("id").ddl_if(dialect="sqlite"),
    sa.UniqueConstraint("retailer", "seq").ddl_if(dialect="sqlite"),
    sa.Index("events_by_id", "id").ddl_if(dialect="postgresql"),
    sa.Index("events_by_seq", "retailer", "seq").ddl_if(dialect="postgresql"),
    sa.Index("events_of_object", "object", "number"),
)  # fmt: skip

endpoints = sa.Table(
    "endpoints", metadata,
    _id_column("ep-"),
    sa.Column("retailer", sa.ForeignKey("retailers.id"), nullable=False, index=True),
    sa.Column("url", sa.String(400), nullable=False),
    sa.Column("types", sa.JSON, nullable=False),  # of events; empty: all
    sa.Column("secret", sa.String(160), nullable=False),  # sealed under the hub's own key (signing_key.py)
    sa.Column("old_secret", sa.String(160), nullable=True),
    sa.Column("sandbox", sa.Boolean, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("disabled", sa.String(16), nullable=True),  # asked | gone | failing | unverified
    sa.Column("seq", sa.BigInteger, nullable=False),  # of the newest event with a message; 0: none
    sa.Column("slow", sa.Boolean, nullable=False),  # its last answer was slow
    sa.Column("challenge", sa.String(64), nullable=True),  # message to answer first, or UNSENT_CHALLENGE; None: none
    _instant_column("replayed", missing=True),  # of a sandbox: its newest replay
    _instant_column("failing", missing=True),  # no message was accepted since then
    _instant_column("leased"),  # by a sender until then; in the past: when it was last served
    _instant_column("old_until", missing=True),
    _instant_column("created"),
)  # fmt: skip

messages = sa.Table(
    "messages", metadata,
    _id_column("msg-"),  # the same at each attempt, so that a receiver can ignore repetitions
    sa.Column("endpoint", sa.ForeignKey("endpoints.id"), nullable=False),
    sa.Column("event", sa.String(64), nullable=False, index=True),
    sa.Column("seq", sa.BigInteger, nullable=False),  # of the event
    sa.Column("previous", sa.BigInteger, nullable=False),  # seq of the message before it to this endpoint; 0: none
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),  # since `begun`
    sa.Column("state", sa.String(16), nullable=False),  # waiting | delivered | given_up
    _instant_column("created"),
    _instant_column("begun"),  # when it was made or last replayed
    _instant_column("due", missing=True),  # None: it is over
    # PostgreSQL's `events` are divided, so none of their keys is the id alone
    sa.ForeignKeyConstraint(["event"], ["events.id"]).ddl_if(dialect="sqlite"),
    sa.UniqueConstraint("endpoint", "event"),
    sa.Index("messages_due", "due"),
    sa.Index("messages_of_turn", "endpoint", "due", "seq"),
    sa.Index("messages_of_endpoint", "endpoint", "created"),
    sa.Index("messages_over", "created", "state"),
)  # fmt: skip

attempts = sa.Table(
    "attempts", metadata,
    sa.Column("message", sa.ForeignKey("messages.id"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("result", sa.String(24), nullable=False),  # gateway.hub.webhooks.retry.WebhookResult
    sa.Column("status", sa.Integer, nullable=True),  # of HTTP; None: no answer
    sa.Column("excerpt", sa.String(200), nullable=True),
    sa.Column("milliseconds", sa.Integer, nullable=False),
    _instant_column("at"),
)  # fmt: skip

shares = sa.Table(
    "shares", metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("holder", sa.Integer, nullable=False),  # the process that serves it: of the same number, or another
    _instant_column("until"),  # unless it is renewed
)  # fmt: skip

# A table that PostgreSQL has not analysed counts as ten pages, so each plan uses an index. One that was analysed while
# it had a few rows counts as one page: a plan made then reads the whole table as long as its connection lives, however
# many rows come. So these tables are analysed first after a thousand changes, and then often.
GROWING_TABLES = (
    "attempts", "deliveries", "delivery_parcels", "delivery_versions", "events", "home_events", "idempotency", "jobs",
    "messages",
)  # fmt: skip
_ANALYSED = """
ALTER TABLE %(fullname)s SET (
    autovacuum_analyze_threshold = 1000, autovacuum_analyze_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0.05
)
"""
for _name in GROWING_TABLES:
    _setting: Any = sa.DDL(_ANALYSED)  # type: ignore[no-untyped-call]  # SQLAlchemy has no types there
    sa.event.listen(metadata.tables[_name], "after_create", _setting.execute_if(dialect="postgresql"))


def _divide(table: sa.Table, connection: sa.Connection, **_more: object) -> None:
    if connection.dialect.name == "postgresql":
        divide(connection, DIVIDED_TABLES[table.name], machine_time())


for _divided in DIVIDED_TABLES:
    sa.event.listen(metadata.tables[_divided], "after_create", _divide)
