"""A process of its own between an intercom's HTTP and the house's MQTT: it releases a street door."""
