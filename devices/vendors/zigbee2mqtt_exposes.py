"""Reads the features of Zigbee2MQTT's devices from `zigbee2mqtt/bridge/devices` (retained); no list of models.

Each device carries `definition.exposes`, a description of its properties: type, name, property (where it stands in the
state), access (bits: 1 published, 2 settable, 4 gettable), values. Perron uses six kinds of it:

    lock    type lock with a settable and askable feature `state` of LOCK and UNLOCK
    cover   type cover with a settable feature `state` of OPEN and CLOSE: the opener of a garage door
    door    binary `contact`, false when open; or one whose description gives "closed (= true)" for its own values: true
            and false (TERNCY-DC01), or ON and OFF (PushOk POK003 and POK010), which `keys` then tell
    fridge  numeric `temperature` in degrees Celsius: a thermometer that lies in a fridge
    button  enum `action` of what is no lock: the answer button inside
    siren   composite `warning` with a feature `mode`, beside a property that can be asked: the buzzer of the signal
            at the door. It confirms no ring by itself, so one that answers nothing has never rung

What is described in another way is not one of them: unknown stays unknown. No PIN stands in an expose.

Source: Zigbee2MQTT's documentation of `bridge/devices` and of exposes; shapes checked against the 4,478 definitions of
zigbee-herdsman-converters that Zigbee2MQTT 2.14.1 brings (50 of them locks).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum, auto
from types import MappingProxyType

from devices.reports import UnreadablePayload
from devices.strict_json import MalformedPayload, identifier, mapping, parse, sequence, text

MAX_DEVICE_LIST_BYTES = 8 * 1024 * 1024  # bytes: some 20 KiB a device, and houses with 200 of them
PUBLISHED_BIT, SETTABLE_BIT, GETTABLE_BIT = 1, 2, 4  # the bits of `access`
MODE, PROBE = "emergency", "max_duration"  # a siren's usual warning, and the property that is usually queried
CLOSED = "closed"  # the key for a contact's value of closed, where that is not true
_CLOSED = "closed (= true)"
_NO_KEYS: Mapping[str, str] = MappingProxyType({})
_NO_TOPIC = frozenset("+#\x00")


class UsableKind(StrEnum):
    """The kinds of device that Perron can use; the first four are kinds of `home.yaml`, button and siren a signal."""

    LOCK = auto()
    COVER = auto()
    DOOR = auto()
    FRIDGE = auto()
    BUTTON = auto()
    SIREN = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceUse:
    """One use of a device.

    `keys` are those of `home.yaml`: Perron's name to the property, only where that is not the usual one. `answers`: it
    can be queried and is awake to hear it; a sensor on a battery sleeps.
    """

    kind: UsableKind
    keys: Mapping[str, str] = field(default_factory=dict)
    answers: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LockFeatures:
    """What a lock reports beside its bolt. `relocks`: it can lock itself after a time (so it may, unasked)."""

    lock_state: bool = False  # distinguishes "not fully locked" from "unlocked"
    door_state: bool = False  # has a door sensor of its own, which does not count: it is not independent
    actions: tuple[str, ...] = ()
    sources: bool = False  # reports who moved the bolt
    relocks: bool = False
    pins: bool = False  # supports PINs: never read here


@dataclass(frozen=True, slots=True, kw_only=True)
class SirenFeatures:
    """The warnings a siren supports: its modes, its levels (empty if only one), and whether a time ends it.

    `probe` is the property whose query shows that it is there; None: it has none.
    """

    modes: tuple[str, ...]
    probe: str | None = None
    levels: tuple[str, ...] = ()
    duration: bool = False
    strobe: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeDevice:
    """One device of the radio's network. `uses` is empty if Perron has no use for it."""

    ieee: str
    friendly_name: str  # <base>/<friendly_name> is its topic and its `address` in home.yaml; base is `zigbee2mqtt`
    maker: str | None
    model: str | None
    battery: bool  # it runs on one
    tells_battery: bool  # ... and reports its level
    uses: tuple[DeviceUse, ...]
    lock: LockFeatures | None = None
    siren: SirenFeatures | None = None
    actions: tuple[str, ...] = ()  # of a button: its possible actions

    def use(self, kind: UsableKind) -> DeviceUse | None:
        """Return the first use of this kind, if it has one."""
        return next((use for use in self.uses if use.kind is kind), None)


def read_devices(payload: bytes) -> tuple[BridgeDevice, ...] | UnreadablePayload:
    """Parse `bridge/devices`: every device but the coordinator, in its order.

    A device with an unreadable entry is left out, and hides no other; so is one that is disabled in Zigbee2MQTT.
    """
    try:
        entries = sequence(parse(payload, max_bytes=MAX_DEVICE_LIST_BYTES), "bridge/devices")
    except MalformedPayload as error:
        return UnreadablePayload(why=str(error))
    return tuple(_readable(entries))


def _readable(entries: Sequence[object]) -> Iterator[BridgeDevice]:
    for entry in entries:
        try:
            body = mapping(entry, "a device")
            if body.get("type") != "Coordinator" and body.get("disabled") is not True:
                yield _device(body)
        except MalformedPayload:
            continue


def _device(body: Mapping[str, object]) -> BridgeDevice:
    name = text(body.get("friendly_name"), "friendly_name", 200)
    if _NO_TOPIC & set(name) or name.startswith(("/", "$", "bridge/")) or name.endswith(("/set", "/get")):
        raise MalformedPayload("friendly_name cannot be a topic")
    definition = body.get("definition")
    described = {} if definition is None else mapping(definition, "definition")  # null: no driver knows the device
    exposes = tuple(_named(sequence(described.get("exposes", []), "exposes")))
    sleeps = body.get("power_source") == "Battery" or body.get("type") == "EndDevice"
    locks = any(expose.get("type") == "lock" for expose in exposes)
    uses = tuple(use for use in _uses(exposes, sleeps=sleeps) if not (locks and use.kind is UsableKind.BUTTON))
    return BridgeDevice(
        ieee=identifier(body.get("ieee_address"), "ieee_address"),
        friendly_name=name,
        maker=_printable_name(described.get("vendor")),
        model=_printable_name(described.get("model")),
        battery=body.get("power_source") == "Battery",
        tells_battery=any(_is(e, "battery") or _is(e, "battery_low") for e in exposes),
        uses=uses,
        lock=_lock(exposes) if any(use.kind is UsableKind.LOCK for use in uses) else None,
        siren=_siren(exposes),
        actions=() if locks else next((_values(e) for e in exposes if _is(e, "action")), ()),
    )


def _printable_name(value: object) -> str | None:
    """Return a manufacturer's or model's name, if it is safe to show."""
    return value if isinstance(value, str) and 0 < len(value) <= 80 and value.isprintable() else None


def _named(exposes: Sequence[object]) -> Iterator[Mapping[str, object]]:
    """Yield each expose that is an object."""
    for expose in exposes:
        if isinstance(expose, dict):
            yield expose


def _is(expose: Mapping[str, object], name: str) -> bool:
    return expose.get("name") == name


def _features(expose: Mapping[str, object]) -> tuple[Mapping[str, object], ...]:
    features = expose.get("features")
    return tuple(_named(features)) if isinstance(features, list) else ()


def _values(expose: Mapping[str, object]) -> tuple[str, ...]:
    values = expose.get("values")
    names = values if isinstance(values, list) else []
    return tuple(name for name in names if isinstance(name, str) and 0 < len(name) <= 64 and name.isprintable())


def _is_allowed(expose: Mapping[str, object], bits: int) -> bool:
    access = expose.get("access")
    return isinstance(access, int) and not isinstance(access, bool) and access & bits == bits


def _keys(expose: Mapping[str, object], name: str) -> Mapping[str, str] | None:
    """Return the key of the property, if it differs from Perron's name.

    Devices with several endpoints add a suffix. None: it has no property.
    """
    where = _property(expose)
    if where is None:
        return None
    return _NO_KEYS if where == name else MappingProxyType({name: where})


def _property(expose: Mapping[str, object]) -> str | None:
    """Return the property's name in the state; None: `home.yaml` could not name it."""
    where = expose.get("property")
    is_valid = isinstance(where, str) and 0 < len(where) <= 64 and where.isprintable() and "." not in where
    return where if isinstance(where, str) and is_valid else None


def _uses(exposes: tuple[Mapping[str, object], ...], *, sleeps: bool) -> Iterator[DeviceUse]:
    for expose in exposes:
        if expose.get("type") == "lock":
            yield from _lock_use(expose)
        elif expose.get("type") == "cover":
            yield from _cover_use(expose)
        elif _is(expose, "contact") and (closed := _closed(expose)) is not None:
            yield from _use(
                expose,
                UsableKind.DOOR,
                "contact",
                answers=_is_allowed(expose, GETTABLE_BIT) and not sleeps,
                more=closed,
            )
        elif _is(expose, "temperature") and expose.get("type") == "numeric" and expose.get("unit") == "°C":
            yield from _use(
                expose, UsableKind.FRIDGE, "temperature", answers=_is_allowed(expose, GETTABLE_BIT) and not sleeps
            )
        elif _is(expose, "action") and expose.get("type") == "enum":
            yield from _use(expose, UsableKind.BUTTON, "action")
        elif _is(expose, "warning"):
            yield from _siren_use(expose, _siren(exposes))


def _closed(expose: Mapping[str, object]) -> Mapping[str, str] | None:
    """Return which value of a contact means closed, as `keys` (empty: true does); None: unknown.

    Zigbee2MQTT's own contacts are on (false) when open. Those of other modules have the opposite meaning, and only
    their description shows which.
    """
    on, off, description = expose.get("value_on"), expose.get("value_off"), expose.get("description")
    if on is False and off is True:
        return _NO_KEYS
    if not (isinstance(description, str) and _CLOSED in description):
        return None
    if on is True and off is False:
        return _NO_KEYS
    return MappingProxyType({CLOSED: "ON"}) if (on, off) == ("ON", "OFF") else None


def _use(
    expose: Mapping[str, object],
    kind: UsableKind,
    name: str,
    *,
    answers: bool = False,
    more: Mapping[str, str] = _NO_KEYS,
) -> Iterator[DeviceUse]:
    keys = _keys(expose, name)
    if keys is not None:
        yield DeviceUse(kind=kind, keys=MappingProxyType({**keys, **more}) if more else keys, answers=answers)


def _lock_use(expose: Mapping[str, object]) -> Iterator[DeviceUse]:
    """Yield the use of a lock that can be both set and queried."""
    features = {str(feature.get("name")): feature for feature in _features(expose)}
    state = features.get("state")
    if state is None or (state.get("value_on"), state.get("value_off")) != ("LOCK", "UNLOCK"):
        return
    if not _is_allowed(state, PUBLISHED_BIT | SETTABLE_BIT | GETTABLE_BIT):
        return
    keys: dict[str, str] = {}
    for name, feature in (("state", state), ("lock_state", features.get("lock_state"))):
        found = None if feature is None else _keys(feature, name)
        keys |= {} if found is None else found
    yield DeviceUse(kind=UsableKind.LOCK, keys=MappingProxyType(keys), answers=True)


def _cover_use(expose: Mapping[str, object]) -> Iterator[DeviceUse]:
    """Yield the use of a cover that can be opened and closed; one that cannot be read only reports."""
    features = {str(feature.get("name")): feature for feature in _features(expose)}
    state = features.get("state")
    if state is None or not {"OPEN", "CLOSE"} <= set(_values(state)):
        return
    if not _is_allowed(state, PUBLISHED_BIT | SETTABLE_BIT):
        return
    keys: dict[str, str] = {}
    for name, feature in (("state", state), ("position", features.get("position"))):
        found = None if feature is None else _keys(feature, name)
        keys |= {} if found is None else found
    yield DeviceUse(kind=UsableKind.COVER, keys=MappingProxyType(keys), answers=_is_allowed(state, GETTABLE_BIT))


def _lock(exposes: tuple[Mapping[str, object], ...]) -> LockFeatures:
    names = {str(expose.get("name")) for expose in exposes}
    features = {str(f.get("name")) for e in exposes if e.get("type") == "lock" for f in _features(e)}
    return LockFeatures(
        lock_state="lock_state" in features,
        door_state="door_state" in names,
        actions=next((_values(e) for e in exposes if _is(e, "action")), ()),
        sources="action_source_name" in names or "last_unlock_source" in names,
        relocks=bool(names & {"auto_relock", "auto_relock_time", "auto_lock_time", "relock_enabled", "auto_lock"}),
        pins=bool(names & {"pin_code", "last_used_pin_code", "users"}),
    )


def _siren_use(expose: Mapping[str, object], siren: SirenFeatures | None) -> Iterator[DeviceUse]:
    """Yield the use of a siren that can be queried; unusual names of mode and probe become keys."""
    if siren is None or siren.probe is None or expose.get("property") != "warning":
        return
    keys = {} if siren.probe == PROBE else {"probe": siren.probe}
    if MODE not in siren.modes:
        keys["mode"] = next(mode for mode in siren.modes if mode != "stop")
    yield DeviceUse(kind=UsableKind.SIREN, keys=MappingProxyType(keys), answers=True)


def _siren(exposes: tuple[Mapping[str, object], ...]) -> SirenFeatures | None:
    warning = next((e for e in exposes if _is(e, "warning") and e.get("type") == "composite"), None)
    if warning is None or not _is_allowed(warning, SETTABLE_BIT):
        return None
    features = {str(feature.get("name")): feature for feature in _features(warning)}
    modes = _values(features["mode"]) if "mode" in features else ()
    if "stop" not in modes or len(modes) < 2:
        return None
    askable = [
        name for e in exposes if _is_allowed(e, PUBLISHED_BIT | GETTABLE_BIT) and (name := _property(e)) is not None
    ]
    return SirenFeatures(
        modes=modes,
        probe=PROBE if PROBE in askable else next(iter(askable), None),
        levels=_values(features["level"]) if "level" in features else (),
        duration="duration" in features,
        strobe="strobe" in features,
    )
