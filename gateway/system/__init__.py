"""Mechanisms for every part of the gateway that know nothing of doors, deliveries or hubs."""
