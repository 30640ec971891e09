"""Wakes waiting tasks after a change; each task then reads the present state itself."""

import asyncio


class ChangeNotifier:
    """Counts changes. Many changes wake a waiting task once, so no queue can grow."""

    def __init__(self) -> None:
        self.count = 0
        self._next_change: asyncio.Future[None] | None = None

    def notify(self) -> None:
        """Count a change and wake the waiting tasks."""
        self.count += 1
        if self._next_change is not None and not self._next_change.done():
            self._next_change.set_result(None)
        self._next_change = None

    async def wait_after(self, count: int) -> int:
        """Wait until there were more than `count` changes; return how many there were."""
        while self.count <= count:
            if self._next_change is None:
                self._next_change = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._next_change)  # one waiter's end is not the others'
        return self.count
