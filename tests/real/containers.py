"""Builds and runs images with podman: no Docker engine, no image registry, a base image that debootstrap made.

Root only. What is built stays under `build/containers`, so that the next run is quick. Containers run in a network
namespace of their own: its loopback has every port free, and nothing leaves it.
"""

import os
import resource
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "containers"
BASE_IMAGE = "localhost/debian-base:trixie"
BUILD_TIMEOUT_S = 1200.0
COMMAND_TIMEOUT_S = 120.0
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")  # of this machine, which pip in the build trusts too


class Engine:
    """Podman with storage and settings of its own. `namespace`: the process whose network it uses (None: this one)."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self.namespace: int | None = None
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "storage.conf").write_text(
            f'[storage]\ndriver = "overlay"\ngraphroot = "{folder}/images"\nrunroot = "{folder}/run"\n',
            encoding="utf-8",
        )
        # runc: crun refuses the hybrid cgroups of some machines
        (folder / "containers.conf").write_text(
            '[containers]\ndefault_ulimits = []\n[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\n'
            'events_logger = "file"\n',
            encoding="utf-8",
        )
        (folder / "pip.conf").write_text("[global]\ncert = /run/authorities.crt\n", encoding="utf-8")

    def run(self, *words: str, cwd: Path = ROOT, timeout: float = COMMAND_TIMEOUT_S) -> str:
        """Run a command that may use podman; return its output. AssertionError: it failed, with what it printed."""
        inside = () if self.namespace is None else ("nsenter", "--net", "--target", str(self.namespace), "--")
        environment = {
            **os.environ,
            "CONTAINERS_CONF": str(self._folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self._folder / "storage.conf"),
            "PODMAN_IGNORE_CGROUPSV1_WARNING": "1",
        }
        done = subprocess.run(
            [*inside, *words], cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=timeout, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{' '.join(words)}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout

    def make_base(self) -> None:
        """Import a minimal Debian as the base image, unless it is there."""
        if BASE_IMAGE in self.run("podman", "images", "--format", "{{.Repository}}:{{.Tag}}"):
            return
        system = self._folder / "debian"
        shutil.rmtree(system, ignore_errors=True)
        self.run("debootstrap", "--variant=minbase", "trixie", str(system), timeout=BUILD_TIMEOUT_S)
        packed = self._folder / "debian.tar"
        with tarfile.open(packed, "w") as tar:
            tar.add(system, ".")
        self.run("podman", "import", str(packed), BASE_IMAGE, timeout=BUILD_TIMEOUT_S)
        packed.unlink()
        shutil.rmtree(system)

    def build(self, folder: Path, tag: str, base_argument: str, *, file: Path | None = None) -> None:
        """Build the Dockerfile of a folder (or `file`) on the base image, whose name it has as this argument."""
        limits = [
            f"--ulimit={name}={resource.getrlimit(kind)[1]}:{resource.getrlimit(kind)[1]}"
            for name, kind in (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC))
        ]
        self.run(
            "podman", "build", "--isolation=chroot", "--network=host", *limits,
            f"--volume={self._folder / 'pip.conf'}:/etc/pip.conf:ro", f"--volume={AUTHORITIES}:/run/authorities.crt:ro",
            f"--build-arg={base_argument}={BASE_IMAGE}", f"--tag={tag}",
            f"--file={file or folder / 'Dockerfile'}", str(folder),
            timeout=BUILD_TIMEOUT_S,
        )  # fmt: skip

    @contextmanager
    def network(self) -> Iterator[None]:
        """Run what follows in a network of its own, which has a loopback and nothing else."""
        with subprocess.Popen(["unshare", "--net", "sleep", "infinity"]) as holder:  # noqa: S607 - wherever it is
            try:
                while Path(f"/proc/{holder.pid}/ns/net").readlink() == Path("/proc/self/ns/net").readlink():
                    assert holder.poll() is None
                self.namespace = holder.pid
                self.run("ip", "link", "set", "lo", "up")
                yield
            finally:
                self.namespace = None
                holder.kill()
