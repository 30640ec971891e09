"""The release before version 2 of an order: a box of it answers today's messages, in a process of its own."""
