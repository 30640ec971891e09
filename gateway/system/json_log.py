"""Writes log lines as JSON objects: the gateway's own, and with the same keys those of the standard library."""

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime

_write_line = json.JSONEncoder(ensure_ascii=False, default=str).encode  # `dumps` would make one each time


def json_line(fields: Mapping[str, object]) -> str:
    """Return one JSON object without a line break. A field of bytes is JSON already, and is written as it is."""
    written = {name: value for name, value in fields.items() if isinstance(value, bytes)}
    line = _write_line({name: value for name, value in fields.items() if name not in written})
    for name, value in written.items():
        line = f"{line[:-1]}{', ' if len(line) > 2 else ''}{json.dumps(name)}: {value.decode()}}}"
    return line


class JsonLineFormatter(logging.Formatter):
    """One JSON object a record: `timestamp` (UTC), `level`, `logger`, `event`, and `exception` if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        line = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)
