"""Programs that read the hub's OpenAPI document as retailers have them, set up by `make build/generators/ready`."""

import asyncio
import os
import shutil
import tarfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
GENERATORS = ROOT / "build" / "generators"
NODE_MODULES, VENV = GENERATORS / "node_modules", GENERATORS / "venv"
TYPESCRIPT_SDK = ROOT / "gateway" / "hub" / "sdk" / "typescript"
_TIMEOUT_S = 120.0
_COMPILER_OPTIONS = (
    "--strict", "--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes", "--target", "ES2022",
    "--module", "NodeNext", "--types", "node", "--outDir", "out",
)  # fmt: skip


async def run(*command: str | Path, folder: Path, **environment: str) -> str:
    """Run a program that ends well, and return what it prints."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    printed, _ = await asyncio.wait_for(process.communicate(), _TIMEOUT_S)
    assert process.returncode == 0, f"{command}\n{printed.decode()[-6000:]}"
    return printed.decode()


def npm_program(name: str) -> Path:
    """Return a program of an npm package."""
    return _installed(NODE_MODULES / ".bin" / name)


def python_program(name: str) -> Path:
    """Return a program of a Python package."""
    return _installed(VENV / "bin" / name)


def _installed(program: Path) -> Path:
    assert program.exists(), f"{program} is missing: run `make build/generators/ready`"
    return program


async def install_typescript_sdk(folder: Path) -> None:
    """Pack the SDK as `npm pack` does, and install it in a folder, as `npm install` would from a registry."""
    source = folder / "source"
    shutil.copytree(TYPESCRIPT_SDK, source, ignore=shutil.ignore_patterns("dist", "node_modules"))
    (source / "node_modules").symlink_to(NODE_MODULES)
    path = f"{NODE_MODULES / '.bin'}:{os.environ['PATH']}"
    command = ("npm", "pack", "--silent", "--pack-destination", folder)
    packed = await run(*command, folder=source, PATH=path, npm_config_update_notifier="false")
    modules = folder / "node_modules"
    modules.mkdir()
    for other in NODE_MODULES.iterdir():
        (modules / other.name).symlink_to(other)
    with tarfile.open(folder / packed.splitlines()[-1]) as archive:
        archive.extractall(folder, filter="data")
    (folder / "package").rename(modules / "perron-sdk")
    shutil.rmtree(source)
    (folder / "package.json").write_text('{"type": "module"}')


async def compile_typescript(folder: Path, *files: str) -> None:
    """Compile files of a folder strictly, to JavaScript in its folder `out`."""
    await run(npm_program("tsc"), *_COMPILER_OPTIONS, *files, folder=folder)
