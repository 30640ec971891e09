"""Registers a made-up vendor and serves a home with a lock of it.

`test_new_vendor.py` runs this as a process of its own, because a model reads the table of vendors when it is defined.
"""

import sys
from pathlib import Path
from types import MappingProxyType

import devices.vendors as table
from devices.vendors.definition import Vendor
from tests.devices.vendors import acme

if __name__ == "__main__":
    vendor: Vendor = acme
    # The vendor's line in the table, before anything else reads it.
    vars(table)["VENDORS"] = MappingProxyType({**table.VENDORS, vendor.DEFINITION.name: vendor})

    from tests.devices.vendors.served_vendor import check_all

    check_all(Path(sys.argv[1]))
