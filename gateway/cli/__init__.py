"""The `perron` command, one module a field. `gateway/__main__.py` says which module has which command.

A function that cannot do its work raises `Failure`, which says what is wrong and what the person can do.
"""
