"""Webhooks: what a retailer is told is sent to his servers, as Standard Webhooks says, until they have taken it."""
