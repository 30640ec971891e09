"""Makes the Jinja environment of a package's HTML templates, with the same strict settings for each package."""

from collections.abc import Callable

from jinja2 import Environment, PackageLoader, StrictUndefined


def html_environment(package: str, *, finalize: Callable[..., object] | None = None) -> Environment:
    """Return the environment of the folder `templates` of a package.

    It escapes every value, raises `jinja2.UndefinedError` for an unknown name, and translates by `gettext` and its
    relatives, which the caller passes when it renders. `finalize` changes each value before it is written.
    """
    return Environment(
        loader=PackageLoader(package), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, auto_reload=False, extensions=["jinja2.ext.i18n"], finalize=finalize,
    )  # fmt: skip
