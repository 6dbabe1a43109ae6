"""Networks on disk: what is saved comes back, in the same bytes, and another network's file is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from plr_assets.errors import ContractError
from plr_assets.networks.files import NETWORK_FILE, load_network, save_network


class Tied(torch.nn.Module):
    """Two layers that share one tensor, and a buffer."""

    def __init__(self, size: int = 3) -> None:
        super().__init__()
        self.first, self.second = torch.nn.Linear(size, size), torch.nn.Linear(size, size)
        self.second.weight = self.first.weight
        self.norm = torch.nn.BatchNorm1d(size)


def test_a_network_comes_back_in_evaluation_mode_and_in_equal_bytes(tmp_path: Path) -> None:
    network = Tied()
    save_network(network, tmp_path / "a")
    again = load_network(Tied(), tmp_path / "a")
    assert not again.training
    assert isinstance(again, Tied)
    assert again.second.weight is again.first.weight
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in network.state_dict().items())
    save_network(again, tmp_path / "b")
    assert (tmp_path / "a" / NETWORK_FILE).read_bytes() == (tmp_path / "b" / NETWORK_FILE).read_bytes()


@pytest.mark.parametrize(
    ("other", "named"), [(Tied(4), "size mismatch"), (torch.nn.Linear(3, 3), "first.weight")], ids=["size", "names"]
)
def test_another_networks_file_is_refused(tmp_path: Path, other: torch.nn.Module, named: str) -> None:
    save_network(Tied(), tmp_path)
    with pytest.raises(ContractError, match=named) as caught:
        load_network(other, tmp_path)
    assert caught.value.where == str(tmp_path / NETWORK_FILE)


def test_a_file_that_is_cut_short_or_gone_is_refused(tmp_path: Path) -> None:
    save_network(Tied(), tmp_path)
    path = tmp_path / NETWORK_FILE
    path.write_bytes(path.read_bytes()[:-20])
    for _ in ("cut short", "gone"):
        with pytest.raises(ContractError) as caught:
            load_network(Tied(), tmp_path)
        assert caught.value.where == str(path)
        path.unlink(missing_ok=True)
