"""What schemathesis loads: an Idempotency-Key names one request, so each that is well formed is a new one here.

What the same key does twice is tried in test_door.py.
"""

from typing import Any
from uuid import uuid4

import schemathesis

KEY = "Idempotency-Key"


@schemathesis.hook
def before_call(_context: Any, case: Any, kwargs: dict[str, Any]) -> None:  # noqa: ANN401 - the tool's
    """Write a new key where there is a good one."""
    key = (case.headers or {}).get(KEY)
    if isinstance(key, str) and 0 < len(key) <= 255 and all("!" <= char <= "~" for char in key):
        kwargs["headers"] = {**(kwargs.get("headers") or {}), KEY: str(uuid4())}
