"""The box's client of a hub: connects outwards, accepts signed messages and reports their results."""
