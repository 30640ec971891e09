"""Stores the browsers of receivers: links that sign one in, once, and sessions."""

from gateway.storage.one_time_links import LinkSession, LinkStorePart, LinkTables, OneTimeLink


class ReceiverLink(OneTimeLink):
    """A link that signs one browser in as a receiver."""

    reception: str
    receiver: str


class ReceiverSession(LinkSession):
    """A browser that is signed in as a receiver."""

    reception: str
    receiver: str


class ReceiverStore(LinkStorePart[ReceiverLink, ReceiverSession]):
    """Links and sessions of receivers: `Store.receivers`."""

    tables = LinkTables("receiver", ReceiverLink, ReceiverSession, entrance="reception")
