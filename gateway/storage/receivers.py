"""Stores the browsers of receivers: links that sign one in, once, and sessions."""

from gateway.storage.one_time_links import LinkSession, LinkTables, OneTimeLink
from gateway.storage.part import StorePart, posts, reads, writes


class ReceiverLink(OneTimeLink):
    """A link that signs one browser in as a receiver."""

    reception: str
    receiver: str


class ReceiverSession(LinkSession):
    """A browser that is signed in as a receiver."""

    reception: str
    receiver: str


_TABLES = LinkTables("receiver", ReceiverLink, ReceiverSession, entrance="reception")


class ReceiverStore(StorePart):
    """Links and sessions of receivers: `Store.receivers`."""

    add_link = writes(_TABLES.add_link)
    link = reads(_TABLES.link)
    redeem_link = writes(_TABLES.redeem_link)
    session = reads(_TABLES.session)
    sessions = reads(_TABLES.sessions)
    touch_session = posts(_TABLES.touch_session)  # what a full disk loses here only ends the session earlier
    end_session = writes(_TABLES.end_session)
