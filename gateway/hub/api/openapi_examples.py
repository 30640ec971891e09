"""Adds an example of each body and each answer to the document, and of each webhook message.

`openapi_examples.json` has them by operation, as a hub answered them in a sandbox; secrets, tokens and images are
replaced by short ones that mean nothing. A test holds that each fits its schema, and that none is missing.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any

from gateway.hub.http.problem import MEDIA_TYPE

Examples = dict[str, Any]  # by name


@cache
def _examples() -> dict[str, Any]:
    text = files("gateway.hub.api").joinpath("openapi_examples.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def add_examples(document: dict[str, Any]) -> None:
    """Add the examples to the operations and webhooks of a document, in place."""
    known = _examples()
    for methods in document["paths"].values():
        for entry in methods.values():
            _add_to_operation(entry, known["operations"].get(entry["operationId"], {}), known["problem"])
    for kind, methods in document.get("webhooks", {}).items():
        event = known["events"][kind]
        message = {**event, "timestamp": event["at"], "event": event["id"], "previous": event["seq"] - 1}
        _add(methods["post"]["requestBody"], {"message": message})


def _add_to_operation(entry: dict[str, Any], known: dict[str, dict[str, Any]], problem: dict[str, Any]) -> None:
    if "requestBody" in entry and known:
        _add(entry["requestBody"], known["requests"])
    for status, answer in entry["responses"].items():
        if status in known.get("answers", {}):
            _add(answer, known["answers"][status])
        elif status == str(problem["status"]):
            _add(answer, {"problem": problem}, MEDIA_TYPE)


def _add(part: dict[str, Any], examples: Examples, media_type: str | None = None) -> None:
    for kind, content in part.get("content", {}).items():
        if media_type in {None, kind}:
            content["examples"] = {name: {"value": value} for name, value in examples.items()}
