"""Pure decisions: no clock, network, disk or thread. The visit's state machine and what a delivery is."""
