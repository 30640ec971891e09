"""Adds an example of each body and each answer to the document, and of each webhook message.

`openapi_examples.json` has them by operation, as a hub answered them in a sandbox; secrets, tokens and images are
replaced by short ones that mean nothing. A test checks that each fits its schema, and that none is missing.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def _examples() -> dict[str, Any]:
    text = files("gateway.hub.api").joinpath("openapi_examples.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def add_examples(document: dict[str, Any]) -> None:
    """Add the examples to the operations and webhooks of a document, in place.

    They are named (`examples`) also where there is one: openapi-typescript writes each `example` whole into its types.
    """
    known = _examples()
    for methods in document["paths"].values():
        for entry in methods.values():
            of_operation = known["operations"].get(entry["operationId"], {})
            _add(entry.get("requestBody", {}), of_operation.get("requests", {}))
            for status, answer in entry["responses"].items():
                if status in of_operation.get("answers", {}):
                    _add(answer, {"answer": of_operation["answers"][status]})
                elif status == str(known["problem"]["status"]):
                    _add(answer, {"problem": known["problem"]})
    for kind, methods in document.get("webhooks", {}).items():
        event = known["events"][kind]
        message = {**event, "timestamp": event["at"], "event": event["id"], "previous": event["seq"] - 1}
        _add(methods["post"]["requestBody"], {"message": message})


def _add(part: dict[str, Any], examples: dict[str, Any]) -> None:
    for content in part.get("content", {}).values():
        if examples:
            content["examples"] = {name: {"value": value} for name, value in examples.items()}
