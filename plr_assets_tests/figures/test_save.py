"""Figures as files: the same bytes again, whole or not at all, with the data beside."""

from __future__ import annotations

import json
from pathlib import Path
from unittest.mock import patch

import numpy as np
import polars as pl
import pytest
from matplotlib import rc_context
from matplotlib.figure import Figure

from plr_assets.figures.pipeline import draw_pipeline
from plr_assets.figures.save import save_figure, thumbnail
from plr_assets.figures.style import Style

Tables = dict[str, pl.DataFrame]


@pytest.fixture
def figure(tables: Tables, style: Style) -> Figure:
    return draw_pipeline(tables, title="x", synthetic=True, style=style)


def refuse_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def test_equal_figures_are_equal_files(tmp_path: Path, tables: Tables, style: Style) -> None:
    runs = []
    for folder in ("a", "b"):
        drawn = draw_pipeline(tables, title="x", synthetic=True, style=style)
        files = save_figure(drawn, tmp_path / folder, "one", tables, {"run": "r1"})
        assert [file.name for file in files] == ["one.png", "one.svg", "one.json"]
        assert sorted(file.name for file in (tmp_path / folder).iterdir()) == ["one.json", "one.png", "one.svg"]
        runs.append([file.read_bytes() for file in files])
    assert runs[0] == runs[1]
    png, svg, _ = runs[0]
    assert png.startswith(b"\x89PNG")
    assert len(png) > 50_000
    assert b"Software" not in png
    assert b"<dc:date>" not in svg


def test_what_libraries_make_of_the_defaults_does_not_show(tmp_path: Path, tables: Tables, style: Style) -> None:
    """Some set them when they are imported; which were imported depends on what else ran in the process."""
    foreign = {"xtick.major.size": 9, "ytick.color": "red", "axes.grid": True, "lines.markersize": 12, "figure.dpi": 55}
    runs = []
    for folder, defaults in (("a", {}), ("b", foreign)):
        with rc_context(defaults):
            drawn = draw_pipeline(tables, title="x", synthetic=True, style=style)
            files = save_figure(drawn, tmp_path / folder, "one", tables, {})
            runs.append([thumbnail(drawn), *(file.read_bytes() for file in files)])
    assert runs[0] == runs[1]


def test_the_sidecar_holds_the_plotted_data_as_strict_json(tmp_path: Path, figure: Figure, tables: Tables) -> None:
    extra = {"hole": np.array([1.5, np.nan, np.inf]), "single": np.float32(0.1), "flags": np.array([True, False])}
    *_, path = save_figure(figure, tmp_path, "one", {**tables, **extra}, {"upstream": ["r2", None]})
    text = path.read_text(encoding="utf-8")
    sidecar = json.loads(text, parse_constant=refuse_constant)
    assert sidecar["provenance"] == {"upstream": ["r2", None]}
    for name, table in tables.items():
        assert pl.DataFrame(sidecar["data"][name], schema=table.schema).equals(table)
    assert [sidecar["data"][name] for name in extra] == [[1.5, None, None], 0.1, [True, False]]
    assert list(sidecar["data"]) == sorted(sidecar["data"])


def test_a_failure_leaves_the_old_files_and_no_others(tmp_path: Path, figure: Figure, tables: Tables) -> None:
    files = save_figure(figure, tmp_path, "one", tables, {"run": "r1"})
    before = [file.read_bytes() for file in files]
    with pytest.raises(ValueError, match="cannot hold a set"):
        save_figure(figure, tmp_path, "one", {"x": {1}}, {})
    with patch.object(Path, "replace", side_effect=OSError("disk full")), pytest.raises(OSError, match="disk full"):
        save_figure(figure, tmp_path, "one", tables, {"run": "r2"})
    assert [file.read_bytes() for file in files] == before
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("name", ["../one", "a/b", "", ".hidden", "a b"])
def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path, figure: Figure, tables: Tables, name: str) -> None:
    with pytest.raises(ValueError, match="file name"):
        save_figure(figure, tmp_path, name, tables, {})


def test_an_empty_figure_is_refused(tmp_path: Path, figure: Figure) -> None:
    with pytest.raises(ValueError, match="panels"):
        save_figure(Figure(), tmp_path, "one", {"x": 1}, {})
    with pytest.raises(ValueError, match="data"):
        save_figure(figure, tmp_path, "one", {}, {})


def test_a_thumbnail_is_a_small_png(figure: Figure) -> None:
    image = thumbnail(figure)
    assert image.startswith(b"\x89PNG")
    assert 5_000 < len(image) < 80_000
