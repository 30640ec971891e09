"""The texts of the pages that are chosen by a key."""
