"""A retailer's client of a hub: sends requests, follows events, and receives webhooks. It knows no box."""
