"""Verifies what a hub posts to a webhook endpoint.

`standardwebhooks` (https://github.com/standard-webhooks/standard-webhooks) verifies the signature over id, timestamp
and body, and that the timestamp is at most five minutes off. The hub repeats a message under the same `webhook-id`
until it gets an answer 2xx: a receiver remembers the ids that it has dealt with.
"""

import json
from collections.abc import Mapping

from standardwebhooks import Webhook, WebhookVerificationError
from standardwebhooks.webhooks import EmptyWebhookSecretError

from .errors import WebhookRejectedError
from .events import parse_webhook_body
from .models import WebhookBody, WebhookEndpointChallengeMessage


class WebhookVerifier:
    """Verifies the messages to one endpoint. `secret` is the endpoint's, `whsec_...`.

    Raises:
        ValueError: the text is not such a secret.
    """

    def __init__(self, secret: str) -> None:
        if not secret.startswith("whsec_"):
            raise ValueError("a webhook's secret begins with whsec_")
        try:
            self._webhook = Webhook(secret)
        except (ValueError, EmptyWebhookSecretError) as error:
            raise ValueError("behind whsec_ stands base64") from error

    def verify(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Verify a request, as it came: `body` is its bytes, before any parsing.

        Raises:
            WebhookRejectedError: the hub did not sign it, or not within the last five minutes. Answer 401.
        """
        try:
            self._webhook.verify(body, dict(headers.items()), json_parse=False)
        except (WebhookVerificationError, ValueError) as error:
            raise WebhookRejectedError(str(error) or "the signature does not hold") from error

    def read(self, body: bytes, headers: Mapping[str, str]) -> WebhookBody:
        """Verify a request as `verify` does, and return its message."""
        self.verify(body, headers)
        try:
            return parse_webhook_body(body)
        except ValueError as error:
            raise WebhookRejectedError("it is no message of a hub") from error


def challenge_answer(message: WebhookBody) -> bytes | None:
    """Return the JSON with which to answer a message that is a challenge; None: any answer 2xx will do.

    A sandbox's endpoint gets one before anything else: the answer proves that the receiver wants the messages.
    """
    if isinstance(message, WebhookEndpointChallengeMessage):
        return json.dumps({"challenge": message.data.challenge}).encode()
    return None
