"""What a brand says of itself by the hub: that it asks, that it has another key, that it took one back. Pure.

The hub vouches for nobody. A brand that this house knows shows a key of its own; what is more than the showing of a
public key, its own key has signed. A brand that nobody knows here signs its question by the key that it brings: so
nobody on the way can alter what it asks or add a key to it. Who it is the owner decides, to whom all of it is shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

from joserfc.errors import JoseError

from gateway.protocol.brand_statement import EARLY, LONGEST, Asks, Ends, Vouches, heard
from gateway.protocol.consent_request import AskedKey, AskedTerms, Asking
from gateway.protocol.jws import Key, public_key, public_x

NO_QUESTION: Final = "it is no question that this box understands"
ANOTHER_HOME: Final = "it is meant for another home"
UNKNOWN: Final = "this house has no brand that shows such a key"
UNSIGNED: Final = "the question is not signed by a key of the brand"
OVER: Final = "the question has expired"
NOT_YET: Final = "the box does not know the time, or the question is not valid yet"

PATIENCE = timedelta(days=7)  # for the owner's answer, however long the hub would wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A brand asks. `signed`: by its own key; if not it has none, and only the hub says all this.

    `token`: the question's name for ever, a SHA-256. `keys`: the key that signed, and those for which it vouches.
    """

    name: str
    connection: str
    asked: AskedTerms
    expires: datetime
    token: bytes
    signed: bool
    keys: tuple[AskedKey, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What came, believed as far as it can be. `known`: the house recognised the brand by a key that it has.

    `connection`: it asks, as what the hub calls so. `keys`: public keys of a known brand for which one that counts
    vouches. `withdrawn`: those that it took back. `ended`: the connection of which the brand wants no more; it gives
    nothing, so the hub's word is enough, and `end_signed` tells whether the brand said it itself.
    """

    brand: str
    hub: str
    known: bool
    connection: str | None = None
    question: Question | None = None
    keys: tuple[AskedKey, ...] = ()
    withdrawn: tuple[str, ...] = ()
    ended: str | None = None
    end_signed: bool = False


def read(
    asking: Asking | None, *, home: str, hub: str, recognised: Mapping[str, str] | None, utc: datetime
) -> Heard | str:
    """Read what a hub brought for a brand, or tell why it is not answered.

    `home`: this house's name at the hub, whose address is `hub`. `recognised`: the keys by `kid` by which the brand is
    known here; None: nobody knows it.
    """
    if asking is None:
        return NO_QUESTION
    if asking.home != home:
        return ANOTHER_HOME
    return _stranger(asking, hub, utc) if recognised is None else _known(asking, hub, recognised, utc)


def _known(asking: Asking, hub: str, recognised: Mapping[str, str], utc: datetime) -> Heard | str:
    own = _keys(asking.brand, recognised)
    ended = None if asking.ended is None else heard(asking.ended, Ends, own, hub=hub)
    question: Question | str | None = None
    if asking.signed is not None:
        question = _signed(asking, own, hub, utc)
    elif recognised or asking.keys:
        shows = {key.x for key in asking.keys} & set(recognised.values())
        if not shows and asking.ends is None and not _takes_back(asking, recognised):
            return UNKNOWN
    else:
        question = _keyless(asking, utc)
    if isinstance(question, str):
        return question
    return Heard(
        brand=asking.brand, hub=hub, known=True, connection=asking.connection, question=question,
        keys=tuple(key for key in _vouched(asking, own, hub) if key.x not in recognised.values()),
        withdrawn=asking.withdrawn, ended=asking.ends,
        end_signed=ended is not None and ended[0].connection == asking.ends,
    )  # fmt: skip


def _takes_back(asking: Asking, recognised: Mapping[str, str]) -> bool:
    """Whether it takes a key of the brand back: that costs trust and gives none, so nothing else need be shown."""
    return bool(set(asking.withdrawn) & set(recognised.values()))


def _stranger(asking: Asking, hub: str, utc: datetime) -> Heard | str:
    if asking.connection is None:
        return UNKNOWN
    if asking.signed is None:
        question = UNSIGNED if asking.keys else _keyless(asking, utc)
    else:
        question = _signed(asking, _keys(asking.brand, {key.kid: key.x for key in asking.keys}), hub, utc)
    if isinstance(question, str):
        return question
    if question is None:
        return UNKNOWN
    return Heard(brand=asking.brand, hub=hub, known=False, connection=asking.connection, question=question)


def _signed(asking: Asking, keys: Mapping[str, Key], hub: str, utc: datetime) -> Question | str:
    token = asking.signed or ""
    found = heard(token, Asks, keys, hub=hub)
    if found is None or asking.connection is None:
        return UNSIGNED
    word, key = found
    seconds = utc.timestamp()
    if not 0 < word.exp - word.iat <= LONGEST or word.exp <= seconds:
        return OVER
    if word.iat > seconds + EARLY:
        return NOT_YET
    kid = next(name for name, one in keys.items() if one is key)
    signer = AskedKey(kid=kid, x=public_x(key.public))
    expires = datetime.fromtimestamp(word.exp, UTC)
    return Question(
        name=word.name, connection=asking.connection, asked=word.asked, expires=_until(asking, expires, utc),
        token=sha256(token.encode()).digest(), signed=True, keys=(signer, *_vouched(asking, {kid: key}, hub)),
    )  # fmt: skip


def _keyless(asking: Asking, utc: datetime) -> Question | None:
    """A brand without keys, which can only come if the hub may sign for it: the hub's word is all that there is."""
    if asking.connection is None or asking.asked is None or not asking.asked.hub_signed:
        return None
    said = f"{asking.hub}\n{asking.brand}\n{asking.connection}"
    return Question(
        name=asking.name, connection=asking.connection, asked=asking.asked, token=sha256(said.encode()).digest(),
        signed=False, keys=(), expires=_until(asking, utc + PATIENCE, utc),
    )  # fmt: skip


def _until(asking: Asking, most: datetime, utc: datetime) -> datetime:
    return min(filter(None, (asking.expires, most, utc + PATIENCE)))


def _vouched(asking: Asking, own: Mapping[str, Key], hub: str) -> tuple[AskedKey, ...]:
    """The keys for which one of these vouches, or one for which one of these vouches, and so on."""
    found: dict[str, AskedKey] = {}
    believed = dict(own)
    grows = True
    while grows:
        grows = False
        for key in asking.keys:
            if key.kid in believed or key.vouched is None:
                continue
            word = heard(key.vouched, Vouches, believed, hub=hub)
            if word is not None and (word[0].kid, word[0].x) == (key.kid, key.x):
                believed |= _keys(asking.brand, {key.kid: key.x})
                if key.kid in believed:
                    found[key.kid] = AskedKey(kid=key.kid, x=key.x)
                    grows = True
    return tuple(found.values())


def _keys(brand: str, publics: Mapping[str, str]) -> dict[str, Key]:
    keys = {}
    for kid, x in publics.items():
        try:
            keys[kid] = Key(brand, public_key(x))
        except (JoseError, ValueError):  # no point of the curve: it verifies nothing
            continue
    return keys
