"""Where the weights of foundation models come from: a hub, a folder, or pretraining on simulated recordings.

Belongs here: obtaining weights and saying so. Does not belong here: networks (`moment`, `units`), or a fallback: where
weights cannot be had the error says what is missing and how to get it.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from plr_assets.errors import ConfigError
from plr_assets.pretrained import moment, units, units_network, units_weights
from plr_assets.pretrained.pretraining import pretrain
from plr_assets.study.pretrained import MomentWeights, UnitsWeights

HUB_FILES = (moment.CONFIG_FILE, moment.WEIGHTS_FILE)


ORIGIN_FILE = "origin.json"


@dataclass(frozen=True, slots=True)
class Origin:
    """What a model learned from, for people; and the commit of the hub, or none. It travels with the weights."""

    pretrained_on: str
    version: str | None = None

    def save(self, folder: Path) -> None:
        (folder / ORIGIN_FILE).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Origin:
        return cls(**json.loads((folder / ORIGIN_FILE).read_text(encoding="utf-8")))


def obtain_moment(source: MomentWeights, folder: Path, seed: int) -> Origin:
    """Put MOMENT into `folder`: config.json, model.safetensors, origin.json. Paths of `source` are absolute.

    Raises ConfigError or ContractError that says what is missing and how to get it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    origin = _obtain_moment(source, folder, seed)
    origin.save(folder)
    return origin


def obtain_units(source: UnitsWeights, folder: Path, seed: int) -> Origin:
    """Put UniTS into `folder`, as `obtain_moment`. A local .pth is an official checkpoint, and is converted."""
    folder.mkdir(parents=True, exist_ok=True)
    origin = _obtain_units(source, folder, seed)
    origin.save(folder)
    return origin


def _obtain_moment(source: MomentWeights, folder: Path, seed: int) -> Origin:
    if source.source == "pretrain":
        config = moment.moment_config(
            d_model=source.d_model, layers=source.layers, heads=source.heads, d_ff=source.d_ff
        )
        network = pretrain(lambda: moment.build_moment(config), moment.WINDOW, source.pretraining, seed)
        moment.save_moment(network, config, folder)
        return Origin(_simulated(source.pretraining.recordings))
    path, version = _download(source) if source.source == "hub" else (source.path, None)
    assert path is not None  # noqa: S101 - the study's model demands it of source local
    network = moment.load_moment(path)  # proves that the files fit before anything is published
    moment.save_moment(network, moment.read_config(path), folder)
    origin = f"MOMENT-1-{source.size} of the hub" if version else "weights of a local folder"
    return Origin(origin, version)


def _obtain_units(source: UnitsWeights, folder: Path, seed: int) -> Origin:
    if source.source == "pretrain":
        config = units.UnitsConfig(
            d_model=source.d_model, e_layers=source.layers, n_heads=source.heads, prompt_num=source.prompts
        )
        network = pretrain(
            lambda: units_network.UnitsReconstructor(units.UniTS(config)),
            units_network.WINDOW,
            source.pretraining,
            seed,
        )
        assert isinstance(network, units_network.UnitsReconstructor)  # noqa: S101 - built above
        origin = _simulated(source.pretraining.recordings)
        units_weights.save_units(network.model, folder, origin)
        return Origin(origin)
    path = source.path
    assert path is not None  # noqa: S101 - the study's model demands it of source local
    if path.suffix == ".pth":
        model = units_weights.convert_official(path)
        units_weights.save_units(model, folder, "official checkpoint")
        return Origin("the official UniTS checkpoint")
    units_weights.load_units(path)  # proves that the files fit
    for name in (units_weights.CONFIG_FILE, units_weights.WEIGHTS_FILE):
        shutil.copyfile(path / name, folder / name)
    return Origin("weights of a local folder")


def _simulated(recordings: int) -> str:
    return f"{recordings} simulated recordings"


def _download(source: MomentWeights) -> tuple[Path, str]:
    """The hub's files in its cache, and their commit. Raises ConfigError where they cannot be had."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    repository = f"AutonLab/MOMENT-1-{source.size}"
    try:
        folder = Path(
            snapshot_download(
                repository, revision=source.revision, cache_dir=source.cache, allow_patterns=list(HUB_FILES)
            )
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, ConnectionError) as error:
        raise ConfigError(
            "pretrained.moment",
            f"the weights of {repository} (revision {source.revision}) are not in the cache and cannot be downloaded: "
            f"{type(error).__name__}.",
            "Download config.json and model.safetensors of that repository on a machine with a network and set source: "
            "local and path; or set source: pretrain, which trains a small MOMENT on simulated recordings.",
        ) from error
    return folder, folder.name
