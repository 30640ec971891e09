"""The HTTP API of the hub under `/v1`."""
