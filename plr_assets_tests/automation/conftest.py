"""Labs for the automation: fresh and copied ones belong to one test; `finished` is shared and only read."""

from __future__ import annotations

from plr_assets_tests.e2e.conftest import finished, fresh, lab

__all__ = ["finished", "fresh", "lab"]
