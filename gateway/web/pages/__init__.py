"""The pages: one module for each page or group of pages."""
