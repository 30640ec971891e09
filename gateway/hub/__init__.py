"""The hub: relays between retailers, remote browsers and boxes behind routers. It can only delay or drop messages."""
