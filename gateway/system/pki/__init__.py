"""The box's own certificate authority and the certificates that it issues."""
