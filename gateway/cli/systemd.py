"""Installs gateway and broker as services of systemd, with the units of `config/systemd`."""

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from gateway.cli.failure import Failure, failure_on
from gateway.config.samples import SAMPLES_FOLDER
from gateway.mqtt.mosquitto.accounts import LISTENERS_FILE
from gateway.system.pki.broker import CLIENTS_AUTHORITY

UNITS_FOLDER = SAMPLES_FOLDER / "systemd"
UNITS = (
    "perron.service",
    "perron-broker.service",
    "perron-broker-renew.service",
    "perron-broker-renew.timer",
    "perron-broker-accounts.service",
    "perron-broker-accounts.path",
)
STARTED_UNITS = ("perron-broker.service", "perron-broker-renew.timer", "perron-broker-accounts.path", "perron.service")
SYSTEM_FOLDER = Path("/etc/systemd/system")
HOME_FOLDER = Path("/etc/perron")  # home.yaml of a box that runs as a service
STORAGE_FOLDER = Path("/var/lib/perron/box")
BROKER_FOLDER = Path("/etc/perron-broker")
USER, BROKER_USER = "perron", "mosquitto"
_HIDDEN_FROM_SERVICES = ("/home", "/root", "/run/user")  # ProtectHome=yes of the units
COMMAND_TIMEOUT_S = 60.0


def obstacle() -> str | None:
    """Return why this process cannot install services; None: it can."""
    if not Path("/run/systemd/system").is_dir():
        return "systemd does not run here"
    if os.geteuid() != 0:
        return "only root installs services: run it with sudo"
    if not UNITS_FOLDER.is_dir():
        return f"{UNITS_FOLDER} is not there"
    if str(program_path()).startswith(_HIDDEN_FROM_SERVICES):
        return f"a service cannot run {program_path()}: install Perron in /opt/perron"
    try:
        pwd.getpwnam(BROKER_USER)
    except KeyError:
        return "mosquitto is not installed: `apt install mosquitto`"
    return None


def program_path() -> Path:
    """Return the path of the command `perron` beside the running Python."""
    return Path(sys.executable).with_name("perron")


def write_units(folder: Path, *, program: Path, home_folder: Path = HOME_FOLDER) -> None:
    """Write the units into `folder`, with the paths of this program and of the folder of home.yaml."""
    for name in UNITS:
        text = (UNITS_FOLDER / name).read_text(encoding="utf-8")
        text = text.replace("/opt/perron/.venv/bin/perron", str(program))
        text = text.replace("/etc/perron/", f"{home_folder}/").replace("=/etc/perron\n", f"={home_folder}\n")
        (folder / name).write_text(text, encoding="utf-8")


def verify_units(folder: Path) -> str:
    """Return what `systemd-analyze verify` finds wrong with the units in `folder`; empty: nothing, or it is missing."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        return ""
    done = subprocess.run(  # noqa: S603 - fixed words, and units that were just written
        [analyze, "verify", "--man=no", *(str(folder / name) for name in UNITS)],
        capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False,
    )  # fmt: skip
    return (done.stdout + done.stderr).strip() if done.returncode else ""


def make_user() -> None:
    """Create the user as whom the gateway runs, unless it exists."""
    try:
        pwd.getpwnam(USER)
    except KeyError:
        _run("useradd", "--system", "--create-home", "--home-dir", str(STORAGE_FOLDER.parent), USER)


def give_to_gateway(*paths: Path) -> None:
    """Make the gateway's user the owner of these files and folders."""
    for path in paths:
        shutil.chown(path, USER, USER)


def copy_passwords(folder: Path) -> None:
    """Copy passwords, listeners and authority of the broker into `folder`, for the gateway's user alone."""
    folder.mkdir(mode=0o700, exist_ok=True)
    give_to_gateway(folder)
    copies = {file: file.name for file in sorted(BROKER_FOLDER.glob("*.password"))}
    copies |= {BROKER_FOLDER / "mosquitto.conf": LISTENERS_FILE, BROKER_FOLDER / CLIENTS_AUTHORITY: CLIENTS_AUTHORITY}
    for file, name in copies.items():
        if not file.exists():
            continue
        copy = folder / name
        copy.unlink(missing_ok=True)
        with os.fdopen(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(file.read_bytes())
        give_to_gateway(copy)


def start(home_folder: Path) -> None:
    """Write the units, check them, and start the services now and at each boot."""
    with failure_on(OSError, f"{SYSTEM_FOLDER} cannot be written ({{why}}).", "Run this as root."):
        write_units(SYSTEM_FOLDER, program=program_path(), home_folder=home_folder)
    wrong = verify_units(SYSTEM_FOLDER)
    if wrong:
        raise Failure(f"systemd does not accept the units: {wrong}", "`perron setup --no-service` runs without them.")
    _run("systemctl", "daemon-reload")
    _run("systemctl", "enable", *STARTED_UNITS)
    _run("systemctl", "restart", *STARTED_UNITS)


def _run(*words: str) -> None:
    todo = "`perron setup --no-service` runs the box without a service."
    with failure_on((OSError, subprocess.TimeoutExpired), f"{words[0]} cannot be used ({{why}}).", todo):
        done = subprocess.run(_whole(words), capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False)  # noqa: S603 - fixed words
    if done.returncode:
        raise Failure(f"{' '.join(words)}: {(done.stderr or done.stdout).strip()}", todo)


def _whole(words: Sequence[str]) -> Sequence[str]:
    """Return the words with the path of the program (an ordinary PATH leaves /usr/sbin out)."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    return (shutil.which(words[0], path=path) or words[0], *words[1:])
