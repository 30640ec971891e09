"""Questions of households to their homes: handed on sealed, and the answers handed back. Nothing of them is kept.

The broker's acknowledgement tells at once where no box is there. Each process of the hub hears the answers to its own
questions only, on a topic that has its name in it; a home answers for itself: the broker lets it speak nowhere else.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass

from pydantic import ValidationError

from gateway.hub.mqtt import Line, nobody
from gateway.hub.operation import Member
from gateway.hub.problem import Code, Problem
from gateway.hub.store import new_id
from gateway.mqtt.packets import InboundMessage, NotSent
from gateway.protocol.box_hub import Asked, Replied, answerer, answers_topic, ask_topic
from gateway.protocol.strict_json import loads

PATIENCE = 25  # seconds for a home to answer: it holds back for 20 what has not changed
AT_ONCE = 24  # questions of one home that wait
IN_ALL = 5_000


@dataclass(frozen=True, slots=True)
class _Open:
    """A question that waits for its answer."""

    member: Member
    answer: asyncio.Future[str]


class Questions:
    """One a process. `line` is given once there is one.

    `via`: its name where a broker keeps its subscriptions, so that they are the same ones after a restart.
    """

    line: Line | None = None

    def __init__(self, via: str | None = None) -> None:
        self._via = via or new_id("hub")
        self.topic = answers_topic(self._via)
        self._open: dict[str, _Open] = {}
        self._of_home: Counter[str] = Counter()

    async def ask(self, member: Member, sealed: str) -> str:
        """Hand a question on, and wait for its answer.

        Raises:
            Problem: the home is not there, says nothing in time, or has enough to answer.
        """
        if self.line is None or not self.line.there:
            raise Problem(Code.HOME_OFFLINE if self.line is None else Code.UNAVAILABLE)
        if self._of_home[member.home] >= AT_ONCE or len(self._open) >= IN_ALL:
            raise Problem(Code.RATE_LIMITED, "Too many questions wait for an answer.", headers={"Retry-After": "1"})
        id_ = new_id("q")
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        asked = Asked(via=self._via, id=id_, browser=member.browser, sealed=sealed)
        self._open[id_] = _Open(member, answer)
        self._of_home[member.home] += 1
        try:
            async with asyncio.timeout(PATIENCE):
                said = await self.line.ring(ask_topic(member.home), asked.model_dump_json().encode(), life=PATIENCE)
                if isinstance(said, NotSent) or nobody(said):
                    raise Problem(Code.UNAVAILABLE if isinstance(said, NotSent) else Code.HOME_OFFLINE)
                return await answer
        except TimeoutError as silence:
            raise Problem(Code.HOME_SILENT) from silence
        finally:
            del self._open[id_]
            self._of_home[member.home] -= 1
            self._of_home += Counter()  # keeps those only that wait

    def heard(self, incoming: InboundMessage) -> bool:
        """Take in a word of a box; False: it is no answer to what this process asks."""
        home = answerer(incoming.topic, self._via)
        if home is None:
            return False
        said = None if incoming.retain else _read(incoming.payload)
        waiting = None if said is None else self._open.get(said.id)
        mine = waiting is not None and said is not None and waiting.member == Member(home=home, browser=said.browser)
        if waiting is not None and said is not None and mine and not waiting.answer.done():
            waiting.answer.set_result(said.sealed)
        return True


def _read(payload: bytes) -> Replied | None:
    try:
        loads(payload)
        return Replied.model_validate_json(payload)
    except (ValueError, ValidationError):
        return None
