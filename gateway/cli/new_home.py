"""`perron new`: a house of one's own to try things in, made of `config/home.yaml`, with a key nobody else has."""

import os
import shutil
import socket
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli import keys
from gateway.cli.failure import Failure, failure_on
from gateway.cli.folder_path import check_folder_path
from gateway.cli.lines import command_line
from gateway.cli.options import cli
from gateway.cli.schema import write_for_editors
from gateway.config.devices import CameraDevice
from gateway.config.editor import SCHEMA_LINE
from gateway.config.home import Home
from gateway.config.loader import load_home_file
from gateway.config.samples import SAMPLES_FOLDER
from gateway.mqtt.mosquitto import provisioning
from gateway.system.i18n import Language, language_of
from gateway.system.mosquitto import broker_user
from gateway.web.texts.catalogue import offered

TEMPLATE_PATH = SAMPLES_FOLDER / "home.yaml"


# The owner's own words, where they read English.
ENGLISH_REPLACEMENTS = (
    ("language: fr ", "language: en "),
    ("name: La maison de la rue des Lilas", "name: The house in Lilac Street"),
    ("name: Porte d'entrée", "name: Front door"),
    ("name: Dans l'entrée", "name: In the hall"),
    ("name: Dans le frigo de la cuisine", "name: In the kitchen's fridge"),
)


@cli.example("perron new var/mine", "perron simulate --broker --home var/mine/home.yaml")
def new(folder: Annotated[Path, typer.Argument(help="Where it goes; nothing in it gets into git.")]) -> None:
    """Write a house to try things in: home.yaml, a brand's private key, the broker's accounts, a delivery."""
    home = create_home(folder, language_of(os.environ, offered("/")))
    typer.echo(f"Written: {home}, and a private key for the brand that may deliver. Run these in three terminals:")
    for words in (
        ("simulate", "--broker"),
        ("run",),
        ("retailer", "announce", "--courier", str(folder / "delivery.yaml")),
    ):
        typer.echo(f"  $ {command_line(*words, home=home)}")
    typer.echo("And to claim the box, so that its pages open:")
    typer.echo(f"  $ {command_line('claim-code', home=home)}")


def create_home(folder: Path, language: Language = "fr") -> Path:
    """Write a house into `folder`: home.yaml and its schema, keys/, accounts/, delivery.yaml; returns home.yaml.

    It differs from the template in what would keep a newcomer out: a brand's key of its own, any hour of any day, the
    machine's own word for the time, free ports where the usual ones are taken, and perhaps the `language`.
    """
    file = folder / "home.yaml"
    if not TEMPLATE_PATH.is_file():
        raise Failure(f"{TEMPLATE_PATH} is not there.", "Install Perron again: the file came with it.")
    if file.exists():
        raise Failure(f"{file} exists: a house is never written over.", "Use it with --home, or name another folder.")
    check_folder_path(folder.resolve(), "Name a shorter one, for example /tmp/house.")
    text = TEMPLATE_PATH.read_text(encoding="utf-8")
    template = load_home_file(TEMPLATE_PATH)
    with failure_on(OSError, f"{folder} cannot be written ({{why}}).", "Name another folder."):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".gitignore").write_text("*\n", encoding="utf-8")  # a private key never gets into git
        english = ENGLISH_REPLACEMENTS if language == "en" else ()
        for old, new in (*_replacements(template, folder / "keys"), *english):
            if old not in text:
                raise Failure(f"{TEMPLATE_PATH} is not the one that came with this program: {old!r} is not in it.",
                              "Put it back as it was (`git checkout config/home.yaml`).")  # fmt: skip
            text = text.replace(old, new)
        file.write_text(SCHEMA_LINE + text, encoding="utf-8")
        write_for_editors(file)
        shutil.copyfile(TEMPLATE_PATH.with_name("delivery.yaml"), folder / "delivery.yaml")
        home = load_home_file(file)
        broker = home.broker
        provisioning.write_house(folder / "accounts", home, host=broker.host, port=broker.port, user=broker_user())
    return file


def _replacements(home: Home, folder: Path) -> list[tuple[str, str]]:
    """Return the texts of the template that a new house replaces; the template's comments stay."""
    mqtt = home.broker.port
    rtsp = next(int(d.url.split(":")[2].split("/")[0]) for d in home.devices.values() if isinstance(d, CameraDevice))
    brand, section = next((id_, b) for id_, b in home.brands.items() if b.permission.state == "granted")
    key = keys.create_key(folder, section.keys[0].kid)
    return [
        (f"port: {mqtt}", f"port: {free_port_or(mqtt)}"),
        (f"127.0.0.1:{rtsp}/", f"127.0.0.1:{free_port_or(rtsp)}/"),
        *(() if home.pages is None else [(f"port: {home.pages.port} ", f"port: {free_port_or(home.pages.port)} ")]),
        ("source: ntp                     # the gateway trusts the time once the kernel reports it as synchronised",
         "source: host                    # for trials: the machine's clock is trusted; a real house has ntp"),
        ("folder: ../var", "folder: box"),
        (section.keys[0].x, key.public.text),
        ("days: [mon, tue, wed, thu, fri, sat]", "days: [mon, tue, wed, thu, fri, sat, sun]"),
        (f"hours: {section.permission.hours}", "hours: 00:00-24:00"),
        ("# The private keys of these two do not exist any more. `perron demo` and `perron new` make their own.",
         f"# The private key of {brand} is in keys/; that of the other brand does not exist any more."),
    ]  # fmt: skip


def free_port_or(port: int) -> int:
    """Return the usual port of 127.0.0.1, or a free one if another program uses it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return provisioning.free_port()
    return port
