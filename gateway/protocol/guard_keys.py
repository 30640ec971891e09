"""Makes and loads the private keys with which gateway and guard sign their messages.

The gateway's command key is separate from the box's key. So it can be renewed without affecting any proof, and nothing
else that the box signs can be used as a command.
"""

import stat
from pathlib import Path

from joserfc.jwk import OKPKey

from gateway.protocol.keys import MAX_PEM_BYTES, BoxKey, KeyUnusable, parse_private_key
from gateway.system.atomic_file import read_regular, write_whole

COMMAND_KEY_FILE = "command.key.pem"  # the gateway's, in the box's folder of keys


def renew_command_key(folder: Path) -> OKPKey:
    """Replace the gateway's key by a new one. A running gateway signs with the old one until it ends.

    Raises:
        OSError: the folder cannot be written.
    """
    (folder / COMMAND_KEY_FILE).unlink(missing_ok=True)
    return create_key(folder / COMMAND_KEY_FILE)


def command_key(folder: Path) -> OKPKey:
    """Load the gateway's key from the box's folder of keys, or make and store it there.

    Raises:
        KeyUnusable: the file is damaged, or others may read it.
        OSError: the folder cannot be read or written.
    """
    path = folder / COMMAND_KEY_FILE
    return load_key(path) if path.exists() else create_key(path)


def create_key(path: Path) -> OKPKey:
    """Make a key and store it, readable by its owner only.

    Raises:
        OSError: the file cannot be written, or exists already.
    """
    if path.exists():
        raise FileExistsError(17, "a key lies there already: it is not overwritten", str(path))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(path, BoxKey.generate().pem)
    return load_key(path)


def load_key(path: Path) -> OKPKey:
    """Load a private key.

    Raises:
        KeyUnusable: the file is damaged, not an Ed25519 key, or others may read it.
        OSError: the file cannot be read.
    """
    pem = read_regular(path, at_most=MAX_PEM_BYTES)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise KeyUnusable(f"{path} can be read by others: make a new key, or chmod 600 if you trust them")
    return OKPKey.import_key(parse_private_key(str(path), pem))
