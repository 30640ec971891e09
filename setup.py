"""Compiles the catalogues of `gateway/locale` at install, and packs the sample files; else see pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithTexts(build_py):
    """Makes the `.mo` files, which are package data, before the package's files are gathered.

    A wheel gets a copy of the sample files, which a checkout has in `config/` (gateway/config/samples.py).
    """

    def run(self) -> None:
        """Run Babel's `compile_catalog` (its options: pyproject.toml, `tool.distutils`), then build as ever."""
        self.run_command("compile_catalog")
        super().run()
        if not self.editable_mode:
            samples, packed = Path("config"), Path(self.build_lib, "gateway", "config", "samples")
            for name in ("home.yaml", "house.yaml", "delivery.yaml", "systemd"):
                target = packed / name
                target.parent.mkdir(parents=True, exist_ok=True)
                if (samples / name).is_dir():
                    shutil.copytree(samples / name, target, dirs_exist_ok=True)
                else:
                    shutil.copyfile(samples / name, target)


setup(cmdclass={"build_py": BuildWithTexts})
