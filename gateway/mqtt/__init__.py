"""The client of the house's MQTT broker, its limits and TLS."""
