"""Names of the sockets in a storage folder at which the installer's tools listen."""

EYES = "survey.sock"


SOCKET = "walk.sock"
