"""Simulated homes and couriers, with which retailers try the API without a real home."""
