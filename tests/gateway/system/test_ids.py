"""No id is given twice, also not by a process that was forked."""

import os

from gateway.system.ids import unique_id


def test_no_id_is_given_twice() -> None:
    drawn = [unique_id() for _ in range(2_000)]
    assert len(set(drawn)) == len(drawn)
    assert all(len(one) == 16 and int(one, 16) >= 0 for one in drawn)


def test_a_forked_process_gives_other_ids() -> None:
    unique_id()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, unique_id().encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(read, 16).decode()
    os.close(read)
    os.close(write)
    assert theirs not in {unique_id() for _ in range(1_000)}
