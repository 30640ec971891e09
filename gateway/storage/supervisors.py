"""Stores the browsers of supervisors: links that sign one in, once, and sessions, each with a public key."""

from gateway.storage.one_time_links import LinkSession, LinkTables, OneTimeLink
from gateway.storage.part import StorePart, posts, reads, writes


class SupervisorLink(OneTimeLink):
    """A link that signs one browser in as a supervisor."""

    supervisor: str


class SupervisorSession(LinkSession):
    """A browser that is signed in as a supervisor; `sign` is the JWK of the key with which it signs decisions."""

    supervisor: str
    sign: str


_TABLES = LinkTables("supervisor", SupervisorLink, SupervisorSession, key="sign")


class SupervisorStore(StorePart):
    """Links and sessions of supervisors: `Store.supervisors`."""

    add_link = writes(_TABLES.add_link)
    link = reads(_TABLES.link)
    redeem_link = writes(_TABLES.redeem_link)
    session = reads(_TABLES.session)
    sessions = reads(_TABLES.sessions)
    touch_session = posts(_TABLES.touch_session)  # what a full disk loses here only ends the session earlier
    end_session = writes(_TABLES.end_session)
