"""The household's browsers through the hub: what they sign and seal, and what the box does with it."""
