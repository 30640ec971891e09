"""A process of its own for each reading of a source of bookings: it reads what strangers wrote, and ends."""
