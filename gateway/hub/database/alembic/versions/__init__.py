"""One file for each change of the tables, numbered: `v0009_what_it_does.py` has the revision "0009".

A revision uses nothing of `tables.py`, which changes later. 0001 to 0008 are the versions of hubs before Alembic, which
wrote them in the table `about`; their databases of one version differ, so those revisions add what is missing.
"""
