"""One of each signed thing that `golden.json` lacks, made of the same fixed keys, times and numbers.

`golden_more.json` was written by this function at commit 5e58ae13, before `protocol/jws.py` owned every token. It is
never written again.
"""

from base64 import b64encode
from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.hub.deliveries.events import Event, EventType
from gateway.hub.webhooks.queue import QueuedMessage
from gateway.installation.walk_test_report import SignedWalkTest
from gateway.protocol.enrolment import (
    ClaimCode,
    answer_mac,
    confirmation_statement,
    leave_statement,
    proquint_words,
    renewal_statement,
    request_mac,
    secret_key,
    successor_statement,
)
from gateway.protocol.key_succession import KeySuccession
from gateway.protocol.keys import BoxKey
from gateway.protocol.signed_document import PLACEHOLDER_SIGNATURE
from gateway.runtime.maintenance.backup import BackupListing
from gateway.runtime.notifications.action_links import LinkPurpose, derive_nonce, sign_link
from gateway.system.listed_archive import BackupFile
from tests.gateway.protocol.golden import AT

MORE_FILE = Path(__file__).with_name("golden_more.json")
BOX = BoxKey(Ed25519PrivateKey.from_private_bytes(b"x" * 32))
NEXT = BoxKey(Ed25519PrivateKey.from_private_bytes(b"y" * 32))
LINK_KEY = b"l" * 32
CLAIM = f"claim-{'a' * 26}"


def make_more() -> dict[str, str]:
    """Make all of them as text."""
    secret = secret_key("b" * 26)
    nonce = derive_nonce("message-1", LinkPurpose.VETO, "front.v1", LINK_KEY)
    return {
        "action_link": sign_link(LinkPurpose.VETO, "front.v1", AT + timedelta(minutes=15), nonce, LINK_KEY),
        "action_link_nonce": nonce.hex(),
        "claim_code": ClaimCode(url="https://hub.example", claim=CLAIM, secret="b" * 26, authority="0f" * 32).text,
        "claim_request_mac": request_mac(secret, CLAIM, b"csr", BOX.public.text),
        "claim_answer_mac": answer_mac(secret, CLAIM, ("home-1", "7", "mqtt.example")),
        "claim_words": proquint_words("0f" * 32),
        "renewal_statement": renewal_statement("home-1", b"csr").decode(),
        "confirmation_statement": confirmation_statement("home-1", "0a").decode(),
        "leave_statement": leave_statement("home-1", "0a").decode(),
        "successor_statement": successor_statement(b"der").decode(),
        **_documents(),
        **_webhook(),
    }


def _documents() -> dict[str, str]:
    bare = KeySuccession(
        box="box-1", new=NEXT.public.text, at=AT, clock_trusted=True, agreed=PLACEHOLDER_SIGNATURE, key=BOX.public.text
    )
    agreed = b64encode(NEXT.sign(bare.agreed_bytes())).decode()
    listing = BackupListing(
        box="box-1", at=AT, clock_trusted=True, seq=7, films=False,
        files=(BackupFile(name="store.sqlite", size=3, sha256="ab" * 32),),
    )  # fmt: skip
    walk = SignedWalkTest(
        box="box-1", entrance="front", begun=AT, by="installer", standing="passed",
        trials=(("unlock", None, "worked", None), ("camera", "front", "worked", "cd" * 32)), sheet_sha256="ef" * 32,
    )  # fmt: skip
    return {
        "key_succession": bare.model_copy(update={"agreed": agreed}).signed(BOX).to_json().decode(),
        "backup_listing": listing.signed(BOX).to_json().decode(),
        "walk_test": walk.signed(BOX).to_json().decode(),
    }


def _webhook() -> dict[str, str]:
    secrets = tuple(f"whsec_{b64encode(letter * 32).decode()}" for letter in (b"n", b"o"))
    event = Event.model_validate({
        "id": f"evt-{'a' * 26}", "seq": 2, "type": EventType.DELIVERY_CHANGED, "object": "dlv-1", "at": AT,
        "sandbox": False, "request": "req-1", "data": {"é": [1, None]},
    })  # fmt: skip
    message = QueuedMessage(
        id="msg-1", event=event, previous=1,
        secrets=secrets, retailer="ret-1", endpoint="ep-1", url="https://lune.example/", attempts=0, tries=0, begun=AT,
    )  # fmt: skip
    body = message.body()
    return {"webhook_body": body.decode(), "webhook_signature": message.headers(body, AT)["webhook-signature"]}
