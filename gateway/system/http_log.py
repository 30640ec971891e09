"""Logs HTTP requests."""

import logging

from aiohttp.http_exceptions import HttpProcessingError


def http_logger() -> logging.Logger:
    """Return the HTTP server's logger: it logs faults with their traces, but no malformed request of a browser.

    The server would quote such a request, with the token or the cookie in it.
    """
    logger = logging.getLogger(__name__)
    if not logger.filters:
        logger.addFilter(lambda record: not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError)))
    return logger
