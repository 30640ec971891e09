"""The succession of a box's signing keys: both keys sign each step."""

from base64 import b64decode
from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, StringConstraints

from gateway.domain.frozen import Frozen
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.hash_chain import canonical_json
from gateway.protocol.signed_document import Id, KeyText, SignedDocument

MAX_HISTORY_BYTES = 2**20  # bytes: some thousand changes


class KeySuccession(SignedDocument):
    """From `at` on the box signs with `new` instead of `key`. `agreed` is the new key's own signature."""

    kind: Literal["perron succession 1"] = "perron succession 1"
    box: Id
    new: KeyText
    at: AwareDatetime
    clock_trusted: bool
    agreed: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{85}[AQgw]==$")]

    def agreed_bytes(self) -> bytes:
        """Return what the new key signs: everything but the two signatures."""
        return canonical_json(self.model_dump(mode="json", exclude={"signature", "agreed"}))

    @property
    def is_signed_by_both(self) -> bool:
        """Whether both keys signed it."""
        old, new = PublicKey.from_text(self.key), PublicKey.from_text(self.new)
        return self.is_signed_by(old) and new.verifies(b64decode(self.agreed), self.agreed_bytes())


class KeyHistory(Frozen, kw_only=False):
    """The changes of one box's key, oldest first."""

    steps: tuple[KeySuccession, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Parse what `encoded` returned; a line that does not follow, or lacks a signature, raises ValueError."""
        steps: list[KeySuccession] = []
        for number, text in enumerate(data.splitlines(), start=1):
            try:
                step = KeySuccession.from_json(text)
                good = step.is_signed_by_both and (not steps or (steps[-1].new, steps[-1].box) == (step.key, step.box))
            except ValueError as failure:
                raise ValueError(f"line {number} is not a change of a key") from failure
            if not good:
                raise ValueError(f"line {number} is not signed by both keys, or does not follow the one before")
            steps.append(step)
        return cls(tuple(steps))

    @property
    def encoded(self) -> bytes:
        """The changes as lines, oldest first."""
        return b"".join(step.to_json() + b"\n" for step in self.steps)

    @property
    def keys(self) -> tuple[PublicKey, ...]:
        """Every key in its order; empty if the key was never changed."""
        texts = [*(step.key for step in self.steps[:1]), *(step.new for step in self.steps)]
        return tuple(PublicKey.from_text(text) for text in texts)

    def keys_of_same_box(self, key: PublicKey) -> Collection[PublicKey]:
        """Return every key of the box to which this key belongs; an unknown key is returned alone."""
        keys = self.keys
        return keys if key in keys else (key,)

    def replaced_at(self, key: PublicKey) -> datetime | None:
        """Return when a key was replaced, by a trusted clock; None: it was not, or the time is unknown."""
        return next((step.at for step in self.steps if step.key == key.text and step.clock_trusted), None)
