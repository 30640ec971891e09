"""The base classes of the models that are generated from the hub's document (models.py)."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

_SECRETS = frozenset({"api_key", "secret", "token", "consent_url"})


class AnswerModel(BaseModel):
    """An object from the hub. It keeps fields that a later hub adds, and writes them as JSON again.

    Its text (`str`, `repr`) leaves out keys and other secrets, so that they are in no log.
    """

    model_config = ConfigDict(
        frozen=True, extra="allow", protected_namespaces=(), defer_build=True, serialize_by_alias=True
    )

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Yield what the text has."""
        for name, value in super().__repr_args__():
            yield name, "..." if name in _SECRETS else value


class RequestModel(BaseModel):
    """An object for the hub. A field that is None is left out, so an optional value can be passed as it is."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), defer_build=True)

    @model_serializer(mode="wrap")
    def _leave_out_none(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in serialize(self).items() if value is not None}


class ChangeModel(BaseModel):
    """A change. A field that is not given stays as it is; None removes its value."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), defer_build=True)
