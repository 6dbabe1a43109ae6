"""docs/features.md, made from the registry: `python -m plr_assets.featurization.page` writes it.

Belongs here: the page's text around what definitions say. Does not belong here: any feature. A test compares the file
with `features_page`, so the page cannot say what the code does not do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from plr_assets.featurization.definitions import LEAKAGE
from plr_assets.featurization.statistics import STATISTICS
from plr_assets.featurization.windowed import WindowedFeatures
from plr_assets.paths import project_root
from plr_assets.registry import Method, load_registry

PAGE = project_root() / "docs" / "features.md"

_HEAD = """# Features

Made from `configs/methods/featurization.yaml` by `python -m plr_assets.featurization.page`; do not edit it by hand.
How to define a feature of your own: [configuration.md](configuration.md#parameters-of-handcrafted-features). Values of
a study, their quantiles over development recordings and a picture of every window are in the asset `feature_catalog`.

A signal is in % change from the recording's own baseline: 0 is the pupil before the first light, constriction is
negative. A column of a light is named after it, `Blue_PHASIC`.

- **Window**: seconds from the on- or offset of the recording's first light of that colour, both ends included. It ends
  where the recording ends, and where the next light comes on. What is left counts if it is at least half; else the
  feature has no value, and neither has that of a light the recording lacks.
- **Baseline**: `recording`, the values as they are; `pre-red` and `pre-blue`, % change from the median pupil before
  that light; `none`, a diameter in the recordings' unit.
- **Coverage**: `feature_coverage` has, of every value, the share of its samples that were recorded and not imputed.
  The samples of the baseline count, and of a difference those of both lights.
- **Leakage risk**: by what else than the reflex a feature may tell a classifier who is a patient.
"""

_EMBEDDING = """Columns `EMBEDDING_01`, ...: principal components of MOMENT's embedding, the largest first. A recording
is cut into as few windows of 512 samples as cover it, the first at its start, the last at its end, the others in equal
steps: 1981 samples into four that share 22 or 23 samples with their neighbours, nothing is padded. The encoder's
outputs are averaged over a window's patches, then over windows. Scale and components (95 % of the variance, 96 at most)
are those of the development recordings. Their number depends on the recordings.

- The encoder is as pretrained, with the weights of the study's `pretrained.moment`; nothing is fine-tuned. With
  `source: pretrain` it is a small one that learned from simulated recordings, and every description says so.
- MOMENT scales each window by its own mean and spread: how large a response is, is not in the embedding. The published
  one saw the whole recording at once and lost it likewise.
- A fitted embedding keeps a copy of MOMENT's weights with each combination of methods before it: some MB for the small
  one, 1.4 GB for the large.
- Leakage risk: `opaque`. Baseline: none. Coverage is that of the whole recording.
"""


def features_page() -> str:
    """The content of docs/features.md."""
    parts = [_HEAD, "## Risks\n", _table(("risk", "what it means"), [(f"`{k}`", v) for k, v in LEAKAGE.items()])]
    for name, method in load_registry().methods["featurization"].items():
        if method.implemented:
            parts += [f"\n## `{name}`\n", f"{method.display}. Source: {method.source}.\n", _body(method)]
    parts += ["\n## Statistics\n", _table(("statistic", "what is computed", "options"), _statistics())]
    return "\n".join(parts)


def _body(method: Method) -> str:
    kind = method.load()
    if not issubclass(kind, WindowedFeatures):
        return _EMBEDDING
    entries = kind(**method.parameters).describe()
    rows = [
        (f"`{e['name']}`", e["description"], e["window"], f"`{e['statistic']}`", e["baseline"], e["unit"],
         e["leakage"], e["source"])
        for e in entries
    ]  # fmt: skip
    head = ("feature", "description", "window", "statistic", "baseline", "unit", "leakage risk", "source")
    return f"{len(entries)} columns, all of type float64.\n\n{_table(head, rows)}"


def _statistics() -> list[tuple[str, str, str]]:
    return [
        (f"`{name}`", statistic.description, _options(statistic.options) or "none")
        for name, statistic in STATISTICS.items()
    ]


def _options(options: Mapping[str, float]) -> str:
    return ", ".join(f"`{key}` ({value:g})" for key, value in options.items())


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(features_page(), encoding="utf-8")
