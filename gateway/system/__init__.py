"""What every part of the gateway may use: small mechanisms that know nothing of doors, deliveries or hubs."""
