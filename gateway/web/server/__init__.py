"""The HTTP server of the pages: connection limits, authorisation, rendering, live data."""
