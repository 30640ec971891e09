"""Gives out tests as pytest-xdist's `loadgroup` does, in time that does not grow with what was given out before.

With 15,000 tests that one looks through all that a worker has ever had whenever it has done one, and through all names
for each that it gives out. This one forgets what is done, and gives out several at once while many are left.
"""

from collections.abc import Sequence

from xdist.scheduler import LoadGroupScheduling  # type: ignore[import-untyped]  # xdist has no py.typed
from xdist.workermanage import WorkerController  # type: ignore[import-untyped]  # the same

MOST_AT_ONCE = 8  # units of work in one message; a group is one
SHARES = 4  # a worker gets at most this part of its share of what is left, so that all end together


class ManyTests(LoadGroupScheduling):  # type: ignore[misc]  # the same
    """A scheduler for the process that gives out the tests."""

    def add_node_collection(self, node: WorkerController, collection: Sequence[str]) -> None:
        """Take the names of a worker's tests: all workers have the same, or the run does not begin."""
        super().add_node_collection(node, collection)
        self._places = {name: place for place, name in enumerate(collection)}

    def mark_test_complete(self, node: WorkerController, item_index: int, duration: float = 0) -> None:  # noqa: ARG002 - as there
        """Forget a test that is done."""
        name = self.registered_collections[node][item_index]
        work, scope = self.assigned_work[node], self._split_scope(name)
        del work[scope][name]
        if not work[scope]:
            del work[scope]
        self._reschedule(node)

    def remove_node(self, node: WorkerController) -> str | None:
        """Give what a worker had to do, if it died, to the others, all but the test in which it died: its name."""
        work = self.assigned_work.pop(node)
        died_in: str | None = next((name for unit in work.values() for name in unit), None)
        if died_in is None:
            return None
        del work[self._split_scope(died_in)][died_in]
        self.workqueue.update((scope, unit) for scope, unit in work.items() if unit)
        for other in self.nodes:
            self._reschedule(other)
        return died_in

    def _assign_work_unit(self, node: WorkerController) -> None:
        places: list[int] = []
        for _ in range(max(1, min(MOST_AT_ONCE, len(self.workqueue) // (SHARES * len(self.nodes))))):
            scope, unit = self.workqueue.popitem(last=False)
            self.assigned_work[node][scope] = unit
            places += [self._places[name] for name in unit]
        node.send_runtest_some(places)
