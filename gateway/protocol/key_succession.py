"""The succession of a box's signing keys: both keys sign each step."""

from base64 import b64decode
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, StringConstraints

from gateway.protocol.hash_chain import canonical_json
from gateway.protocol.keys import PublicKey
from gateway.protocol.signed_document import Id, KeyText, SignedDocument

MAX_HISTORY_BYTES = 2**20  # bytes: some thousand changes


class KeySuccession(SignedDocument):
    """From `at` on the box signs under `new` and no longer under `key`. `agreed` is the new key's own signature."""

    kind: Literal["perron succession 1"] = "perron succession 1"
    box: Id
    new: KeyText
    at: AwareDatetime
    clock_trusted: bool
    agreed: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{85}[AQgw]==$")]

    def agreed_bytes(self) -> bytes:
        """What the new key signs: all but the two signatures."""
        return canonical_json(self.model_dump(mode="json", exclude={"signature", "agreed"}))

    @property
    def is_signed_by_both(self) -> bool:
        """Whether both keys signed it."""
        old, new = PublicKey.from_text(self.key), PublicKey.from_text(self.new)
        return self.is_signed_by(old) and new.verifies(b64decode(self.agreed), self.agreed_bytes())


@dataclass(frozen=True, slots=True)
class KeyHistory:
    """The keys of one box in their order, as far as they were changed."""

    steps: tuple[KeySuccession, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> "KeyHistory":
        """Parse what `encoded` returned.

        Raises:
            ValueError: a line is no change, is not signed by both its keys, or does not follow the one before.
        """
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
        """One change a line, the oldest first."""
        return b"".join(step.to_json() + b"\n" for step in self.steps)

    @property
    def keys(self) -> tuple[PublicKey, ...]:
        """All of them, the first one first; none where no key was ever changed."""
        texts = [*(step.key for step in self.steps[:1]), *(step.new for step in self.steps)]
        return tuple(PublicKey.from_text(text) for text in texts)

    def keys_of_same_box(self, key: PublicKey) -> Collection[PublicKey]:
        """Every key of the box whose key this is; one that is not in the line stands alone."""
        keys = self.keys
        return keys if key in keys else (key,)

    def replaced_at(self, key: PublicKey) -> datetime | None:
        """When a key was replaced, by a clock that was trusted; None: it was not, or nobody knows when."""
        return next((step.at for step in self.steps if step.key == key.text and step.clock_trusted), None)
