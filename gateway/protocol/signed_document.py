"""A signed document: a JSON object that carries its key and a signature over all the rest."""

from base64 import b64decode, b64encode
from typing import Annotated, Self, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints

from gateway.protocol.hash_chain import canonical_json
from gateway.protocol.keys import BoxKey, PublicKey

Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


KeyText = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]


Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}$")]


FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
"""A name that is one plain file's in one folder: no path, no link upwards, nothing hidden."""


PLACEHOLDER_SIGNATURE = "A" * 86 + "=="
"""Stands in a document that is about to be signed."""


class SignedDocument(BaseModel):
    """A small signed document: the signature is over the canonical JSON of all other fields, `kind` among them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: KeyText
    # One spelling: the last digit before the padding has only two bits that count.
    signature: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{85}[AQgw]==$")]

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Read what `to_json` wrote.

        Raises:
            ValueError: it is anything else, be it by a blank.
        """
        document = cls.model_validate_json(data)
        if document.to_json() != data:
            raise ValueError("not in its canonical form")
        return document

    def to_json(self) -> bytes:
        """One line of canonical JSON."""
        return canonical_json(self.model_dump(mode="json"))

    def signed_bytes(self) -> bytes:
        """What the signature covers."""
        return canonical_json(self.model_dump(mode="json", exclude={"signature"}))

    def is_signed_by(self, key: PublicKey) -> bool:
        """Whether `key` is the one named here and signed exactly this."""
        return self.key == key.text and key.verifies(b64decode(self.signature), self.signed_bytes())


SignedT = TypeVar("SignedT", bound=SignedDocument)


def sign_document(document: SignedT, key: BoxKey) -> SignedT:
    """Put the box's signature in the place of `PLACEHOLDER_SIGNATURE`."""
    return document.model_copy(update={"signature": b64encode(key.sign(document.signed_bytes())).decode()})
