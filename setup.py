"""Compiles the catalogues of `gateway/locale` at install; everything else is in pyproject.toml."""

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithTexts(build_py):
    """Makes the `.mo` files, which are package data, before the package's files are gathered."""

    def run(self) -> None:
        """Run Babel's `compile_catalog` (its options: pyproject.toml, `tool.distutils`), then build as ever."""
        self.run_command("compile_catalog")
        super().run()


setup(cmdclass={"build_py": BuildWithTexts})
