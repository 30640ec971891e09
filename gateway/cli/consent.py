"""Signs a brand's request for a home's permission, and the end of its connection."""

import json
import secrets
from pathlib import Path

from pydantic import ValidationError

from gateway.cli.failure import Failure, invalid_fields, read_yaml_file
from gateway.cli.keys import read_key, signing_function
from gateway.protocol.brand_statement import (
    MAX_REQUEST_LIFETIME_S,
    ConsentStatement,
    EndStatement,
    sign_brand_statement,
)
from gateway.protocol.consent_request import AskedTerms
from gateway.system.clock import machine_time


def read_terms(file: Path) -> AskedTerms:
    """Read the requested terms."""
    terms = read_yaml_file(file, "Name a file with the terms.")
    try:
        return AskedTerms.model_validate_json(json.dumps(terms))
    except ValidationError as error:
        todo = "See the example in `perron retailer connect --help`."
        raise Failure(f"{file}: {invalid_fields(error)[0]}.", todo) from error


def sign_question(key_file: Path, brand: str, name: str, asked: AskedTerms, hub: str) -> str:
    """Sign a request; it is valid for a month, so that the customer has time to open the page."""
    now = int(machine_time().timestamp())
    word = ConsentStatement(
        iss=brand, hub=hub.rstrip("/"), iat=now, exp=now + MAX_REQUEST_LIFETIME_S, name=name, asked=asked,
        jti=secrets.token_urlsafe(16),
    )  # fmt: skip
    return sign_brand_statement(word, signing_function(read_key(key_file), key_file), kid=key_file.stem)


def sign_ending(key_file: Path, brand: str, connection: str, hub: str) -> str:
    """Sign the brand's end of a connection."""
    word = EndStatement(iss=brand, hub=hub.rstrip("/"), iat=int(machine_time().timestamp()), connection=connection)
    return sign_brand_statement(word, signing_function(read_key(key_file), key_file), kid=key_file.stem)
