"""Where things that runs share are kept. The only place that reads an environment variable for a setting."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """``$BOOTHLAB_HOME``, or ``~/.boothlab``. Class images and other results that runs share live there."""
    given = os.environ.get("BOOTHLAB_HOME")
    return Path(given).expanduser() if given else Path.home() / ".boothlab"


def cache(kind: str) -> Path:
    """The folder of one kind of shared results, e.g. ``cache("class-images")``."""
    return home() / "cache" / kind
