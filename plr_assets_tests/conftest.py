"""What holds for every test.

Belongs here: settings of the tools, fixtures of several folders. Does not belong here: fixtures of one folder.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from plr_assets_tests.terminal import Plr, terminal

# A test guards a property, not how busy the machine is.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Torch on one thread: tiny matrices gain nothing from a second one, and waiting threads spin (15 x when busy)."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(params=["offline", "unreachable"])
def no_hub(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub of models is switched off, or is not there."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", request.param == "offline")
    if request.param == "unreachable":
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def plr(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Plr:
    return terminal(monkeypatch, capsys)
