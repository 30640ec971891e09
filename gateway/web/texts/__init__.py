"""The texts of the pages in French and English."""
