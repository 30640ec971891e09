"""Checks a device or an entrance that somebody proposes for the house file. Pure.

The installer proposes and the owner accepts, so no installer can let himself in by editing the house. These proposals
are refused even if the owner accepts them: a broker account that could publish for an existing lock, a topic of another
device, a file of the gateway, an entrance through which a brand was already let in. `config/editor.py` writes the
others.
"""

import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import field
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AwareDatetime, Field, JsonValue, StringConstraints

from devices.vendors.definition import DEVICE_KINDS, DOOR_KINDS
from devices.vendors.words import BRIDGE_CHANNELS, TopicSuffix
from gateway.config.broker_acl import HOMEASSISTANT_ACCOUNT, access_list, account_names, bridge_topics, discovery_prefix
from gateway.config.devices import AnyDevice, CameraDevice
from gateway.config.editor import ENTRANCE
from gateway.config.home import EntranceSection, Home
from gateway.config.loader import named_paths
from gateway.config.stream_url import endpoint
from gateway.config.topics import bridge_base_topic, custom_topics, inbound_topics
from gateway.domain.frozen import Frozen
from gateway.domain.visit.state import Holder
from gateway.system.config_section import ConfigSection

PROPOSAL_KINDS = (*DEVICE_KINDS, ENTRANCE)
MAX_PENDING_PROPOSALS = 24  # waiting for the owner; a house has fewer devices
MAX_PROPOSAL_BYTES = 4096  # as JSON
LOGIN_KEY = "credentials_file"  # of a camera; only the gateway sets it


class ProposalRequest(Frozen):
    """The content of the form. `login`: user and password of a camera."""

    kind: str
    name: str
    fields: Mapping[str, JsonValue]
    login: tuple[str, str] | None = field(default=None, repr=False)


class ProposalAcceptance(ConfigSection):
    """Who accepted a proposal, and when."""

    by: str
    at: AwareDatetime


class Proposal(ConfigSection):
    """A proposal that waits, was accepted, or is in the house."""

    id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
    kind: str
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}$")]
    fields: dict[str, JsonValue]  # by key, nested ones with points
    by: str
    at: AwareDatetime
    login: bool = False  # a file beside the proposals has the camera's account
    accepted: ProposalAcceptance | None = None
    done: bool = False  # it is in the house
    failed: tuple[str, ...] = Field(default=())  # why the gateway did not start with it

    @property
    def in_house(self) -> str:
        """Key of the house file that contains it."""
        return "entrances" if self.kind == ENTRANCE else "devices"


class Remark(Frozen, kw_only=False):
    """A remark on a proposal; `text_key` is a key of `web/texts/catalogue.py`, `facts` its parameters."""

    text_key: str
    facts: Mapping[str, str] = field(default_factory=dict)


def is_in_house(home: Home, proposal: Proposal) -> bool:
    """Return whether the house has a device or entrance of this name."""
    return proposal.name in (home.entrances if proposal.kind == ENTRANCE else home.devices)


def objections(
    old: Home, new: Home, proposal: Proposal, *, permitted_entrances: Collection[str], login_file: str | None
) -> tuple[Remark, ...]:
    """Return why a page may not add this; empty: it may.

    `old` is the house without the proposal, `new` the house with it. `permitted_entrances`: entrances for which a brand
    ever had a permission. `login_file`: the file that the gateway wrote for this camera.
    """
    if is_in_house(old, proposal):
        return (Remark("taken", {"name": proposal.name}),)
    if _house_without(new, proposal) != old:
        return (Remark("else"),)
    if proposal.kind == ENTRANCE:
        return tuple(_entrance_remarks(old, proposal.name, new.entrances[proposal.name], proposal, permitted_entrances))
    return (
        *_file_remarks(new.devices[proposal.name], login_file),
        *_duplicate_remarks(old, new.devices[proposal.name]),
        *_topic_remarks(old, new, proposal.name),
        *_permission_remarks(old, new),
    )


def cautions(old: Home, new: Home, proposal: Proposal) -> tuple[Remark, ...]:
    """Return what the owner should know before accepting, and what remains to do at the terminal afterwards."""
    if proposal.kind != ENTRANCE:
        names = ", ".join(new_accounts(old, new))
        return (Remark("account", {"names": names}),) if names else ()
    section = new.entrances[proposal.name]
    remarks = [Remark("which_door", {"lock": section.lock or "", "door": section.door or ""})]
    if not section.living_space:
        remarks.append(Remark("no_living_space"))
    if not section.courier_proof and section.holder is Holder.COURIER:
        remarks.append(Remark("no_courier_proof"))
    return tuple(remarks)


def new_accounts(old: Home, new: Home) -> tuple[str, ...]:
    """Return the broker accounts that the new house needs and the old one did not need."""
    before = set(account_names(old))
    return tuple(name for name in account_names(new) if name not in before)


def _house_without(new: Home, proposal: Proposal) -> Home:
    others = {name: section for name, section in getattr(new, proposal.in_house).items() if name != proposal.name}
    return new.model_copy(update={proposal.in_house: others})


def _file_remarks(device: AnyDevice, login_file: str | None) -> Iterator[Remark]:
    """Refuse each file except the one that the gateway wrote: else it could send any file to a camera."""
    if any(str(path) != login_file for path in named_paths(device)):
        yield Remark("file")


def _topic_remarks(old: Home, new: Home, name: str) -> Iterator[Remark]:
    """Refuse a topic that is, contains or lies below a topic of another device."""
    device = new.devices[name]
    own_topics = {(channel, topic) for channel, topic in _device_topics(new, name) if channel not in BRIDGE_CHANNELS}
    for other, section in old.devices.items():
        if device.definition.is_behind_guard and device.address == other:
            continue  # a door sensor behind a lock's guard
        shared = device.definition.shared_topics if device.vendor == section.vendor else frozenset()
        shared -= device.topics.keys() | section.topics.keys()
        for channel, topic in _device_topics(old, other):
            if channel not in BRIDGE_CHANNELS and any(
                _topics_overlap(topic, own_topic) and not {channel, own} <= shared for own, own_topic in own_topics
            ):
                yield Remark("topic", {"topic": topic, "device": other})
                return
    for topic in device.topics.values():
        if "/bridge/request" in f"/{topic}":
            yield Remark("topic", {"topic": topic, "device": topic.partition("/")[0]})
    yield from _address_remarks(new, name)


def _duplicate_remarks(old: Home, device: AnyDevice) -> Iterator[Remark]:
    """Refuse a second copy of a device: another entrance could move its door, or show an inside camera as outside."""
    for name, other in old.devices.items():
        if device.vendor == other.vendor and _is_same_device(device, other):
            yield Remark("there", {"device": name})
            return


def _is_same_device(one: AnyDevice, other: AnyDevice) -> bool:
    """Return whether two devices of one vendor are the same device under different topics."""
    if isinstance(one, CameraDevice):
        return isinstance(other, CameraDevice) and _camera_source(one) == _camera_source(other)
    identity = one.definition.identity(one.device_ref)
    return identity is not None and one.kind == other.kind and identity == other.definition.identity(other.device_ref)


def _camera_source(camera: CameraDevice) -> tuple[tuple[str, int], str]:
    parts = urlsplit(camera.url)
    return endpoint(camera.url), f"{parts.path.rstrip('/')}?{parts.query}"


def _address_remarks(new: Home, name: str) -> Iterator[Remark]:
    """Refuse a command topic, or any topic of a lock or door sensor, that is not below the device's own address.

    A radio accepts several names for one device (Zigbee2MQTT also takes its IEEE address, and groups), so such a topic
    could command an existing device, or report its state.
    """
    device, carried = new.devices[name], bridge_base_topic(new, name) is not None
    bases = [base for several in bridge_topics(new).values() for base in several]
    for channel, topic in device.topics.items():
        if channel not in (TopicSuffix.SET, TopicSuffix.GET) and device.kind not in DOOR_KINDS:
            continue
        if carried and f"{topic}/".startswith(f"{device.address}/"):
            continue
        base = next((base for base in bases if f"{topic}/".startswith(f"{base}/")), None)
        if base is not None:
            yield Remark("topic", {"topic": topic, "device": base})
            return


def _device_topics(home: Home, name: str) -> Iterator[tuple[TopicSuffix, str]]:
    yield from custom_topics(home, name).items()
    yield from inbound_topics(home, name).items()


def _topics_overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def _permission_remarks(old: Home, new: Home) -> Iterator[Remark]:
    """Refuse it if an account could then publish for another device, or what Home Assistant shows."""
    before, after = _writable_topics(old), _writable_topics(new)
    prefix = discovery_prefix(old)
    owners = {topic: name for name in old.devices for _, topic in _device_topics(old, name)}
    owners |= {f"perron/{name}/{channel}": name for name in old.devices for channel in TopicSuffix}
    for account, filters in after.items():
        if account == "gateway":
            continue
        for gained in filters - before.get(account, frozenset()):
            if account != HOMEASSISTANT_ACCOUNT and gained.partition("/")[0] in (prefix, HOMEASSISTANT_ACCOUNT):
                yield Remark("shown", {"account": account})
            for topic, name in owners.items():
                if _filter_matches(gained, topic):
                    yield Remark("speaks", {"account": account, "device": name})
                    return


def _writable_topics(home: Home) -> Mapping[str, frozenset[str]]:
    """Return the topic filters that each account may publish to, from the access list."""
    filters: dict[str, set[str]] = {}
    account = ""
    # As the broker: other control characters end no line
    for line in access_list(home, homeassistant=True).split("\n"):
        word, _, rest = line.partition(" ")
        right, _, topic = rest.partition(" ")
        if word == "user":
            account = rest
        elif word == "topic" and right in ("write", "readwrite"):
            filters.setdefault(account, set()).add(topic)
    return {name: frozenset(topics) for name, topics in filters.items()}


def _filter_matches(pattern: str, topic: str) -> bool:
    """Return whether a filter of the access list matches a topic (MQTT 5, 4.7)."""
    if pattern.endswith("/#"):
        return f"{topic}/".startswith(pattern[:-1])
    filter_levels, levels = pattern.split("/"), topic.split("/")
    return len(filter_levels) == len(levels) and all(
        filter_level in ("+", level) for filter_level, level in zip(filter_levels, levels, strict=True)
    )


def _normalised_name(name: str) -> str:
    """Return a name without differences that a reader does not see: wide letters, ligatures, spaces, case."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _entrance_remarks(
    old: Home, name: str, section: EntranceSection, proposal: Proposal, permitted_entrances: Collection[str]
) -> Iterator[Remark]:
    if name in permitted_entrances:
        yield Remark("permitted", {"name": name})
    if any(_normalised_name(entrance.name) == _normalised_name(section.name) for entrance in old.entrances.values()):
        yield Remark("same_name")  # messages and pages distinguish entrances by name
    if any(key == "timing" or key.startswith("timing.") for key in proposal.fields):
        yield Remark("timing")  # some waiting times apply to all cameras
    inside = {camera for entrance in old.entrances.values() for camera in entrance.cameras.inside}
    outside = {camera for entrance in old.entrances.values() for camera in entrance.courier_cameras}
    for camera in section.courier_cameras:
        if camera in inside:
            yield Remark("inside", {"camera": camera})
    for camera in section.cameras.inside:
        if camera in outside:
            yield Remark("outside", {"camera": camera})
