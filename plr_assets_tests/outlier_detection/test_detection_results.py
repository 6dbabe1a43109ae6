"""The page of results shows what is published, and says what it is."""

from __future__ import annotations

import polars as pl
import pytest

from benchmarks.detection_picture import draw_f1
from benchmarks.detection_results import Found, scores_table, strata_table
from benchmarks.pages import Run, marked
from plr_assets.figures.style import load_figures_config
from plr_assets.registry import load_registry
from plr_assets.study import load_study

METHODS = ("LOF", "ensembleThresholded-MOMENT-TimesNet-UniTS-gt-finetune", "pupil-gt")
ENSEMBLE = METHODS[1]


def metrics() -> pl.DataFrame:
    """Of three methods: half of what there is to find is found, and a recall that is not defined."""
    values = {"f1": 0.5, "event_f1": 0.625, "f1_random": 0.05, "artefact_share": 0.0766, "false_alarms_per_minute": 2.5}
    rows = [
        {
            "method": method, "oracle": method == "pupil-gt", "synthetic": True, "role": "evaluated",
            "stratum": stratum, "metric": metric, "value": value, "lower": 0.0, "upper": 0.75, "n": 40,
        }
        for method in METHODS
        for stratum, metric, value in (
            *(("all", metric, value) for metric, value in values.items()),
            ("kind:spike", "recall", 0.25), ("kind:long", "recall", None),
        )
    ]  # fmt: skip
    return pl.DataFrame(rows)


def found() -> Found:
    roles = pl.DataFrame({"recording": ["a", "b"], "subject": ["A", "B"], "role": ["development", "evaluated"]})
    registry = load_registry().methods["outlier_detection"]
    members = [("MOMENT-gt-finetune", True, 0.4), ("UniTS-gt-finetune", False, None)]
    return Found(
        run=Run(load_study("paper"), roles, commits=["abc"], weights={}, missing=["PROPHET"]),
        methods={name: registry[name] for name in METHODS},
        metrics=metrics(),
        seconds={"LOF": (0.25, 12.3)},
        ballots={ENSEMBLE: [{"member": name, "votes": votes, "development_f1": f1} for name, votes, f1 in members]},
    )


def test_a_row_shows_published_numbers_with_their_intervals_and_nothing_where_there_is_none() -> None:
    (row,) = [line for line in scores_table(found()).splitlines() if line.startswith("| LOF")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1:3] == ["0.500 [0.000, 0.750]", "0.625 [0.000, 0.750]"]
    assert cells[3:7] == ["\u2013"] * 4
    assert cells[7:] == ["2.50", "0.2", "12"]


def test_an_oracle_is_marked_and_explained() -> None:
    table = scores_table(found())
    assert "| *Ground truth* \u2020 |" in table
    assert "shown, never ranked" in table


def test_members_are_listed_with_their_votes() -> None:
    assert "MOMENT-gt-finetune 0.400. Without a vote: UniTS-gt-finetune \u2013." in scores_table(found())


def test_only_strata_that_are_there_have_a_column() -> None:
    head, _, first, *_ = strata_table(found(), "kind", "recall", ("spike", "short", "long")).splitlines()
    assert head == "| method | spike (40) | long (40) |"
    assert first == "| LOF | 0.250 | \u2013 |"


def test_the_page_names_its_origin_and_what_is_missing() -> None:
    facts = found().run.facts("evaluated")
    assert "simulated recordings" in facts
    assert "not published, so not in the tables: `PROPHET`" in facts


def test_a_page_without_marks_is_refused() -> None:
    page = "# Title\n<!-- a -->\nold\n<!-- /a -->\nprose\n"
    assert marked(page, {"a": "new\n"}) == "# Title\n<!-- a -->\nnew\n<!-- /a -->\nprose\n"
    with pytest.raises(ValueError, match="'b' 0 times"):
        marked(page, {"b": "new\n"})


def test_the_picture_says_that_its_data_are_simulated_and_refuses_to_say_otherwise() -> None:
    style, content = load_figures_config().style, found()
    figure = draw_f1(content.metrics, content.methods, synthetic=True, style=style)
    assert any(text.get_gid() == "synthetic" for text in figure.texts)
    with pytest.raises(ValueError, match="synthetic"):
        draw_f1(content.metrics, content.methods, synthetic=False, style=style)
