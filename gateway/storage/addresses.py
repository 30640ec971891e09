"""Stores what the owner tells retailers of the home's address: nothing, the postcode, or a word of his own."""

from collections.abc import Callable

from pydantic import TypeAdapter

from gateway.domain.delivery.address import HomeAddress, is_address_text
from gateway.domain.delivery.candidate import ToldAddress
from gateway.domain.now import Now
from gateway.storage.database import Database
from gateway.storage.models import StoreFailed
from gateway.storage.part import StorePart
from gateway.storage.privacy import read_choice, write_choice
from gateway.storage.writer import Writer

_CHOICE = "home_address"
_ADAPTER = TypeAdapter(HomeAddress)


class Addresses(StorePart):
    """What is told of the home's address: `Store.addresses`."""

    def __init__(self, writer: Writer, reader: Callable[[], Database], told: ToldAddress) -> None:
        super().__init__(writer, reader)
        self._told = told

    @property
    def told(self) -> HomeAddress | None:
        """Return what the owner tells; None: nothing."""
        return self._told.address

    async def tell(self, address: HomeAddress | None, now: Now, *, by: str) -> tuple[str, ...]:
        """Tell this from now on, None: nothing; return the keys of the open deliveries, which may be refused by it.

        ValueError: the text cannot be a postcode or a word. Raises StoreFailed.
        """
        if address is not None and not is_address_text(address.text):
            raise ValueError("a postcode or a word has 1 to 32 printable characters")
        before, self._told.address = self._told.address, address  # first: what is due by it is looked at only once
        try:
            return await self.writer.do(lambda db: _tell(db, address, now, by))
        except StoreFailed:
            self._told.address = before
            raise


def load_address(db: Database) -> HomeAddress | None:
    """Return what the owner told last; None: nothing."""
    stored = read_choice(db, _CHOICE)
    return None if stored is None else _ADAPTER.validate_json(stored)


def _tell(db: Database, address: HomeAddress | None, now: Now, by: str) -> tuple[str, ...]:
    write_choice(db, _CHOICE, None if address is None else _ADAPTER.dump_json(address).decode())
    db.log("address_told", now.utc, {"kind": None if address is None else address.kind.value}, by=by)
    db.execute("UPDATE delivery SET look_at = 0 WHERE ends > ? AND expected_address IS NOT NULL", (now.utc,))
    return tuple(db.column("SELECT key FROM delivery WHERE ends > ? AND expected_address IS NOT NULL", (now.utc,)))
