"""`replace` gives what `dataclasses.replace` gives, and refuses what it cannot copy."""

import copy
import dataclasses
import pickle
from functools import cached_property

import pytest

from gateway.domain.frozen import Frozen, replace
from gateway.domain.now import Now
from gateway.domain.visit.state import Entrance
from tests.gateway.domain.delivery.shop import NOW


class Checked(Frozen):
    one: int
    two: int

    def __post_init__(self) -> None:
        assert self.one < self.two


def test_a_copy_has_the_named_values_and_all_others_of_the_first() -> None:
    first = Entrance(id="front", last_query_id=7, cameras={})
    copy = replace(first, last_query_id=8, stopped=True)
    assert copy == dataclasses.replace(first, last_query_id=8, stopped=True)
    assert (first.last_query_id, first.stopped) == (7, False)
    assert copy.cameras is first.cameras
    assert isinstance(replace(NOW, mono=5.0), Now)
    assert replace(first) == first
    assert replace(first) is not first


def test_a_copy_computes_anew_what_follows_from_its_fields() -> None:
    order = Order("a", ("x",))
    assert order.length == 1
    assert replace(order, items=("x", "y")).length == 2
    assert replace(order, code="b").length == order.length == 1
    with pytest.raises(TypeError, match="Order has no field length"):
        replace(order, length=3)  # type: ignore[call-arg]  # on purpose


def test_a_field_that_the_class_lacks_is_refused() -> None:
    with pytest.raises(TypeError, match="Entrance has no field nonsense"):
        replace(Entrance(id="front"), nonsense=1)  # type: ignore[call-arg]  # on purpose


def test_a_class_that_it_would_copy_otherwise_than_the_standard_library_is_refused() -> None:
    with pytest.raises(TypeError, match="Checked has __post_init__"):
        replace(Checked(one=1, two=2), one=3)


def test_an_instance_is_frozen_and_is_made_with_names_only() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        NOW.mono = 5.0  # type: ignore[misc]  # on purpose
    with pytest.raises(TypeError, match="positional"):
        Checked(1, 2)  # type: ignore[call-arg]  # on purpose


class Order(Frozen, kw_only=False):
    code: str
    items: tuple[str, ...] = ()
    extra: dict[str, int] = dataclasses.field(default_factory=dict, kw_only=True)
    hidden: str = dataclasses.field(default="", repr=False, kw_only=True)
    row: bytes = dataclasses.field(default=b"", repr=False, compare=False, kw_only=True)

    @cached_property
    def length(self) -> int:
        return len(self.items)


class Event(Frozen):
    pass


def test_it_is_made_compared_and_shown_as_a_frozen_dataclass_of_the_standard_library_is() -> None:
    order = Order("a", ("x",), hidden="s")
    assert (order.code, order.items, order.extra, order.hidden) == ("a", ("x",), {}, "s")
    assert order.extra is not Order("a").extra
    assert repr(order) == "Order(code='a', items=('x',), extra={})"
    assert order.length == 1
    assert order == Order(code="a", items=("x",), hidden="s", row=b"1")  # a cached property is no field
    assert order != Order("a", ("x",))
    assert order != Event()
    assert Event() == Event()
    assert hash(NOW) == hash(dataclasses.replace(NOW))
    assert hash(Event()) == hash(Event())
    assert copy.deepcopy(order) == pickle.loads(pickle.dumps(order)) == order  # noqa: S301 - its own
    assert Order.__match_args__ == ("code", "items")
    with pytest.raises(TypeError, match="code"):
        Order()  # type: ignore[call-arg]  # on purpose
    with pytest.raises(TypeError, match="nonsense"):
        Order("a", nonsense=1)  # type: ignore[call-arg]  # on purpose
    with pytest.raises(dataclasses.FrozenInstanceError):
        del order.code
    with pytest.raises(AssertionError):
        Checked(one=2, two=1)
