"""Names of the sockets in a storage folder at which the installer's tools listen."""

SURVEY_SOCKET = "survey.sock"


WALK_TEST_SOCKET = "walk.sock"
