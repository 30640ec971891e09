"""Says where the sample files are: `config/` of a clone, or the copy of it in an installed package (setup.py)."""

from pathlib import Path

_PACKAGED = Path(__file__).with_name("samples")
SAMPLES_FOLDER = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).parents[2] / "config"
"""The folder of home.yaml, house.yaml, delivery.yaml and the units of systemd."""
