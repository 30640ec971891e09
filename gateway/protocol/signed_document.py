"""A signed document: a JSON object that carries its key and a signature over all the rest."""

from base64 import b64decode, b64encode
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, StringConstraints

from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.hash_chain import canonical_json
from gateway.protocol.keys import BoxKey

Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
KeyText = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]
Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}$")]

FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
"""The name of one file in one folder: no path, no `..`, no hidden file."""

PLACEHOLDER_SIGNATURE = "A" * 86 + "=="  # of a document that is not signed yet


class CanonicalModel(BaseModel):
    """A model without other fields, whose JSON has one form."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Parse what `to_json` returned; bytes that differ from that form, even by a blank, raise ValueError."""
        document = cls.model_validate_json(data)
        if document.to_json() != data:
            raise ValueError("not in its canonical form")
        return document

    def to_json(self) -> bytes:
        """Return one line of canonical JSON."""
        return canonical_json(self.model_dump(mode="json"))


class SignedDocument(CanonicalModel):
    """A small signed document: the signature is over the canonical JSON of all other fields, `kind` among them."""

    key: KeyText = ""
    # One spelling: of the last digit before the padding only two bits are used.
    signature: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{85}[AQgw]==$")] = PLACEHOLDER_SIGNATURE

    def signed_bytes(self) -> bytes:
        """Return the bytes that the signature covers."""
        return canonical_json(self.model_dump(mode="json", exclude={"signature"}))

    def signed(self, key: BoxKey) -> Self:
        """Return the document with the box's key and signature."""
        document = self.model_copy(update={"key": key.public.text})
        return document.model_copy(update={"signature": b64encode(key.sign(document.signed_bytes())).decode()})

    def is_signed_by(self, key: PublicKey) -> bool:
        """Whether `key` is the one named here and signed exactly this document."""
        return self.key == key.text and key.verifies(b64decode(self.signature), self.signed_bytes())
