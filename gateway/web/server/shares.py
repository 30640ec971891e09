"""Which visits are shared with somebody outside, and the link through the hub that shares one.

The box makes the link's two keys itself. Both travel only in the fragment of the link, which browsers send to no
server. The box tells the hub the public key, and does not keep the private one.
"""

import secrets
from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric import ec

from gateway.config.home import HubSection
from gateway.domain.now import Now
from gateway.protocol.browser_envelope import Jwk, keys_from_secret, private_scalar, seal_end_message
from gateway.storage.models import SharedVisit
from gateway.storage.shares import GuestBrowser
from gateway.storage.store import Store
from gateway.system.base64url import encode_base64url
from gateway.web.auth.roles import Role, UserRight, has_right

SECRET_BYTES = 32


def active_shares(store: Store, now: Now) -> Iterator[SharedVisit]:
    """Yield the valid shares. A share ends when the person who made it loses the right to share."""
    for share in store.accounts.active_shares(now.utc):
        maker = store.accounts.person(share.by)
        if maker is not None and maker.removed is None and has_right(Role(maker.role), UserRight.SHARE_FILM):
            yield share


def new_guest(share: SharedVisit, hub: HubSection) -> tuple[GuestBrowser, str]:
    """Make the browser of a link through the hub; return what the box keeps of it, and the link.

    The fragment contains: format, home, browser, secret, private key, and the two coordinates of the public key.
    """
    key, secret = ec.generate_private_key(ec.SECP256R1()), secrets.token_bytes(SECRET_BYTES)
    ident = secrets.token_hex(16)
    public, browser = Jwk.of(key.public_key()), f"brw-{ident}"
    keys = keys_from_secret(secret, home=hub.home, browser=browser)
    guest = GuestBrowser(
        id=browser, share=share.id, home=hub.home, sign=public.model_dump_json(), secret=secret,
        farewell=seal_end_message(keys, random=secrets.token_bytes),
    )  # fmt: skip
    private = encode_base64url(private_scalar(key))
    fragment = ".".join(("1", hub.home, ident, encode_base64url(secret), private, public.x, public.y))
    return guest, f"{hub.url.rstrip('/')}/shared#{fragment}"
