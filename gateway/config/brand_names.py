"""The names of the two brands that are not a retailer's."""

from gateway.system.i18n import _

GUEST_BRAND_NAME = _("Guest")  # the brand of guests' passes
OWN_BRAND_NAME = _("Own parcel")  # the brand of the deliveries that the box itself announces
