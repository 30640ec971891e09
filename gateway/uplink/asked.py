"""A brand asks, by the hub, to be let in. Pure.

The hub vouches for nobody, so only a brand is answered that this house knows already, and that shows a key which the
house has enrolled for it and trusts. Then it is told what the owner has decided, and each later decision. Who is
unknown here is refused: nothing is shown to the owner, nothing is stored.
"""

from collections.abc import Mapping
from typing import Final

from gateway.config import Brand
from gateway.hub.asking import Asking

NO_QUESTION: Final = "it is no question that this box understands"
ANOTHER_HOME: Final = "it is meant for another home"
UNKNOWN: Final = "this house has no brand that shows such a key"


def objection(asking: Asking | None, home: str, brands: Mapping[str, Brand], trusted: frozenset[str]) -> str | None:
    """Tell why a question is not answered; None: it is.

    `home`: this house's name at the hub. `trusted`: the public keys that the house trusts.
    """
    if asking is None:
        return NO_QUESTION
    if asking.home != home:
        return ANOTHER_HOME
    brand = brands.get(asking.brand)
    enrolled = frozenset() if brand is None else {key.x for key in brand.keys}
    if not enrolled & trusted & {key.x for key in asking.keys}:
        return UNKNOWN
    return None
