"""Homes that do not exist, and a courier who always comes: retailers try the API there without touching a real home."""
