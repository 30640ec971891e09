"""Names the brands that stand for no retailer."""

from gateway.system.i18n import _

GUEST_BRAND_NAME = _("Guest")  # of passes
OWN_BRAND_NAME = _("Own parcel")  # of the brand of the box's own promises
