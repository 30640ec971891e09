"""A retailer's client of a hub: asks, follows events, and listens for webhooks. It knows no box."""
