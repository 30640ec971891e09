"""The household's browsers through the hub: their signed, sealed messages and the box's answers."""
