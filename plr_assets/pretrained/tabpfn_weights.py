"""Where TabPFN's weights come from: its hub, or a file.

Belongs here: obtaining them in a format that runs no code when it is read, and saying so where they cannot be had. Does
not belong here: the network, which is the package's (`tabpfn`), or the classifier (`classification.tabpfn`).

The weights are those of version 2, the published one (Hollmann et al. 2025; 7 million parameters, 29 MB), under the
Prior Labs licence: Apache 2.0 with attribution. Later versions may not be used commercially, and are refused.
"""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from plr_assets.errors import ConfigError, ContractError
from plr_assets.pretrained.weights import Origin
from plr_assets.study.pretrained import TabpfnWeights

REPOSITORY = "Prior-Labs/TabPFN-v2-clf"
# What the package takes by default for version 2.
HUB_FILE = "tabpfn-v2-classifier-finetuned-zk73skhh.ckpt"
WEIGHTS_FILE = "model.safetensors"
_ARCHITECTURE = "tabpfn_v2"


def obtain_tabpfn(source: TabpfnWeights, folder: Path) -> Origin:
    """Put the weights into `folder`: model.safetensors, origin.json. Paths of `source` are absolute.

    Raises ConfigError where they cannot be had, ContractError where they are not what they should be.
    """
    if source.source == "local":
        path = source.path
        assert path is not None  # noqa: S101 - the study's model demands it of source local
        file = path / WEIGHTS_FILE if path.is_dir() else path
        if not file.is_file():
            raise ConfigError("pretrained.tabpfn.path", f"there is no file {file}.", _HOW)
        origin = Origin("weights of a local file")
    else:
        file = _download(source)
        # A download lies at <cache>/snapshots/<commit>/<file>.
        origin = Origin(f"synthetic tables ({REPOSITORY})", file.parent.name)
    checkpoint = _read(file)
    architecture = checkpoint.get("architecture_name", _ARCHITECTURE)
    if architecture != _ARCHITECTURE:
        raise ContractError(str(file), f"these are weights of {architecture}, not of TabPFN version 2.", _HOW)
    folder.mkdir(parents=True, exist_ok=True)
    from tabpfn.checkpoint import save_as_safetensors

    save_as_safetensors(checkpoint, folder / WEIGHTS_FILE)
    _prove(folder / WEIGHTS_FILE, file)
    origin.save(folder)
    return origin


_HOW = (
    f"Download {HUB_FILE} of https://huggingface.co/{REPOSITORY} on a machine with a network, and set "
    "pretrained.tabpfn to source: local and its path; or leave TabPFN out with source: none."
)


def _download(source: TabpfnWeights) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(REPOSITORY, HUB_FILE, revision=source.revision, cache_dir=source.cache))
    except (HfHubHTTPError, LocalEntryNotFoundError, ConnectionError) as error:
        raise ConfigError(
            "pretrained.tabpfn",
            f"the weights of {REPOSITORY} (revision {source.revision}) are not in the cache and cannot be downloaded: "
            f"{type(error).__name__}.",
            _HOW,
        ) from error


def _read(file: Path) -> dict[str, Any]:
    """The checkpoint as the package knows it: `state_dict`, `config`. A .ckpt is a pickle, of which tensors and plain
    values are read, and nothing is run."""
    import torch
    from safetensors import SafetensorError
    from tabpfn.checkpoint import Checkpoint

    try:
        content = (
            Checkpoint(file).load()
            if file.suffix == ".safetensors"
            else torch.load(file, map_location="cpu", weights_only=True)
        )
    except (UnpicklingError, SafetensorError, RuntimeError, EOFError) as error:
        raise ContractError(str(file), f"this is not a checkpoint of TabPFN: {error}", _HOW) from error
    if not isinstance(content, dict) or not {"state_dict", "config"} <= content.keys():
        raise ContractError(str(file), "a checkpoint of TabPFN holds `state_dict` and `config`; this does not.", _HOW)
    return content


def _prove(weights: Path, file: Path) -> None:
    """Build the network once, so that what does not fit is found here and not in the first pipeline."""
    from tabpfn.model_loading import load_model

    try:
        load_model(path=weights, estimator_type="classifier")
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise ContractError(str(file), f"these weights do not fit TabPFN version 2: {error}", _HOW) from error
