"""`perron broker-config`: writes what mosquitto needs, for the house or for the radio beside it."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.failure import Failure, home_of, plain
from gateway.cli.shape import HOME, HomeFile, example, tell


def broker_config(  # noqa: PLR0913 - one argument an option of the command
    folder: Annotated[Path, typer.Argument(help="Where the broker's files and the passwords go.")],
    *,
    home: HomeFile = HOME,
    listen: Annotated[str | None, typer.Option(help="The address to listen on; broker.host if left out.")] = None,
    homeassistant: Annotated[
        bool, typer.Option("--homeassistant", help="An account for the owner's Home Assistant too.")
    ] = False,
    radio: Annotated[
        bool, typer.Option("--radio", help="The radio's own broker instead: guard and bridge, on 127.0.0.1 alone.")
    ] = False,
    base: Annotated[str, typer.Option(help="With --radio: the base topic of the radio's bridge.")] = "zigbee2mqtt",
    port: Annotated[int, typer.Option(help="With --radio: the port on 127.0.0.1.", min=1, max=65535)] = 1884,
) -> None:
    """Write what mosquitto needs for this house: configuration, access list, an account a device. Keeps passwords."""
    from gateway.accesslist import NameTaken  # noqa: PLC0415 - the other commands start without it
    from gateway.broker import broker_user, write, write_radio  # noqa: PLC0415 - the same

    try:
        if radio:
            write_radio(folder, port=port, base=base_topic(base), user=broker_user())
            return _tell_radio(folder, port, base)
        house = home_of(home)
        write(folder, house, host=listen or house.broker.host, port=house.broker.port, user=broker_user(),
              homeassistant=homeassistant)  # fmt: skip
    except NameTaken as taken:
        raise Failure(f"{home}: {taken}.", "Correct the file, then try again.") from taken
    except OSError as error:
        raise Failure(f"{folder} cannot be written ({plain(error)}).", "Name another folder.") from error
    tell(f"Written to {folder}: mosquitto.conf, access, passwords, and a .password file for every account.")
    return None


def base_topic(text: str) -> str:
    """Take a base topic that is one.

    Raises:
        Failure: it has wildcards, is empty, or is ours.
    """
    words = text.split("/")
    if not all(words) or set(text) & set("+#$ \t\r\n\0") or not text.isprintable() or words[0] == "perron":
        raise Failure(f"{text!r} is no base topic of a radio.", "Write it as the bridge's own settings do: zigbee2mqtt")
    return text


def _tell_radio(folder: Path, port: int, base: str) -> None:
    tell(f"Written to {folder}: mosquitto.conf, access, passwords, guard.password and bridge.password.")
    tell(f"Start it beside the radio: `mosquitto -c {folder}/mosquitto.conf`. It listens on 127.0.0.1:{port} alone.")
    tell(f"The radio's bridge ({base}) logs in there as `bridge`, `perron guard` as `guard`, and nobody else.")


def add(cli: typer.Typer) -> None:
    """Add the command."""
    cli.command(
        name="broker-config",
        epilog=example(
            "perron broker-config config/accounts",
            "mosquitto -c config/accounts/mosquitto.conf",
            "perron broker-config /etc/perron/radio --radio --base zigbee2mqtt --port 1884",
        ),
    )(broker_config)
