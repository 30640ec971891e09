"""The gateway's shell for tests: real store, clock, keys and entrances; only broker and cameras are recorders."""
