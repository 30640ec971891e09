"""The texts of the pages that a key chooses."""
