"""Scratch folders that say whose they are, so that those of killed processes can be told and removed.

Belongs here: making one, and finding the abandoned ones. Does not belong here: what is written into them.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from plr_assets.platform.processes import lives, this_process

_PREFIX = "plr-"
_OWNER = ".owner"


def scratch_folder() -> Path:
    """A new folder below the system's temporary one. Whoever makes it removes it."""
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    (folder / _OWNER).write_text(this_process(), encoding="utf-8")
    return folder


def abandoned() -> list[Path]:
    """Scratch folders on this machine whose process is gone. Those that name no process are left alone."""
    owners = Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_OWNER}")
    return [owner.parent for owner in sorted(owners) if not lives(owner.read_text(encoding="utf-8"))]
