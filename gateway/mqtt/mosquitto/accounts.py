"""Accounts at the house's broker: made when a device is accepted, and what a device has to be told to use one.

The broker's files lie beside the gateway's own password where `perron setup` or `perron broker-config` wrote them as
the gateway's user. Where they belong to root (`config/systemd`), a unit of systemd writes them when home.yaml changes,
and copies the passwords, the configuration (`LISTENERS_FILE`) and the authority.
"""

import os
import secrets
from collections.abc import Collection
from pathlib import Path

from devices.vendors.definition import BrokerAccess
from gateway.config.broker_acl import account_names, bridge_topics
from gateway.config.fields import ROLE_ACCOUNTS
from gateway.config.home import Home
from gateway.mqtt.mosquitto import folder_check
from gateway.mqtt.mosquitto.provisioning import write_house
from gateway.system import mosquitto
from gateway.system.addresses import is_any_address, is_loopback_host
from gateway.system.mosquitto import BrokerListener
from gateway.system.pki.broker import CLIENTS_AUTHORITY, LOCAL_NAMES
from gateway.system.regular_file import read_text

LISTENERS_FILE = "listeners.conf"  # a copy of mosquitto.conf that is read, and never written
RETAILER_PREFIX = "retailer-"


def broker_folder(home: Home) -> Path | None:
    """Return the folder of the broker's files that this process may write; None: another user writes them."""
    file = home.broker.password_file
    if file is None:
        return None
    conf = file.parent / "mosquitto.conf"
    if not conf.exists() or folder_check.foreign_configuration(file.parent) is not None:
        return None
    return file.parent if os.access(conf, os.W_OK) and os.access(file.parent, os.W_OK) else None


def device_accounts(home: Home) -> tuple[str, ...]:
    """Return the accounts of devices and bridges: not those of the roles and of brands.

    Raises:
        AccountTaken: two parts of the house would have the same account.
    """
    names = account_names(home)
    return tuple(name for name in names if name not in ROLE_ACCOUNTS and not name.startswith(RETAILER_PREFIX))


def update_accounts(home: Home) -> bool:
    """Give each device of this house its account, and let the broker read it; False: another user writes its files.

    Passwords, listeners, names and certificate stay. A running mosquitto keeps the connections of known clients.

    Raises:
        OSError: the folder cannot be written.
        ValueError, WeakBrokerSetup: the files in it cannot be used.
    """
    folder = broker_folder(home)
    if folder is None:
        return False
    before = folder_check.read_options(folder)
    beyond = next((one for one in before.listeners if one.tls and not is_loopback_host(one.host)), None)
    write_house(
        folder, home, host=home.broker.host, port=home.broker.port, user=before.user,
        homeassistant=before.homeassistant, lan_listener=None if home.broker.tls is not None else beyond,
        names=before.names,
    )  # fmt: skip
    mosquitto.reload(folder)
    return True


def withdraw_accounts(home: Home, names: Collection[str]) -> bool:
    """End accounts that this house needs no longer; False: another user writes the broker's files.

    A later device of the same name gets another password.

    Raises:
        OSError, ValueError, WeakBrokerSetup: as `update_accounts`.
    """
    folder = broker_folder(home)
    if folder is None:
        return False
    for name in set(names) - set(account_names(home)):
        (folder / f"{name}.password").unlink(missing_ok=True)
    return update_accounts(home)


def renew_password(home: Home, account: str) -> bool:
    """Give an account another password; the broker refuses the former one. False: another user writes the files.

    Raises:
        OSError, ValueError, WeakBrokerSetup: as `update_accounts`.
    """
    folder = broker_folder(home)
    if folder is None:
        return False
    mosquitto.write_private(folder / f"{account}.password", secrets.token_urlsafe(24) + "\n")
    return update_accounts(home)


def has_password(home: Home, account: str) -> bool:
    """Return whether the account has a password at the broker, as far as this process sees."""
    file = home.broker.password_file
    return file is not None and (file.parent / f"{account}.password").exists()


def broker_access(home: Home, account: str) -> BrokerAccess:
    """Return what the device or bridge of this account has to be told: by TLS where the broker is in the network.

    Raises:
        OSError: the password or the authority cannot be read.
    """
    file = home.broker.password_file
    if file is None:
        raise FileNotFoundError(account)
    folder = file.parent
    password = read_text(folder / f"{account}.password").rstrip("\n")
    bases = bridge_topics(home).get(account)
    topic = bases[0] if bases else f"perron/{account}"
    beyond = _network_listener(folder)
    if beyond is None:
        return BrokerAccess(
            host=home.broker.host, port=home.broker.port, user=account, password=password, topic=topic
        )  # fmt: skip
    return BrokerAccess(
        host=_network_name(home, beyond), port=beyond.port, user=account, password=password, topic=topic,
        authority=read_text(folder / CLIENTS_AUTHORITY),
    )  # fmt: skip


def _network_listener(folder: Path) -> BrokerListener | None:
    for name in ("mosquitto.conf", LISTENERS_FILE):
        if (folder / name).exists():
            listeners = folder_check.configured_listeners(folder / name)
            return next((one for one in listeners if one.tls and not is_loopback_host(one.host)), None)
    return None


def _network_name(home: Home, listener: BrokerListener) -> str:
    """Return a name under which the network reaches the broker: of the pages, whose machine it shares."""
    if not is_any_address(listener.host):
        return listener.host
    names = () if home.pages is None else home.pages.names
    return next((name for name in names if name not in LOCAL_NAMES), home.broker.host)
