"""Composes the owner's notifications, queues them durably and sends them to phones."""
