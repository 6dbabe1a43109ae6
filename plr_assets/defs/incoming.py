"""The asset of files that were dropped into `incoming/`: what import says of them, before they are part of the study.

Belongs here: the declaration. Does not belong here: the folders (`recordings.incoming`), or when anyone looks
(`platform.sensors`). Nothing is computed from it: what is pending moves no result until `plr refreeze`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from plr_assets.defs.data_import import lookup_file, unnamed
from plr_assets.defs.stages import DATA_IMPORT
from plr_assets.platform.artifacts import Product
from plr_assets.platform.previews import inline_png, markdown_table
from plr_assets.platform.stages import Inputs, Task, stage_asset
from plr_assets.schemas import QUARANTINE, RECORDING_VERDICTS, RECORDINGS
from plr_assets.schemas.table import polars_schema
from plr_assets.study import Study

if TYPE_CHECKING:
    from plr_assets.recordings.table import Recordings

# Events keep previews for ever; each is at most 80 kB.
_SHOWN = 3


def _offered(study: Study) -> bool:
    return study.simulation is None


def _source(study: Study, _inputs: Inputs) -> str:
    from plr_assets.recordings.incoming import arrival_digest, takes_new_files

    with unnamed(study):
        return arrival_digest(study) if takes_new_files(study) else "takes none"


@stage_asset(
    DATA_IMPORT,
    tables={
        "incoming_recordings": RECORDINGS,
        "incoming_verdicts": RECORDING_VERDICTS,
        "incoming_quarantine": QUARANTINE,
    },
    settings=("recordings", "sampling", "stimuli", "baseline", "labels", "quality"),
    source=_source,
    offered=_offered,
)
def incoming_recordings(task: Task) -> Product:
    """Files in the study's folder `incoming/`, imported on trial: pending until `plr refreeze` lets them join.

    Each has its verdict and a picture here. What cannot be used is moved to the folder `quarantine/`, with the reason
    beside it. Nothing is computed from this, so the frozen experiment stands still. Without an accepted file there is
    no table of recordings.
    """
    import polars as pl

    from plr_assets.recordings.importer import assemble, quarantined
    from plr_assets.recordings.incoming import judge_arrived, put_in_place, takes_new_files

    with unnamed(task.study):
        judged = judge_arrived(task.study) if takes_new_files(task.study) else []
        refused = quarantined(judged)
        some = any(verdict.error is None for verdict in judged)
        found = assemble(judged, task.study, lookup_file(task.study)) if some else None
        put_in_place(task.study, judged)
    verdicts = pl.DataFrame(schema=polars_schema(RECORDING_VERDICTS)) if found is None else found.verdicts
    tables = {"incoming_verdicts": verdicts, "incoming_quarantine": refused}
    notes = {"quarantine": markdown_table(refused)} if len(refused) else {}
    if found is not None:
        tables["incoming_recordings"] = found.recordings.to_frame()
        notes["verdicts"] = markdown_table(verdicts)
        notes |= _pictures(found.recordings)
    return Product(
        tables=tables,
        metrics={"pending": verdicts.height, "quarantined": refused["content"].n_unique()},
        notes=notes,
    )


def _pictures(pending: Recordings) -> dict[str, str]:
    """The newest by number: ids are given in the order of arrival."""
    from plr_assets.figures.save import thumbnail
    from plr_assets.figures.style import load_figures_config
    from plr_assets.figures.traces import draw_recording

    style = load_figures_config().style
    pictures = {}
    for row in range(len(pending) - 1, max(-1, len(pending) - 1 - _SHOWN), -1):
        name = pending.recording[row]
        figure = draw_recording(pending.take([row]), title=name, synthetic=pending.synthetic, style=style)
        pictures[f"recording {name}"] = inline_png(thumbnail(figure), name)
    return pictures
