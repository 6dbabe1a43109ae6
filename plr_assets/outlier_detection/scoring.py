"""How well a mask agrees with the human's: one scorer for all detectors.

Belongs here: agreement, sample by sample. There is no point adjustment: it counts a whole artefact as found for one
hit, and random masks then score well (Kim et al. 2022, arXiv 2109.05257). Does not belong here: thresholds.
"""

from __future__ import annotations

import numpy as np

from plr_assets.recordings.table import Mask, Recordings


def score_masks(mask: Mask, recordings: Recordings) -> dict[str, float]:
    """Agreement over all samples with a pupil (dropouts are given, not found).

    `flagged_share` of all; `precision`, `recall` and `f1` over the recordings that a human reviewed, if there are any;
    NaN where undefined (nothing flagged, nothing to find).
    """
    if mask.shape != recordings.pupil.shape:
        raise ValueError(f"mask has shape {mask.shape}, recordings {recordings.pupil.shape}")
    observed = ~recordings.dropout
    flagged = mask & observed
    found = {"flagged_share": _ratio(flagged.sum(), observed.sum())}
    if recordings.artefact is None:
        return found
    flagged, observed = flagged[recordings.reviewed], observed[recordings.reviewed]
    artefact = recordings.artefact[recordings.reviewed] & observed
    hits, flags, artefacts = (flagged & artefact).sum(), flagged.sum(), artefact.sum()
    return {
        **found,
        "precision": _ratio(hits, flags),
        "recall": _ratio(hits, artefacts),
        "f1": _ratio(2 * hits, flags + artefacts),
    }


def _ratio(part: np.integer, whole: np.integer) -> float:
    return int(part) / int(whole) if whole else float("nan")
