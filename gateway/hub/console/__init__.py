"""The web console: a retailer's deliveries, events, webhooks and keys in a browser."""
