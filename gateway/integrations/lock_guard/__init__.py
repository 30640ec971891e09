"""The guard: the process beside the radio that alone may move the lock. docs/installer/guard.md explains its set-up."""
