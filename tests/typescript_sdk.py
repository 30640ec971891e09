"""Makes the types of the SDK for TypeScript from the hub's OpenAPI document: `make sdk`."""

import json
import subprocess
import tempfile
from pathlib import Path

from tests.api_documents import api_document
from tests.generators import TYPESCRIPT_SDK, npm_program

SCHEMA = TYPESCRIPT_SDK / "src" / "schema.ts"


def make_schema() -> str:
    """Return the types of everything that the document describes."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "openapi.json"), Path(folder, "schema.ts")
        source.write_text(json.dumps(api_document()))
        command = (npm_program("openapi-typescript"), str(source), "-o", str(target))
        subprocess.run(command, check=True, capture_output=True)
        return target.read_text(encoding="utf-8")


def main() -> None:
    """Write them."""
    SCHEMA.write_text(make_schema(), encoding="utf-8")


if __name__ == "__main__":
    main()
