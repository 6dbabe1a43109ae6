"""Which tables and numbers of a study go into a paper.

Belongs here: choosing rows and columns of published tables, their headings and captions. Does not belong here: a
statistic (every number is a cell of a table, or counts rows), or LaTeX (`latex`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from plr_assets.reporting.latex import Macro, PaperTable, number, with_interval

if TYPE_CHECKING:
    import polars as pl

Names = Mapping[str, Mapping[str, str]]
AXES = ("outlier_detection", "imputation", "featurization", "classification")
_HEADINGS = dict(zip(AXES, ("Outlier detection", "Imputation", "Features", "Classifier"), strict=True))
_NUMBERS = ("AUROC (95 % CI)", "scaled Brier", "slope (95 % CI)", "O:E (95 % CI)", "NB at 15 %")
DAGGER = "\u2020"
BEST = 20  # rows of the table of pipelines: what fits a page
_METRICS = ("auroc", "calibration_slope", "o_e_ratio")


def pipeline_header(axes: Sequence[str] = AXES) -> list[str]:
    """What `pipeline_row` holds."""
    return ["", *(_HEADINGS[axis] for axis in axes), *_NUMBERS]


def pipeline_row(row: Mapping[str, Any], display: Names, axes: Sequence[str] = AXES) -> list[str]:
    """A row of `essential_metrics` with its `rank` (none: an oracle) as a reader sees it."""
    return [
        DAGGER if row["rank"] is None else str(row["rank"]),
        *(display[axis][row[axis]] for axis in axes),
        _interval(row, "auroc"),
        number(row["scaled_brier"]),
        _interval(row, "calibration_slope"),
        _interval(row, "o_e_ratio"),
        number(row["net_benefit_15pct"], 3),
    ]


PIPELINE_NOTES = (
    "AUROC and scaled Brier score: one model, mean over out-of-bag iterations. Calibration slope, observed : expected "
    "and net benefit (NB): averaged out-of-bag prediction.",
    "The best of many is picked by the number that is shown, which flatters it.",
)


def _interval(row: Mapping[str, Any], name: str) -> str:
    return with_interval(row[name], row[f"{name}_ci_lower"], row[f"{name}_ci_upper"])


def pipelines_table(ranked: pl.DataFrame, display: Names, *, source: str, origin: str) -> PaperTable:
    """The best pipelines, oracles among them without a rank. `ranked`: `essential_metrics`, best first, with `rank`."""
    rows = ranked.head(BEST)
    few = rows.height < ranked.height
    caption = f"{rows.height} of {ranked.height}" if few else f"All {ranked.height}"
    caption += f" pipelines, the highest AUROC first ({origin})."
    if rows["oracle"].any():
        caption += f" {DAGGER} uses ground truth of evaluated recordings: shown, never ranked."
    shown = [pipeline_row(row, display) for row in rows.iter_rows(named=True)]
    return PaperTable("pipelines", caption, pipeline_header(), shown, (0, 5, 6, 7, 8, 9), source)


def detection_table(outlier_metrics: pl.DataFrame, display: Names, *, source: str, origin: str) -> PaperTable:
    """F1, precision and recall by sample, F1 by artefact, false alarms, of every outlier method."""
    metrics = ("f1", "precision", "recall", "event_f1", "false_alarms_per_minute")
    header = ("Outlier detection", "F1", "Precision", "Recall", "F1 of artefacts", "False alarms / min")
    rows = outlier_metrics.filter(stratum="all")
    return PaperTable(
        "outlier-detection",
        f"Agreement of outlier detection with a human ({origin}); 95 % intervals: bootstrap by subject.",
        header,
        _by_method(rows, "method", metrics, display["outlier_detection"]),
        range(1, len(header)),
        source,
    )


def _by_method(rows: pl.DataFrame, column: str, metrics: Sequence[str], names: Mapping[str, str]) -> list[list[str]]:
    cells = {
        (method, metric): with_interval(value, lower, upper)
        for method, metric, value, lower, upper in rows.select(column, "metric", "value", "lower", "upper").iter_rows()
    }
    oracles = set(rows.filter("oracle")[column])
    return [
        [names[name] + f" {DAGGER}" * (name in oracles), *(cells.get((name, metric), "\u2013") for metric in metrics)]
        for name in names
        if any((name, metric) in cells for metric in metrics)
    ]


def imputation_table(imputation_metrics: pl.DataFrame, display: Names, *, source: str, origin: str) -> PaperTable:
    """MAE, RMSE and bias of every imputation method under every mask, oracles left out."""
    metrics = ("mae", "rmse", "bias", "coverage_90")
    header = ("Masked by", "Imputed by", "MAE (%)", "RMSE (%)", "Bias (%)", "In 90 % band")
    rows = imputation_metrics.filter(stratum="all", oracle=False)
    shown = [
        [display["outlier_detection"][mask], *row]
        for mask in display["outlier_detection"]
        for row in _by_method(rows.filter(outlier_detection=mask), "imputation", metrics, display["imputation"])
    ]
    caption = f"Errors of imputed values against ground truth, in % of baseline ({origin}); 95 % bootstrap intervals."
    return PaperTable("imputation", caption, header, shown, range(2, len(header)), source)


def headline_numbers(ranked: pl.DataFrame, display: Names, *, asked_for: int, source: str) -> list[Macro]:
    """One macro a headline number: counts, the best pipeline, the best of each classifier, the best oracle.

    ranked      `essential_metrics`, best first, with `rank`; not empty.
    asked_for   pipelines of the study, published or not.
    source      table, its digest; the pipeline is added to it.
    """
    whole = ranked.row(0, named=True)
    macros = [
        Macro("plrPipelines", str(asked_for), "the study's grid"),
        Macro("plrPublishedPipelines", str(ranked.height), f"rows of {source}"),
        *(
            Macro(f"plr{name}", text, f"{source}, column {column}")
            for name, column, text in (
                ("Subjects", "n_subjects", str(whole["n_subjects"])),
                ("Events", "n_events", str(whole["n_events"])),
                ("Prevalence", "prevalence", number(whole["prevalence"], 3)),
                ("Iterations", "n_iterations", str(whole["n_iterations"])),
            )
        ),
    ]
    honest, oracles = ranked.filter(oracle=False), ranked.filter(oracle=True)
    for name, rows in (("Best", honest), ("BestOracle", oracles)):
        macros += _of_pipeline(name, rows, display, source)
    for classifier in display["classification"]:
        macros += _of_pipeline(f"Best{_letters(classifier)}", honest.filter(classification=classifier), display, source)
    return macros


def _of_pipeline(name: str, rows: pl.DataFrame, display: Names, source: str) -> list[Macro]:
    if rows.is_empty():
        return []
    row = rows.row(0, named=True)
    where = f"{source}, {row['pipeline']}"
    methods = " \u2192 ".join(display[axis][row[axis]] for axis in AXES)
    found = [Macro(f"plr{name}Name", methods, where)]
    for metric in _METRICS:
        for end, word in (("", ""), ("_ci_lower", "Lower"), ("_ci_upper", "Upper")):
            text = number(row[f"{metric}{end}"], 3 if metric == "auroc" else 2)
            macro = f"plr{name}{_letters(metric.title())}{word}"
            found.append(Macro(macro, text, f"{where}, column {metric}{end}"))
    found.append(Macro(f"plr{name}ScaledBrier", number(row["scaled_brier"], 3), f"{where}, column scaled_brier"))
    return found


def _letters(text: str) -> str:
    """Letters alone: LaTeX macros have no digits and no underscores."""
    return "".join(letter for letter in text if letter.isascii() and letter.isalpha())
