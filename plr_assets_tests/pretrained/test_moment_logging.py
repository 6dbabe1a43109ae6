"""What the library of MOMENT does to logging stays inside it."""

from __future__ import annotations

import logging

import pytest

from plr_assets.pretrained.moment import build_moment, moment_config


@pytest.mark.slow  # imports momentfm
def test_building_the_network_leaves_the_root_logger_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    # as in a worker: the library's first call at the root then adds a handler that prints every epoch
    monkeypatch.setattr(root, "handlers", [])
    build_moment(moment_config(d_model=8, layers=1, heads=1, d_ff=8))
    assert root.handlers == []
