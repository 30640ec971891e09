"""Translate what surrounds a door (batteries, garage, presence, fridge, alarm panel) into events of a visit."""
