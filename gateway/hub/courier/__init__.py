"""The page for a courier: what one must know of a delivery, and the code that the door's scanner reads."""
