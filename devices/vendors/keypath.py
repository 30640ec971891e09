"""Reads and writes a value at a path in a payload: names separated by points, like `data.barcode`.

A `DeviceRef`'s `keys` contain such paths.
"""

from collections.abc import Mapping

from devices.strict_json import MalformedPayload, mapping


def value_at(body: Mapping[str, object], path: str) -> object:
    """Return the value at `path`.

    Raises:
        MalformedPayload: there is no value, or a parent is no object.
    """
    value: object = body
    for name in path.split("."):
        inner = mapping(value, "what the path leads through")
        if name not in inner:
            raise MalformedPayload("nothing stands where the path leads")
        value = inner[name]
    return value


def object_of(values: Mapping[str, object]) -> dict[str, object]:
    """Return the object in which each value is at its path.

    Raises:
        ValueError: one path leads through another's value.
    """
    body: dict[str, object] = {}
    for path, value in values.items():
        *through, last = path.split(".")
        parent = body
        for name in through:
            inner = parent.setdefault(name, {})
            if not isinstance(inner, dict):
                raise ValueError("one path leads through another's value")  # noqa: TRY004 - the paths are wrong
            parent = inner
        if last in parent:
            raise ValueError("two paths lead to one place")
        parent[last] = value
    return body
