"""The configuration of a house: the models of `home.yaml`, loader, validation, editor, topics and access list."""
