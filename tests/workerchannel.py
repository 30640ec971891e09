"""What execnet runs in a worker that was forked: gives it the channel to the process that gives out the tests."""

from tests import forkedworkers

if __name__ == "__channelexec__":
    forkedworkers.work_through(globals()["channel"])  # execnet puts it there
