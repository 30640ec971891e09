"""The guard: the small process beside the radio that alone may move the lock. docs/guard.md tells how it is set up."""
