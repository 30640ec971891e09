"""Writes and audits the configuration of a mosquitto broker."""
