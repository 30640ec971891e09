"""The error of an unusable configuration, with a text for its author."""


class ConfigError(Exception):
    """The configuration is wrong; the text says what, where (file:line:column) and what to do."""


def describe_read_error(error: OSError | UnicodeDecodeError) -> str:
    """Say in a few words why a file cannot be read as text."""
    return (error.strerror or str(error) or "unreadable") if isinstance(error, OSError) else "it is no UTF-8"
