"""Logs HTTP requests."""

import logging

from aiohttp.http_exceptions import HttpProcessingError


def http_logger() -> logging.Logger:
    """Make the HTTP server's log: its bugs with their traces, but no word of what a browser said wrongly.

    The server would quote a request that it cannot read, with the link's token or the cookie that stands there.
    """
    made = logging.getLogger(__name__)
    if not made.filters:
        made.addFilter(lambda record: not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError)))
    return made
