"""Schedules tests as pytest-xdist's `loadgroup` does, in constant time for each test.

For each test that ends, `loadgroup` searches all tests that the worker has had, and for each test that it assigns, all
names. This scheduler removes what has ended, and assigns several tests in one message while many are left.
"""

from collections.abc import Sequence

from xdist.scheduler import LoadGroupScheduling  # type: ignore[import-untyped]  # xdist has no py.typed
from xdist.workermanage import WorkerController  # type: ignore[import-untyped]  # the same

MOST_AT_ONCE = 8  # units of work (a test or a group) in one message
SHARES = 4  # a message has at most a quarter of the worker's share of the rest, so that all workers end together


class ManyTests(LoadGroupScheduling):  # type: ignore[misc]  # the same
    """The scheduler of a run."""

    def add_node_collection(self, node: WorkerController, collection: Sequence[str]) -> None:
        """Take the names of a worker's tests; all workers must have the same."""
        super().add_node_collection(node, collection)
        self._places = {name: place for place, name in enumerate(collection)}

    def mark_test_complete(self, node: WorkerController, item_index: int, duration: float = 0) -> None:  # noqa: ARG002 - as there
        """Remove a test that has ended."""
        name = self.registered_collections[node][item_index]
        work, scope = self.assigned_work[node], self._split_scope(name)
        del work[scope][name]
        if not work[scope]:
            del work[scope]
        self._reschedule(node)

    def remove_node(self, node: WorkerController) -> str | None:
        """Assign the tests of a dead worker to the others, except the running one; return the name of that one."""
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
