"""Relays sealed queries of browsers to homes and the answers back; it stores nothing of them.

The broker's acknowledgement tells at once that a box is not connected. Each hub process subscribes to the answers to
its own queries, on a topic with its name. The broker lets a home publish under its own id only, so no home answers for
another.
"""

import asyncio
from collections import Counter

from gateway.hub.boxes.mqtt import HubBrokerConnection, has_no_subscriber, parse_message
from gateway.hub.database.store import new_id
from gateway.hub.http.operation import HouseholdBrowser
from gateway.hub.http.problem import ApiProblem, Code
from gateway.mqtt.packets import InboundMessage, NotSent
from gateway.protocol.box_hub import SealedQuery, SealedReply, down_topic, home_of_reply, reply_subscription

ANSWER_TIMEOUT_S = 25  # a home answers an unchanged query after 20 s
MAX_OPEN_QUERIES_PER_HOME = 24  # of one home
MAX_OPEN_QUERIES = 5_000


class BrowserRelay:
    """Relays queries for one process. `connection` is set once the broker connection exists.

    `name` is the process's name at a broker that keeps subscriptions, so that they stay the same after a restart.
    """

    connection: HubBrokerConnection | None = None

    def __init__(self, name: str | None = None) -> None:
        self._via = name or new_id("hub")
        self.reply_topic = reply_subscription(self._via)
        self._open_queries: dict[str, tuple[HouseholdBrowser, asyncio.Future[str]]] = {}
        self._open_per_home: Counter[str] = Counter()

    async def ask(self, browser: HouseholdBrowser, sealed: str) -> str:
        """Send a query to a home, and return its answer; `ApiProblem` says why there is none."""
        if self.connection is None or not self.connection.is_connected:
            raise ApiProblem(Code.HOME_OFFLINE if self.connection is None else Code.UNAVAILABLE)
        home_is_full = self._open_per_home[browser.home] >= MAX_OPEN_QUERIES_PER_HOME
        if home_is_full or len(self._open_queries) >= MAX_OPEN_QUERIES:
            raise ApiProblem(Code.RATE_LIMITED, "Too many questions wait for an answer.", headers={"Retry-After": "1"})
        id_ = new_id("q")
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        query = SealedQuery(via=self._via, id=id_, browser=browser.browser, sealed=sealed)
        self._open_queries[id_] = browser, answer
        self._open_per_home[browser.home] += 1
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                published = await self.connection.publish(
                    down_topic(browser.home, "ask"), query.model_dump_json().encode(), expiry_s=ANSWER_TIMEOUT_S
                )
                if isinstance(published, NotSent):
                    raise ApiProblem(Code.UNAVAILABLE)
                if has_no_subscriber(published):
                    raise ApiProblem(Code.HOME_OFFLINE)
                return await answer
        except TimeoutError as silence:
            raise ApiProblem(Code.HOME_SILENT) from silence
        finally:
            del self._open_queries[id_]
            self._open_per_home[browser.home] -= 1
            self._open_per_home += Counter()  # removes zero counts

    def on_message(self, incoming: InboundMessage) -> bool:
        """Handle a message of a box; return False if it is not an answer to a query of this process."""
        home = home_of_reply(incoming.topic, self._via)
        if home is None:
            return False
        reply = None if incoming.retain else parse_message(SealedReply, incoming.payload)
        if reply is not None and reply.id in self._open_queries:
            browser, answer = self._open_queries[reply.id]
            if browser == HouseholdBrowser(home=home, browser=reply.browser) and not answer.done():
                answer.set_result(reply.sealed)
        return True
