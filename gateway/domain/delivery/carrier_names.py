"""The carriers that Perron knows by name, and the one id under which the spellings of a name are compared.

An owner permits `DHL`, and a retailer writes `dhl` or `DHL Paket`: all three have the id `dhl`. A carrier that is not
in the list is compared by its folded name, so that case, accents, spaces and punctuation never matter.
"""

import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from gateway.domain.frozen import Frozen

MAX_CACHED_NAMES = 1024


class Carrier(Frozen, kw_only=False):
    """A carrier: its id, the name that people read, and further names for the same carrier."""

    id: str
    name: str
    aliases: tuple[str, ...] = ()


CARRIERS: tuple[Carrier, ...] = (
    Carrier("amazon", "Amazon", ("Amazon Logistics", "Amazon Shipping", "AMZL")),
    Carrier("bpost", "bpost", ("bpack", "Belgian Post")),
    Carrier("chronopost", "Chronopost", ("Chronopost France", "Chronopost International", "La Poste Chronopost")),
    Carrier("colis_prive", "Colis Privé"),
    Carrier("colissimo", "Colissimo", ("La Poste Colissimo", "Colissimo La Poste")),
    Carrier("deutsche_post", "Deutsche Post"),
    Carrier("dhl", "DHL", ("DHL Paket", "DHL Parcel", "DHL Germany")),
    Carrier("dhl_ecommerce", "DHL eCommerce"),
    Carrier("dhl_express", "DHL Express"),
    Carrier("dpd", "DPD", ("DPD France", "DPD Germany", "DPD UK")),
    Carrier("evri", "Evri", ("Hermes UK", "myHermes")),
    Carrier("fedex", "FedEx", ("Federal Express", "FedEx Express", "FedEx Ground", "FedEx Home Delivery")),
    Carrier("gls", "GLS", ("General Logistics Systems", "GLS France", "GLS Germany")),
    Carrier("hermes", "Hermes", ("Hermes Germany",)),
    Carrier("inpost", "InPost"),
    Carrier("laposte", "La Poste", ("La Poste France", "Lettre suivie")),
    Carrier("mondial_relay", "Mondial Relay"),
    Carrier("parcelforce", "Parcelforce", ("Parcelforce Worldwide",)),
    Carrier("postnl", "PostNL", ("Post NL",)),
    Carrier("relais_colis", "Relais Colis"),
    Carrier("royal_mail", "Royal Mail", ("Royal Mail Group",)),
    Carrier("tnt", "TNT", ("TNT Express",)),
    Carrier("ups", "UPS", ("United Parcel Service",)),
    Carrier("usps", "USPS", ("United States Postal Service", "US Mail")),
)
"""The list of `GET /v1/carriers`. Two services stand apart (DHL, DHL Express) where other couriers bring them."""


def _fold(name: str) -> str:
    """Return the letters and digits of a name without case and accents; a name without any stays as it is."""
    plain = "".join(char for char in unicodedata.normalize("NFKD", name.casefold()) if char.isalnum())
    return plain or name


_IDS = {_fold(name): carrier.id for carrier in CARRIERS for name in (carrier.id, carrier.name, *carrier.aliases)}


@lru_cache(maxsize=MAX_CACHED_NAMES)
def carrier_id(name: str) -> str:
    """Return the id by which carriers are compared: of a carrier in the list its id, of another its folded name."""
    folded = _fold(name)
    return _IDS.get(folded, folded)


def carrier_ids(names: Iterable[str]) -> frozenset[str]:
    """Return the ids of several names."""
    return frozenset(map(carrier_id, names))


def same_carrier(name: str, among: Iterable[str]) -> str | None:
    """Return how this carrier is written among these names; None: it is not among them."""
    wanted = carrier_id(name)
    written = [other for other in among if carrier_id(other) == wanted]
    return name if name in written else min(written, default=None)
