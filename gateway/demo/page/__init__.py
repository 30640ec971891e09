"""The demo as a page: the real gateway in the simulated house, watched and played from a browser."""
