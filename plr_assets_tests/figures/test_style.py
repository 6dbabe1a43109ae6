"""The style file: complete, strict, and legible for all."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pytest

from plr_assets.config_files import load_model, read_yaml
from plr_assets.errors import ConfigError
from plr_assets.figures.style import FiguresConfig, Style, load_figures_config
from plr_assets.paths import configs_dir
from plr_assets.registry import load_registry


def contrast_with_white(colour: str) -> float:
    """WCAG 2 contrast ratio."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 1.05 / (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)


def test_every_category_of_the_registry_has_a_colour_that_can_be_read_as_text(style: Style) -> None:
    categories = {method.category for methods in load_registry().methods.values() for method in methods.values()}
    assert categories <= set(style.categories)
    for colour in (style.ink, style.muted, style.synthetic, *style.categories.values()):
        assert contrast_with_white(colour) >= 4.5


def test_every_figure_has_a_title_and_a_caption() -> None:
    figures = load_figures_config().figures
    of_partitions = {"pipeline", "traces", "imputation", "detection", "recording_overview", "features"}
    of_study = {"auroc_heatmap", "auroc_by_method", "specification_curve", "featurizations", "costs"}
    of_methods = {"detection_quality", "imputation_errors", "imputation_differences"}
    of_study |= {"reliability", "confounders", "like_age", "optimism"}
    of_ranks = {"winner", "pipeline_ranks", "critical_difference", "variance_decomposition"}
    of_ranks |= {"against_best", "against_ground_truth"}
    assert set(figures) == of_partitions | of_study | of_methods | of_ranks
    assert all(text.title and text.caption.endswith(".") for text in figures.values())


@pytest.mark.parametrize(
    ("old", "new", "key"), [("dpi: 300", "dqi: 300", "style.d"), ('ink: "#1A1A1A"', "ink: red", "style.ink")]
)
def test_a_broken_style_names_its_key(tmp_path: Path, old: str, new: str, key: str) -> None:
    text = (configs_dir() / "figures.yaml").read_text(encoding="utf-8")
    assert old in text
    (broken := tmp_path / "figures.yaml").write_text(text.replace(old, new), encoding="utf-8")
    assert read_yaml(broken)
    with pytest.raises(ConfigError, match=key):
        load_model(broken, FiguresConfig)


def test_an_edited_style_is_seen_by_a_process_that_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sensor plans by it; were it read once, a changed figures.yaml would be followed only after a restart."""
    text = (configs_dir() / "figures.yaml").read_text(encoding="utf-8")
    assert load_figures_config().style.dpi == 300
    (tmp_path / "configs").mkdir()
    monkeypatch.setenv("PLR_HOME", str(tmp_path))
    own = tmp_path / "configs" / "figures.yaml"
    for dpi in (72, 1000):
        own.write_text(text.replace("dpi: 300", f"dpi: {dpi}"), encoding="utf-8")
        assert load_figures_config().style.dpi == dpi
    assert load_figures_config() is load_figures_config()


def test_drawing_leaves_the_settings_of_matplotlib_alone(style: Style) -> None:
    mpl.rcParams["backend"]  # resolved at its first use
    before = mpl.rcParams.copy()
    with style.applied():
        assert mpl.rcParams["axes.labelsize"] == style.font_size
    assert mpl.rcParams == before


def test_a_title_without_room_is_refused(style: Style) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        style.page(2.0, title="a title", synthetic=True, width_in=1.2)
