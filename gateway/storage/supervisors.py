"""Stores the browsers of supervisors: links that sign one in, once, and sessions, each with a public key."""

from gateway.storage.one_time_links import LinkSession, LinkStorePart, LinkTables, OneTimeLink


class SupervisorLink(OneTimeLink):
    """A link that signs one browser in as a supervisor."""

    supervisor: str


class SupervisorSession(LinkSession):
    """A browser that is signed in as a supervisor; `sign` is the JWK of the key with which it signs decisions."""

    supervisor: str
    sign: str


class SupervisorStore(LinkStorePart[SupervisorLink, SupervisorSession]):
    """Links and sessions of supervisors: `Store.supervisors`."""

    tables = LinkTables("supervisor", SupervisorLink, SupervisorSession, key="sign")
