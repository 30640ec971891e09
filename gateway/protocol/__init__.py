"""The messages that box, hub, retailer, browser and guard exchange: signed, sealed or plain."""
