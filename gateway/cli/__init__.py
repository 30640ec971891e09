"""The `perron` command, one module a field. `gateway/__main__.py` names the commands and their options.

A function that cannot do its work raises `Failure`, which says what is wrong and what the person can do.

Exit codes: 0 done; 1 the answer is no (refused, red, the proof does not hold); 2 the command or a file is wrong; 3 the
world did not answer (no broker, no gateway, no house).
"""
