"""Computes the access lists (mosquitto's ACL) of the house's broker and of the radio's. Pure.

One account is one connection. A device on Perron's topics writes its own five and reads its own two, by one pattern for
all; a device whose product defines topics writes those. A bridge (Zigbee2MQTT, Z-Wave JS UI, Frigate) owns its whole
base topic. No account writes the topics of another one, and only the gateway sends commands.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from devices.vendors.definition import COMMANDED_KINDS
from devices.vendors.words import DEVICE_CHANNELS, INBOUND_CHANNELS, TopicSuffix
from gateway.config import topics
from gateway.config.fields import RESERVED_IDS, ROLE_ACCOUNTS
from gateway.config.home import Home

HOMEASSISTANT_ACCOUNT = "homeassistant"  # the owner's Home Assistant
STATESTREAM_TOPIC = "homeassistant_statestream"  # the base topic in the documentation of its statestream
RADIO_ACCOUNTS = GUARD_ACCOUNT, BRIDGE_ACCOUNT = "guard", "bridge"  # of the radio's broker
MAX_TOPIC_DEPTH = 6  # levels between a radio's base topic and `set`: Z-Wave JS UI has node, class, endpoint, property


class AccountTaken(ValueError):  # noqa: N818 - the name is the fault
    """Two parts of the house would have the same broker account; the functions that name accounts raise it."""


def account_names(home: Home, *, homeassistant: bool = False) -> tuple[str, ...]:
    """Return every account of this house: roles, one for each brand, each device that connects itself, each bridge."""
    _refuse_shared(home)
    bases_by_account = bridge_topics(home)
    own = tuple(
        id_
        for id_, device in home.devices.items()
        if device.definition.has_mqtt
        and not topics.bridge_base_topic(home, id_)
        and not shares_guard_account(home, id_)
    )
    for account, bases in bases_by_account.items():
        if account != HOMEASSISTANT_ACCOUNT and (account in RESERVED_IDS or account in own or len(bases) > 1):
            raise AccountTaken(
                f"the base topic `{bases[-1]}` would have the account `{account}`, which is taken: give the device of"
                " that name another id, or the base topic another first word."
            )
    comes_in = homeassistant or home.homeassistant is not None or homeassistant_entities(home)
    bridge_accounts = {*bases_by_account, HOMEASSISTANT_ACCOUNT} if comes_in else set(bases_by_account)
    brands = {brand_account(brand): brand for brand in home.brands}
    for account in (*own, *bridge_accounts):
        if account in brands:
            raise AccountTaken(f"`{account}` is the account of the brand `{brands[account]}`: give that another id")
    return (*ROLE_ACCOUNTS, *brands, *own, *sorted(bridge_accounts))


def discovery_prefix(home: Home) -> str:
    """Return the first level of the topics on which Home Assistant discovers entities."""
    return HOMEASSISTANT_ACCOUNT if home.homeassistant is None else home.homeassistant.discovery_prefix


def brand_account(brand: str) -> str:
    """Return the account of a brand's retailer, which receives the results of this brand's deliveries."""
    return f"retailer-{brand}"


def shares_guard_account(home: Home, device: str) -> bool:
    """Return whether this device is a door sensor for which a lock's guard publishes, under the lock's account."""
    section = home.devices[device]
    return section.definition.is_behind_guard and section.address != device


def bridge_topics(home: Home) -> Mapping[str, tuple[str, ...]]:
    """Return the base topics of each bridge account; `broker.bridges` names bridges without devices yet.

    Each has one, but the owner's Home Assistant, which may stream below several.
    """
    bases = _base_topics(home)
    streams = {base for base, vendors in bases.items() if vendors == {HOMEASSISTANT_ACCOUNT}}
    whole = sorted(base for base in bases if not any(base.startswith(f"{other}/") for other in bases))
    bases_by_account: dict[str, tuple[str, ...]] = {}
    for base in whole:
        account = HOMEASSISTANT_ACCOUNT if base in streams else _bridge_account(base)
        bases_by_account[account] = (*bases_by_account.get(account, ()), base)
    return bases_by_account


def _base_topics(home: Home) -> Mapping[str, set[str]]:
    """Return each base topic with the programs (account or vendor) of its devices; empty if no device uses it."""
    vendors_by_base: dict[str, set[str]] = {base: set() for base in home.broker.bridges}
    for id_, device in home.devices.items():
        base = topics.bridge_base_topic(home, id_)
        if base is not None:
            vendors_by_base.setdefault(base, set()).add(device.definition.account or device.vendor)
    if STATESTREAM_TOPIC in vendors_by_base:
        vendors_by_base[STATESTREAM_TOPIC].add(HOMEASSISTANT_ACCOUNT)
    return vendors_by_base


def _refuse_shared(home: Home) -> None:
    bases = _base_topics(home)
    prefix = discovery_prefix(home)
    if prefix == "perron":
        raise AccountTaken("the discovery prefix `perron` would show Home Assistant all that is said: take another")
    for base, vendors in bases.items():
        first = base.partition("/")[0]
        # Its own stream may stand beside what it is shown
        shown = first == prefix and vendors != {HOMEASSISTANT_ACCOUNT}
        if first == "perron" or first.startswith("$") or shown:
            raise AccountTaken(f"the base topic `{base}` is not for a bridge to take: give it another first word")
        for other, others in bases.items():
            if (base == other or base.startswith(f"{other}/")) and len((vendors or {""}) | (others or {""})) > 1:
                raise AccountTaken(
                    f"the base topics `{other}` and `{base}` are two programs' in one: each needs one of its own"
                )


def _bridge_account(base: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", base.lower()).strip("-")[:64] or BRIDGE_ACCOUNT


def access_list(home: Home, *, homeassistant: bool = False) -> str:
    """Return the access list of the house's broker; with `homeassistant` it has the account of Home Assistant."""
    people = {
        "gateway": ["readwrite perron/#"],
        "owner": ["read perron/entrance/#", "read perron/bridge/state", "write perron/entrance/+/set"],
        "retailer": [f"write {topics.OFFER_TOPIC}", f"read {topics.RESULT_TOPIC}"],
        "observer": ["read perron/#"],
        "installer": ["read perron/#", "write perron/+/get", f"write {topics.ECHO_TOPIC}"],
    }
    own = {brand_account(b): [f"write {topics.OFFER_TOPIC}", f"read {topics.result_topics(b)[0]}"] for b in home.brands}
    for device in home.devices:
        if shares_guard_account(home, device):
            continue
        speaks_itself = not topics.bridge_base_topic(home, device)
        for channel, topic in topics.custom_topics(home, device).items():
            is_inbound = channel in INBOUND_CHANNELS
            if speaks_itself:
                own.setdefault(device, []).append(f"{'write' if is_inbound else 'read'} {topic}")
            people["gateway"].append(f"{'read' if is_inbound else 'write'} {topic}")
            people["observer"].append(f"read {topic}")
            people["installer"].append(f"{'write' if channel is TopicSuffix.GET else 'read'} {topic}")
    carried = bridge_topics(home)
    for account, bases in carried.items():
        own[account] = [f"readwrite {base}/#" for base in bases]
        # A query to a device that nobody has added yet: an answer before it is added. Never an order.
        people["installer"] += [right for base in bases for right in (f"read {base}/#", f"write {base}/+/get")]
    for watcher in ("observer", "installer"):
        people[watcher] += [f"deny {topic}" for topic in _pin_topics(home)]
    accounts = account_names(home, homeassistant=homeassistant)
    if HOMEASSISTANT_ACCOUNT in accounts:
        prefix, streams = discovery_prefix(home), carried.get(HOMEASSISTANT_ACCOUNT, (STATESTREAM_TOPIC,))
        own[HOMEASSISTANT_ACCOUNT] = [*_homeassistant_rights(prefix, streams), *_entity_rights(home)]
        people["gateway"] += [f"write {prefix}/#", f"read {topics.HOMEASSISTANT_STATUS_TOPIC}"]
    users = [line for name in accounts for line in _account_lines(name, {**people, **own}.get(name, ()))]
    return "\n".join([*users, *_pattern_lines()]) + "\n"


def _pin_topics(home: Home) -> Sequence[str]:
    """Return the topics on which a keypad gets guests' PINs: nobody else reads them, whatever else he may read."""
    keypads = (id_ for id_, device in home.devices.items() if device.definition.keypad and device.kind == "keypad")
    return sorted({topics.device_topic(home, id_, TopicSuffix.SET) for id_ in keypads})


def homeassistant_entities(home: Home) -> Sequence[str]:
    """Return the devices that are entities for which an automation of Home Assistant publishes."""
    return [
        id_
        for id_, section in home.devices.items()
        if section.definition.account == HOMEASSISTANT_ACCOUNT and topics.bridge_base_topic(home, id_) is None
    ]


def _entity_rights(home: Home) -> Iterable[str]:
    for device in homeassistant_entities(home):
        yield from (f"write {topics.device_topic(home, device, channel)}" for channel in DEVICE_CHANNELS)
        yield f"read {topics.device_topic(home, device, TopicSuffix.GET)}"
    for device, section in home.devices.items():  # by statestream too: an automation carries out what it is ordered
        if section.definition.account == HOMEASSISTANT_ACCOUNT and section.kind in COMMANDED_KINDS:
            yield f"read {topics.device_topic(home, device, TopicSuffix.SET)}"


def _homeassistant_rights(prefix: str, streams: Sequence[str]) -> list[str]:
    """Return the rights of the owner's Home Assistant: read its own topics, request, stream; never a device's topic.

    It also reads its own birth message and the gateway's last will: both end what it shows
    (`integrations/homeassistant/discovery.py`).
    """
    return [
        f"read {prefix}/#",
        "read perron/ha/#",
        f"read {topics.BRIDGE_STATE}",
        "write perron/ha/+/set",
        f"readwrite {topics.HOMEASSISTANT_STATUS_TOPIC}",
        *(f"readwrite {base}/#" for base in streams),
    ]


def radio_access_list(base: str) -> str:
    """Return the access list of the radio's broker: only the guard commands, only the bridge reports.

    The guard writes `<base>/.../set` and `/get`, not Zigbee2MQTT's own requests: it neither pairs nor forgets a device.
    """
    deep = ["/".join(["+"] * depth) for depth in range(1, MAX_TOPIC_DEPTH + 1)]
    commands = [f"write {base}/{levels}/{word}" for levels in deep for word in (TopicSuffix.SET, TopicSuffix.GET)]
    guard = _account_lines(GUARD_ACCOUNT, [f"read {base}/#", *commands])
    bridge = _account_lines(BRIDGE_ACCOUNT, [f"readwrite {base}/#"])
    return "\n".join((*guard, *bridge)) + "\n"


def _account_lines(name: str, rights: Sequence[str]) -> Iterable[str]:
    if rights:
        yield f"user {name}"
        yield from (f"topic {topic}" for topic in dict.fromkeys(rights))


def _pattern_lines() -> Iterable[str]:
    yield from (f"pattern write perron/%u/{channel}" for channel in DEVICE_CHANNELS)
    yield from (f"pattern read perron/%u/{channel}" for channel in (TopicSuffix.SET, TopicSuffix.GET))
