"""One module for each page, or for each group of pages."""
