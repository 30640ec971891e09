"""A process of its own between a Matter server's WebSocket and the house's MQTT: locks, closures, contacts, fridges."""
