"""Whether another package or module hides one of ours: somebody's own `db` in the folder of their script."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

#: Packages that are installed beside `docmill`.
PACKAGES = ("db", "readers", "nlp_tasks", "workers", "scheduler")


def check() -> None:
    """ImportError that names the folder if one of our packages would be imported from somewhere else."""
    ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 (pathlib is slower)
    for package in PACKAGES:
        found = _origin(package)
        if found is not None and not _is_same(found, os.path.join(ours, package, "__init__.py")):  # noqa: PTH118
            raise ImportError(
                f"{found} hides docmill's own package {package!r}, which is in {ours}: rename yours, or run Python "
                f"with -P (PYTHONSAFEPATH=1) so that its folder is not searched first",
                name=package,
                path=found,
            )


def _origin(package: str) -> str | None:
    """The file that `import package` would run, or has run; None if there is none."""
    if package in sys.modules:
        return getattr(sys.modules[package], "__file__", None)
    spec = find_spec(package)
    return spec.origin if spec is not None else None


def _is_same(found: str, ours: str) -> bool:
    return found == ours or os.path.realpath(found) == os.path.realpath(ours)
