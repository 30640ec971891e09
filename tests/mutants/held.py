"""Faults in the rule that only one video process films in a folder, and only while a gateway can find it there."""

from tests.mutants.mutant import Mutant

HELD = "tests/gateway/video/test_held_folder.py"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="a video process removes a socket at its path that another process made",
        file="gateway/video/held_folder.py",
        old="            if self._is_own(path):\n",
        new="            if path.exists():\n",
        tests=(f"{HELD}::test_only_its_own_files_are_removed",),
    ),
    Mutant(
        name="a video process removes a pid file of another process",
        file="gateway/video/held_folder.py",
        old="            if is_same and self._pid_file.read_bytes() == _pid_line():\n",
        new="            if is_same or self._pid_file.exists():\n",
        tests=(f"{HELD}::test_a_pid_file_with_another_pid_stays",),
    ),
    Mutant(
        name="a video process recovers films that another one still writes",
        file="gateway/video/held_folder.py",
        old="            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)\n",
        new="            os.fstat(self._handle)\n",
        tests=(f"{HELD}::test_a_second_process_recovers_nothing_before_the_first_has_ended",),
    ),
    Mutant(
        name="a video process films on in a folder that was moved or deleted",
        file="gateway/video/process.py",
        old=("                check_at = now + PLACE_CHECK_INTERVAL_S\n                self._end_if_lost(held)\n"),
        new="                check_at = now + PLACE_CHECK_INTERVAL_S\n",
        tests=(f"{HELD}::test_a_process_whose_folder_was_moved_aside_ends_and_leaves_the_next_ones_socket_alone",),
    ),
    Mutant(
        name="films are named by a path at which another folder may lie by now",
        file="gateway/video/held_folder.py",
        old='        self.pinned = Path(f"/proc/self/fd/{self._handle}")\n',
        new="        self.pinned = path\n",
        tests=(f"{HELD}::test_its_films_are_closed_in_the_folder_that_was_moved_and_none_begins_at_the_old_path",),
    ),
    Mutant(
        name="a wipe leaves the video process filming",
        file="gateway/runtime/maintenance/factory_reset.py",
        old="    end_by_socket(folder / VIDEO_SOCKET)\n",
        new="",
        tests=(f"{HELD}::test_a_wipe_ends_the_process_before_it_deletes",),
    ),
)
