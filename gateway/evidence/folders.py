"""Paths of films and proofs."""

VISITS_FOLDER = "visits"  # the folder of films and proofs, under the storage folder


def visit_folder(visit: str) -> str:
    """Where a visit's films and proof lie, under the storage folder: all its parts together."""
    return f"{VISITS_FOLDER}/{visit}"
