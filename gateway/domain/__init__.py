"""Pure decisions without clock, network, disk or threads: the visit's state machine and the delivery model."""
