"""The owner's Home Assistant: what it is shown of each entrance, and the little that it may ask."""
