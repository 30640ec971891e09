"""Connections to other systems: a hub, the guard of a lock, Home Assistant. They do not import each other."""
