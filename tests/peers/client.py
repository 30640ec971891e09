"""A plain HTTP client of a peer, for the peers' own tests: each request goes out once."""

from aiohttp import (
    ClientError,
    ClientHandlerType,
    ClientMiddlewareType,
    ClientOSError,
    ClientRequest,
    ClientResponse,
    ClientSession,
    DigestAuthMiddleware,
    ServerDisconnectedError,
    encode_basic_auth,
)
from yarl import URL

from tests.peers.authentication import Account, Scheme


class Clock:
    """A clock that a test turns; its seconds begin at 1,000."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class LostError(ClientError):
    """The connection ended before the answer."""


async def once(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Keep aiohttp from sending a GET again whose connection ended, as it does by itself.

    Raises:
        LostError: the connection ended before the answer.
    """
    try:
        return await handler(request)
    except (ClientOSError, ServerDisconnectedError) as error:
        raise LostError(str(error)) from error


def open_session(url: URL, account: Account | None, scheme: Scheme = Scheme.DIGEST) -> ClientSession:
    """A session of somebody, or of nobody; the test closes it."""
    middlewares: tuple[ClientMiddlewareType, ...] = (once,)
    headers: dict[str, str] = {}
    if account is not None and scheme is Scheme.DIGEST:
        middlewares = (once, DigestAuthMiddleware(account.name, account.password))
    elif account is not None:
        headers["Authorization"] = encode_basic_auth(account.name, account.password)
    return ClientSession(url, headers=headers, middlewares=middlewares)
