"""The check of what `docmill up` serves on this machine: the pages and Flower."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator

from docmill.doctor.findings import Finding
from docmill.local import addresses
from workers.settings import Settings

#: What each answers without a password.
_HEALTH = {"pages": "health", "flower": "healthcheck"}
SECONDS = 5.0


def findings(now_settings: Settings) -> Iterator[Finding]:
    """One for each server of the `docmill up` that runs in this home; none if it does not run."""
    for name, url in addresses.of_up(now_settings.home_path).items():
        why = _why_not(f"{url.rstrip('/')}/{_HEALTH[name]}")
        if why is None:
            yield Finding(name, True, url)
        else:
            log = now_settings.home_path / "logs" / f"{name}.log"
            yield Finding(
                name, False, f"{url} does not answer: {why}", f"see {log}; `docmill up` restarts it"
            )


def _why_not(url: str) -> str | None:
    # Not through a proxy of the environment: it is this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=SECONDS):
            return None
    except urllib.error.HTTPError as error:
        return f"status {error.code}"
    except urllib.error.URLError as error:
        return str(error.reason)
    except OSError as error:
        return str(error)
