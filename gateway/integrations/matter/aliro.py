"""Stores a public key of Aliro at a Matter lock, and proves by read-back that the lock has exactly this key."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress

from devices.reports import OperationError
from devices.vendors import matter_aliro
from devices.vendors import matter_clusters as m
from devices.vendors.matter import EndpointId
from devices.vendors.matter_aliro import AliroKey
from devices.vendors.matter_keypad import CodeStep, clearing_step, is_refused
from gateway.integrations.matter.file import MatterServerSection
from gateway.integrations.matter.nodes import read_nodes
from gateway.integrations.matter.server import LIST_S, MatterFailed, ServerEvent, ServerSession, connect


async def store_key(  # noqa: PLR0913 - which key, of whom, and where
    section: MatterServerSection, at: EndpointId, *, kind: AliroKey, slot: int, name: str, key: bytes
) -> None:
    """Store a key in a free slot of a lock.

    Raises:
        MatterFailed: the lock has no Aliro, refused it, or does not say that it has this key. Nothing is left behind
            that the lock would delete.
        ValueError: it is no key of P-256.
    """
    steps = matter_aliro.storing_steps(kind, slot, name, key)
    reading = matter_aliro.reading_steps(kind, slot)
    async with _answering(section) as session:
        await _check(session, at)
        is_ours = False  # the user in this slot: the lock refuses to add one to a slot that is taken
        try:
            for step in steps:
                await _carry_out(session, at, step, section.timeout)
                is_ours = True
            read = [await _invoke(session, at, step, section.timeout) for step in reading]
            _check_stored(slot, key, *read)
        except MatterFailed:
            if is_ours:
                with suppress(MatterFailed):
                    await _invoke(session, at, clearing_step(slot), section.timeout)
            raise


async def _carry_out(session: ServerSession, at: EndpointId, step: CodeStep, within_s: float) -> None:
    answer = await _invoke(session, at, step, within_s)
    if is_refused(step[0], answer):
        raise MatterFailed(OperationError.RESTRICTED, f"{step[0]}: the lock stores no such key")


def _check_stored(slot: int, key: bytes, user: object, credential: object) -> None:
    if not matter_aliro.is_stored(slot, key, user, credential):
        raise MatterFailed(OperationError.UNSPECIFIED, "the lock took the key and does not say that it has it")


async def _check(session: ServerSession, at: EndpointId) -> None:
    """Raise MatterFailed unless the endpoint is a lock with Aliro."""
    node = read_nodes(await session.ask("get_nodes", {}, within_s=LIST_S)).get(at.node)
    if node is None or m.DOOR_LOCK not in node.clusters.get(at.endpoint, ()):
        raise MatterFailed(OperationError.UNREACHABLE, f"{at.name} is no lock of this Matter server")
    if not matter_aliro.has_aliro(node.lock_features.get(at.endpoint, 0)):
        raise MatterFailed(OperationError.RESTRICTED, f"{at.name} has no Aliro")


async def _invoke(session: ServerSession, at: EndpointId, step: CodeStep, within_s: float) -> object:
    name, fields = step
    milliseconds = int(within_s * 1000)
    arguments = {
        "node_id": at.node, "endpoint_id": at.endpoint, "cluster_id": m.DOOR_LOCK, "command_name": name,
        "payload": dict(fields), "timed_request_timeout_ms": milliseconds, "interaction_timeout_ms": milliseconds,
    }  # fmt: skip
    return await session.ask("device_command", arguments, within_s=within_s)


@asynccontextmanager
async def _answering(section: MatterServerSection) -> AsyncIterator[ServerSession]:
    """Connect, and deliver answers while the block runs."""
    async with connect(section) as session, aclosing(session.events()) as events:
        reading = asyncio.ensure_future(_drain(events))
        try:
            yield session
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


async def _drain(events: AsyncGenerator[ServerEvent, None]) -> None:
    async for _ in events:
        pass
