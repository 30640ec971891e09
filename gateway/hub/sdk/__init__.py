"""A retailer's client of a hub: announces deliveries, follows events, verifies webhooks, signs. It knows no box.

Retailers install it as the distribution `perron-sdk` and import it as `perron.sdk`, with the models of requests and
answers in `perron.sdk.models`. So it imports nothing of Perron, and its own modules by relative imports only.
"""

from .client import AsyncClient, Client, HubAccess
from .errors import (
    ConflictError,
    ForbiddenError,
    HubFailedError,
    HubUnreachableError,
    InvalidRequestError,
    Mistake,
    NotFoundError,
    PerronError,
    RateLimitedError,
    RefusedError,
    UnauthenticatedError,
    WebhookRejectedError,
)
from .request import Retries
from .signing import SigningKey
from .webhook import WebhookVerifier, challenge_answer

__all__ = [
    "AsyncClient",
    "Client",
    "ConflictError",
    "ForbiddenError",
    "HubAccess",
    "HubFailedError",
    "HubUnreachableError",
    "InvalidRequestError",
    "Mistake",
    "NotFoundError",
    "PerronError",
    "RateLimitedError",
    "RefusedError",
    "Retries",
    "SigningKey",
    "UnauthenticatedError",
    "WebhookRejectedError",
    "WebhookVerifier",
    "challenge_answer",
]
