"""A typed list of callbacks."""

from collections.abc import Callable
from typing import Generic, ParamSpec

P = ParamSpec("P")


class Subscribers(Generic[P]):
    """Callbacks that are called in the order in which they subscribed."""

    def __init__(self) -> None:
        self._callbacks: list[Callable[P, object]] = []

    def subscribe(self, callback: Callable[P, object]) -> None:
        """Call it at each `publish` from now on."""
        self._callbacks.append(callback)

    def unsubscribe(self, callback: Callable[P, object]) -> None:
        """Call it no longer. ValueError: it has not subscribed."""
        self._callbacks.remove(callback)

    def publish(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Call all subscribers; a callback may subscribe or unsubscribe."""
        for callback in tuple(self._callbacks):
            callback(*args, **kwargs)
