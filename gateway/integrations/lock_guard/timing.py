"""The waiting times of a guard: `timing` in `guard.yaml`, and part of what its rules know."""

from pydantic import BaseModel, ConfigDict

from gateway.domain.timing import Seconds


class Timing(BaseModel):
    """Waiting times of the guard. Leave them out: shorter times are for demonstrations and tests."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    nonce_life: Seconds = 15.0
    """Challenge lifetime: how long the gateway may use a challenge of the guard in a command. If it is too short, a
    slow network delays commands past it; if it is too long, a held-back command stays valid longer."""
    answer: Seconds = 5.0
    """Answer deadline: how long lock and door sensor may take to answer a question."""
    stable: Seconds = 2.0
    """Closed door: the time between the two answers `closed` that the guard needs before it locks by itself."""
    again: Seconds = 30.0
    """Next try: the time until the guard tries again to lock by itself."""
    moving: Seconds = 30.0
    """Movement after an unlock: an answer `locked` in this time after an unlock does not count, because the bolt may
    not have begun to move."""
