"""Name of the socket in the storage folder on which the survey's video process listens."""

SURVEY_SOCKET = "survey.sock"
