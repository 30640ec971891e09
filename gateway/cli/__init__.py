"""The `perron` command, one module a field. `gateway/__main__.py` puts their commands together.

A function that cannot do its work raises `Failure`, which says what is wrong and what the person can do.
"""
