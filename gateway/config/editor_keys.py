"""Keys of the house file that its editor writes and proposals name."""

ENTRANCE = "entrance"
