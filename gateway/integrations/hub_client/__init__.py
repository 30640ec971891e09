"""The box's line to a hub: it connects outwards, takes in what is signed, and tells what became of it."""
