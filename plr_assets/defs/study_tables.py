"""Tables of a study from those of its partitions: how rows of many come under each other.

Belongs here: what assets of the results stage share. Does not belong here: those assets (`results`,
`results_of_signals`).
"""

from __future__ import annotations

from plr_assets.platform.artifacts import Product
from plr_assets.platform.previews import markdown_table
from plr_assets.platform.stages import Task


def study_table(task: Task, name: str, source: str = "evaluation", what: str = "pipeline") -> Product:
    """The rows of all published partitions of `source`, which are each one `what`, in one table."""
    import polars as pl

    from plr_assets.errors import DataError

    rows = list(task.tables(source, name).values())
    if not rows:
        raise DataError(name, f"no {what} is published, so there is nothing to tabulate.", f"Run the {what}s first.")
    frame = pl.concat(rows)
    notes = {"head": markdown_table(frame)}
    if task.missing:
        notes[f"missing {what}s"] = "\n".join(f"- {text}" for text in task.missing)
    return Product(tables={name: frame}, metrics={f"{what}s": len(rows), "missing": len(task.missing)}, notes=notes)


def study_tables(task: Task, source: str, *, shown: str) -> Product:
    """All tables of the asset, as `study_table` makes one; its page shows the table `shown`."""
    made = {name: study_table(task, name, source) for name in task.asset.tables}
    tables = {name: product.tables[name] for name, product in made.items()}
    return Product(tables=tables, metrics=made[shown].metrics, notes=made[shown].notes)
