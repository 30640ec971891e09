"""Names of the sockets in the storage folder on which the installer's tools listen."""

SURVEY_SOCKET = "survey.sock"


WALK_TEST_SOCKET = "walk.sock"
