"""A brand's signing keys on this machine, and what they sign: to try things, never for a retailer's real promises."""

import json
import os
import re
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from pydantic import ValidationError

from gateway.cli.failure import Failure, failure_on, invalid_fields, read_yaml_file
from gateway.config.home import Home
from gateway.protocol.consent_request import AskedTerms
from gateway.protocol.ed25519 import SigningKey

NEW_KEY_HINT = (
    "`perron retailer announce --new-key my-key` makes one (the name is your choice) and tells the lines for home.yaml."
)


def check_kid(kid: str) -> str:
    """Return `kid`; refuse one that cannot be a key's name, and so a file's."""
    if re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}", kid) is None:
        raise Failure(f"{kid!r} is no key's name.", "Take 1 to 64 of A-Z, a-z, 0-9, point, _ and -, no point first.")
    return kid


def key_file_path(folder: Path, kid: str) -> Path:
    """Return the path of the private key's file."""
    return folder / f"{kid}.jwk"


def create_key(folder: Path, kid: str) -> SigningKey:
    """Create a key pair and store its private key, readable by its owner only; refuse a name that is taken."""
    key = SigningKey.generate()
    file = key_file_path(folder, kid)
    with (
        failure_on(OSError, f"{file} cannot be written ({{why}}).", "Name another folder with --keys."),
        failure_on(FileExistsError, f"{file} exists: a key is never written over.", "Take another kid."),
    ):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_new_secret(file, json.dumps(key.jwk.as_dict(private=True)))
    return key


def write_new_secret(file: Path, line: str) -> None:
    """Write a line to a new file that only its owner can read; `FileExistsError` if it exists."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        out.write(line + "\n")


def home_yaml_lines(kid: str, key: SigningKey) -> str:
    """Return the lines for `home.yaml`, under the brand's `keys:`."""
    return f"      - kid: {kid}\n        x: {key.public.text}\n"


def find_key(home: Home, folder: Path, brand: str | None) -> tuple[str, str, SigningKey]:
    """Return the brand whose private key lies in `folder` and whose public key is enrolled: brand, kid, key."""
    if brand is not None and brand not in home.brands:
        raise Failure(f"home.yaml knows no brand {brand!r}. Known: {', '.join(home.brands) or 'none'}.", "Name one.")
    brands = home.brands if brand is None else {brand: home.brands[brand]}
    enrolled = [
        (id_, key) for id_, section in brands.items() for key in section.keys if key_file_path(folder, key.kid).exists()
    ]
    if not enrolled:
        raise Failure(f"{folder} holds no private key of {' or '.join(brands) or 'any brand'}.", NEW_KEY_HINT)
    if len({id_ for id_, _ in enrolled}) > 1:
        raise Failure(f"There are keys of several brands: {', '.join(id_ for id_, _ in enrolled)}.", "Say --brand.")
    id_, section_key = enrolled[-1]
    file = key_file_path(folder, section_key.kid)
    key = read_key(file)
    if key.public.text != section_key.x:
        what = f"{file} is another key than the one enrolled as {section_key.kid} of {id_} in home.yaml."
        raise Failure(what, NEW_KEY_HINT)
    return id_, section_key.kid, key


def read_key(file: Path) -> SigningKey:
    """Read a private key."""
    with failure_on((OSError, ValueError, JoseError), f"{file} holds no Ed25519 key ({{why}}).", NEW_KEY_HINT):
        private = OKPKey.import_key(json.loads(file.read_text(encoding="utf-8"))).private_key
    if not isinstance(private, Ed25519PrivateKey):
        raise Failure(f"{file} holds no private Ed25519 key.", NEW_KEY_HINT)
    return SigningKey(private)


def read_terms(file: Path) -> AskedTerms:
    """Read the requested terms."""
    terms = read_yaml_file(file, "Name a file with the terms.")
    try:
        return AskedTerms.model_validate_json(json.dumps(terms))
    except ValidationError as error:
        todo = "See the example in `perron retailer connect --help`."
        raise Failure(f"{file}: {invalid_fields(error)[0]}.", todo) from error
