"""Putting Perron into a house: what each device can promise, what is tried with the installer at the door."""
