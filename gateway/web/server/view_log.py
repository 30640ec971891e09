"""Logs who watches a camera or a film; a view that goes on, or comes in many requests, once a minute.

It has a file of its own because the pages and the remote browsers both use it.
"""

from typing import Literal

from gateway.domain.now import Now
from gateway.storage import Store

VIEW_LOG_INTERVAL_S = 60.0  # seconds after which a view that goes on is logged again


class ViewLog:
    """The views of the last minute, in memory, by kind, object and person."""

    def __init__(self, store: Store) -> None:
        self._privacy = store.privacy
        self._logged_mono: dict[tuple[str, str, str | None], float] = {}

    def record(self, kind: Literal["live", "film", "report"], what: str, person: str | None, now: Now) -> None:
        """Log that a person (None: the holder of a link) sees a camera or a visit, unless it was logged just now."""
        self._logged_mono = {key: at for key, at in self._logged_mono.items() if now.mono - at < VIEW_LOG_INTERVAL_S}
        if (kind, what, person) not in self._logged_mono:
            self._logged_mono[kind, what, person] = now.mono
            self._privacy.record_view(kind, what, person, now)
