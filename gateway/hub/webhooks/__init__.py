"""Webhooks: the hub sends events to a retailer's servers (Standard Webhooks) until they confirm them."""
