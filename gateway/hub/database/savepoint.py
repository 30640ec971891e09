"""Undoes a part of a transaction without ending it, so that one failed item of a batch does not spoil the others."""

import contextlib
from collections.abc import AsyncIterator
from typing import Final

from sqlalchemy import text

from gateway.hub.database.transaction import Transaction

_BEGIN: Final = text("SAVEPOINT batch_item")
_KEEP: Final = text("RELEASE SAVEPOINT batch_item")
_UNDO: Final = text("ROLLBACK TO SAVEPOINT batch_item")


@contextlib.asynccontextmanager
async def savepoint(tx: Transaction, *undone_by: type[Exception]) -> AsyncIterator[None]:
    """Run a block of a transaction. One of these exceptions undoes the block and is raised; the transaction goes on.

    Any other exception is raised as it is: it ends the whole transaction. Blocks are not nested.
    """
    await tx.execute(_BEGIN)
    try:
        yield
        await tx.execute_waiting()
    except undone_by:
        tx.forget_waiting()  # else it would be executed now, and might end the whole transaction
        await tx.execute(_UNDO)
        await tx.execute(_KEEP)
        raise
    await tx.execute(_KEEP)
