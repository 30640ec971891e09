"""Real cameras, a real video process and eyes for its films: what the tests of the video process share."""
