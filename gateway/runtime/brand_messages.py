"""Answers a brand's messages about its own facts that came through the hub: its query for them, and its comment.

The hub only forwards them. The box verifies the brand's signature and signs the facts, so the hub can forge neither a
query nor an answer. `answers` in the statement names the query, so the hub cannot present an earlier answer.
"""

import asyncio

from gateway.config.home import Home
from gateway.domain.delivery.permission import PermissionStatus
from gateway.domain.now import Now
from gateway.evidence.rollback import STORE_FILE
from gateway.protocol.box_hub import BrandAnswer, JobOutcome, token_digest
from gateway.protocol.brand_messages import CommentClaims, FactsQuery, facts_claims, sign_facts, verify_brand_message
from gateway.protocol.ed25519 import SigningKey
from gateway.protocol.jws import TRANSIENT_REJECTIONS, RejectedMessage
from gateway.storage import readonly
from gateway.storage.store import Store
from gateway.system.clock import Clock
from gateway.system.token_bucket import SlidingWindow

MAX_MESSAGES_PER_DAY = 20  # of one brand: facts are read from the whole log
_DAY_S = 86_400.0


class BrandMessageService:
    """Answers the brands of one house, one message after the other. It raises StoreFailed if the disk fails."""

    def __init__(self, home: Home, store: Store, clock: Clock, key: SigningKey) -> None:
        self._home, self._store, self._clock, self._key = home, store, clock, key
        self._limits: dict[str, SlidingWindow] = {}  # by brand: as many as have an enrolled key

    async def accept(self, token: bytes, home: str) -> JobOutcome:
        """Answer one message; `home` is this house's name at the hub."""
        now, journal = self._clock.now(), self._store.hub_journal
        verified = verify_brand_message(token, self._store.brands.keys, box=self._home.box, also=home, now=now)
        if isinstance(verified, RejectedMessage):
            if verified.code in TRANSIENT_REJECTIONS:
                return JobOutcome.RETRY_LATER
            rejected = BrandAnswer(token_sha256=token_digest(token), accepted=False, code=verified.code.value)
            is_answered = await journal.answer_brand(rejected, now)
            return JobOutcome.ANSWERED if is_answered else JobOutcome.REJECTED
        if journal.is_full():  # each answer is one more event
            return JobOutcome.RETRY_LATER
        limit = self._limits.setdefault(verified.iss, SlidingWindow(MAX_MESSAGES_PER_DAY, _DAY_S))
        if not limit.take(now.mono):
            return JobOutcome.REJECTED
        code, facts = self._refusal(verified), None
        if code is None and isinstance(verified, FactsQuery):
            facts = await asyncio.to_thread(self._signed_facts, verified, home, now)
        answer = BrandAnswer(
            brand=verified.iss, token_sha256=token_digest(token), accepted=code is None, code=code, facts=facts
        )
        await journal.answer_brand(answer, now, comment=verified if isinstance(verified, CommentClaims) else None)
        return JobOutcome.ANSWERED

    def _refusal(self, message: FactsQuery | CommentClaims) -> str | None:
        """Return why the owner does not permit an answer; None: the owner permits it."""
        permission = self._store.brands.permission(message.iss)
        if permission is None or permission.standing is not PermissionStatus.GRANTED:
            return "brand_not_permitted"
        is_shared = self._home.hub is None or self._home.hub.brand_facts
        return "facts_not_shared" if isinstance(message, FactsQuery) and not is_shared else None

    def _signed_facts(self, query: FactsQuery, home: str, now: Now) -> str:
        file = self._home.storage.folder / STORE_FILE
        facts, comment = readonly.brand_facts(file).of(query.iss, now), readonly.brand_comment(file, query.iss)
        claims = facts_claims(home, query.iss, facts, comment=comment, answers=query.jti)
        return sign_facts(claims, self._key).decode()
