"""Reads what a Matter server says about its nodes. Pure: parsed JSON in, nodes out.

The attributes of a node data message are the server's memory. Only what does not change is taken from them: clusters,
names, features, our fabric's index. No value of a lock or a sensor is.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field

from devices.reports import OperationError
from devices.vendors import matter_clusters as m
from devices.vendors.matter import (
    ATTRIBUTES,
    BATTERY_ATTRIBUTES,
    EndpointId,
    EndpointLine,
    endpoint_id,
    kinds_of,
)
from gateway.domain.frozen import Frozen
from gateway.system.text import sanitized

MAX_NODES = 500  # that are kept
MAX_ENDPOINTS = 64  # of one node
MAX_NAME_CHARS = 64
MAX_FIELDS = 16  # of a structure
MAX_NUMBER = 10**18  # a longer one is a text in the house's messages, whose readers refuse longer numbers
MAX_NODE_ID = 2**64
TEST_NODES_FROM = 900_000  # python-matter-server answers for an imported node from its memory, so it is none
PYTHON_CONTROLLER = 112_233  # the node id of python-matter-server, which does not announce it

_DETAILS: tuple[tuple[str, OperationError], ...] = (
    ("timeout", OperationError.TIMEOUT),
    ("timed out", OperationError.TIMEOUT),
    ("busy", OperationError.BUSY),
    ("unsupportedaccess", OperationError.RESTRICTED),
    ("not (yet) available", OperationError.UNREACHABLE),
)
_UNREACHABLE_CODES = frozenset({3, 4, 5})  # NodeNotReady, NodeNotResolving, NodeNotExists


class Node(Frozen):
    """One commissioned node. `clusters`: of each endpoint; `lock_features`: feature map of each endpoint's door lock.

    `bridged`: of each endpoint that belongs to a device behind a bridge, the endpoint of that device.
    `fabric`: the index of the server's fabric on this node; None if the server did not say.
    """

    node: int
    available: bool
    clusters: Mapping[int, frozenset[int]] = field(default_factory=dict)
    lock_features: Mapping[int, int] = field(default_factory=dict)
    bridged: Mapping[int, int] = field(default_factory=dict)
    fabric: int | None = None
    maker: str = ""
    product: str = ""
    label: str = ""

    @property
    def endpoints(self) -> tuple[EndpointId, ...]:
        """The endpoints that Perron can use."""
        return tuple(self.at(number) for number, there in self.clusters.items() if kinds_of(there))

    def at(self, endpoint: int) -> EndpointId:
        """Return one of its endpoints, with the device behind a bridge to which it belongs."""
        return EndpointId(self.node, endpoint, self.bridged.get(endpoint))

    @property
    def lines(self) -> tuple[EndpointLine, ...]:
        """The same endpoints, in the form that the pages read."""
        return tuple(
            EndpointLine(
                at=at, kinds=kinds_of(self.clusters[at.endpoint], lock_features=self.lock_features.get(at.endpoint, 0)),
                maker=self.maker, product=self.product,
                label=self.label, available=self.available,
            )
            for at in self.endpoints
        )  # fmt: skip


class Update(Frozen):
    """One attribute, as a subscription or a read reported it."""

    at: EndpointId
    cluster: int
    attribute: int
    value: object


def read_node(data: object) -> Node | None:
    """Return the node of a node data message; None: it is none, or one that is played from memory."""
    if not isinstance(data, dict):
        return None
    number = _whole(data.get("node_id"))
    if number is None or number >= TEST_NODES_FROM or endpoint_id(f"{number}-0") is None:
        return None
    attributes = data.get("attributes")
    clusters: dict[int, set[int]] = {}
    features: dict[int, int] = {}
    names: dict[int, str] = {}
    types: dict[int, frozenset[int]] = {}
    parts: dict[int, frozenset[int]] = {}
    fabric = None
    for path, value in attributes.items() if isinstance(attributes, dict) else ():
        place = _path(path)
        if place is None or (place[0] not in clusters and len(clusters) >= MAX_ENDPOINTS):
            continue
        endpoint, cluster, attribute = place
        clusters.setdefault(endpoint, set()).add(cluster)
        if (cluster, attribute) == (m.DOOR_LOCK, m.FEATURE_MAP):
            features[endpoint] = _whole(value) or 0
        elif (cluster, attribute) == (m.DESCRIPTOR, m.DEVICE_TYPE_LIST):
            types[endpoint] = _device_types(value)
        elif (cluster, attribute) == (m.DESCRIPTOR, m.PARTS_LIST):
            parts[endpoint] = _numbers(value)
        elif place == (0, m.OPERATIONAL_CREDENTIALS, m.CURRENT_FABRIC_INDEX):
            fabric = _whole(value)
        elif endpoint == 0 and cluster == m.BASIC_INFORMATION and isinstance(value, str):
            names[attribute] = sanitized(value)[:MAX_NAME_CHARS]
    return Node(
        node=number, available=data.get("available") is True,
        clusters={endpoint: frozenset(there) for endpoint, there in sorted(clusters.items())},
        lock_features=features, bridged=_bridged(types, parts), fabric=fabric, maker=names.get(m.VENDOR_NAME, ""),
        product=names.get(m.PRODUCT_NAME, ""), label=names.get(m.NODE_LABEL, ""),
    )  # fmt: skip


def read_nodes(data: object) -> Mapping[int, Node]:
    """Return the nodes of the answer to `start_listening`, at most 500."""
    found = (read_node(one) for one in data) if isinstance(data, list) else ()
    known = [node for node in found if node is not None]
    return {node.node: node for node in known[:MAX_NODES]}


def _bridged(types: Mapping[int, frozenset[int]], parts: Mapping[int, frozenset[int]]) -> Mapping[int, int]:
    """Return of each endpoint of a device behind a bridge the endpoint of that device: itself, or the one above it."""
    devices = sorted(number for number, there in types.items() if m.BRIDGED_NODE in there)
    below = {part: device for device in devices for part in sorted(parts.get(device, ()))}
    return below | {device: device for device in devices}


def _device_types(value: object) -> frozenset[int]:
    """Return the numbers of a DeviceTypeList, whose structures have their fields by number."""
    listed = value[:MAX_ENDPOINTS] if isinstance(value, list) else ()
    return _numbers([one.get(str(m.DEVICE_TYPE)) for one in listed if isinstance(one, dict)])


def _numbers(value: object) -> frozenset[int]:
    listed = value[:MAX_ENDPOINTS] if isinstance(value, list) else ()
    return frozenset(number for one in listed if (number := _whole(one)) is not None)


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _path(path: object) -> tuple[int, int, int] | None:
    """Return endpoint, cluster and attribute of `1/257/0`."""
    parts = path.split("/") if isinstance(path, str) and len(path) <= 40 else []
    if len(parts) != 3 or not all(part.isascii() and part.isdecimal() and len(part) <= 10 for part in parts):
        return None
    endpoint, cluster, attribute = (int(part) for part in parts)
    return endpoint, cluster, attribute


def read_update(data: object) -> Update | None:
    """Return the update in an `attribute_updated` event; None: it is none, or the attribute could not be read."""
    if not isinstance(data, list) or len(data) != 3:
        return None
    number, place = _whole(data[0]), _path(data[1])
    if number is None or place is None or is_read_error(data[2]):
        return None
    endpoint, cluster, attribute = place
    return Update(at=EndpointId(number, endpoint), cluster=cluster, attribute=attribute, value=plain(data[2]))


def is_read_error(value: object) -> bool:
    """Return whether python-matter-server put a failure in place of a value: {"TLVValue": null, "Reason": "..."}."""
    return isinstance(value, dict) and "Reason" in value


def plain(value: object, depth: int = 2) -> object:
    """Return a value as the house's messages may contain it; None, which is unknown, in place of any other.

    The node id of another controller may have 20 digits: then it is a text.

    Matter's values that Perron uses are booleans, whole numbers, short texts, and structures and lists of these.
    """
    match value:
        case None | bool():
            return value
        case int():
            text = str(value) if abs(value) < MAX_NODE_ID else None
            return value if abs(value) < MAX_NUMBER else text
        case str() if len(value) <= MAX_NAME_CHARS and value.isprintable():
            return value
        case list() if depth and len(value) <= MAX_FIELDS:
            return [plain(inner, depth - 1) for inner in value]
        case dict() if depth and len(value) <= MAX_FIELDS:
            return {str(key)[:MAX_NAME_CHARS]: plain(inner, depth - 1) for key, inner in value.items()}
        case _:
            return None


def is_watched(cluster: int, attribute: int) -> bool:
    """Return whether some kind of device is about this attribute."""
    return any(attribute in of_kind.get(cluster, ()) for of_kind in ATTRIBUTES.values())


def is_battery(cluster: int, attribute: int) -> bool:
    """Return whether the attribute says how full a battery is."""
    return cluster == m.POWER_SOURCE and attribute in BATTERY_ATTRIBUTES


def read_paths(at: EndpointId, clusters: Iterable[int]) -> tuple[str, ...]:
    """Return the paths of all that is read of an endpoint with these clusters."""
    there = frozenset(clusters)
    return tuple(f"{at.endpoint}/{cluster}/{attribute}" for cluster, attribute in _watched_of(there))


def _watched_of(clusters: frozenset[int]) -> Iterator[tuple[int, int]]:
    for of_kind in ATTRIBUTES.values():
        for cluster, attributes in of_kind.items():
            if cluster in clusters:
                yield from ((cluster, attribute) for attribute in attributes)


def read_values(answer: object, at: EndpointId) -> Mapping[str, object]:
    """Return what `read_attribute` read of this endpoint, by cluster and attribute; without what it could not read."""
    found: dict[str, object] = {}
    for path, value in answer.items() if isinstance(answer, dict) else ():
        place = _path(path)
        if place is not None and place[0] == at.endpoint and is_watched(*place[1:]) and not is_read_error(value):
            found[f"{place[1]}/{place[2]}"] = plain(value)
    return found


def failure_of(code: object, details: object) -> OperationError:
    """Return the failure that an error message of the server means."""
    text = details.lower()[:500] if isinstance(details, str) else ""
    if isinstance(code, int) and code in _UNREACHABLE_CODES:
        return OperationError.UNREACHABLE
    return next((failure for word, failure in _DETAILS if word in text), OperationError.UNSPECIFIED)


def is_own(data: object, node: Node, controller: int) -> bool:
    """Return whether the Matter server caused an operation of a lock: `fabricIndex` and `sourceNode` are its own."""
    if not isinstance(data, dict) or data.get("sourceNode") != controller:
        return False
    return node.fabric is None or data.get("fabricIndex") == node.fabric
