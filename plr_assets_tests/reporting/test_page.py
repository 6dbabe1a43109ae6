"""The report: complete, self-contained, escaped, honest about simulation."""

from __future__ import annotations

import io
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from plr_assets.reporting.images import data_uri
from plr_assets.reporting.page import SHOWN_ROWS, CheckLine, Grid, Picture, Report, Section, render

VOID = {"meta", "img", "br", "link", "input"}  # tags without an end


class Reader(HTMLParser):
    """Collects what a page refers to, its texts, and whether tags are closed in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.references: list[str] = []
        self.ids: list[str] = []
        self.texts: list[str] = []
        self.images = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "action", "srcset"):
                self.references.append(value or "")
            if name == "id":
                self.ids.append(value or "")
        if tag == "img":
            self.images += 1
            assert dict(attrs)["alt"]
        assert tag not in ("script", "link", "iframe", "object")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


@pytest.fixture
def picture(tmp_path: Path) -> Picture:
    Image.new("RGB", (2100, 600), "#0072B2").save(tmp_path / "x.png")
    return Picture("study-x", "A figure", "What it shows.", *data_uri(tmp_path / "x.png", 300))


@pytest.fixture
def report(picture: Picture) -> Report:
    rows = [[str(i), f"LOF {i}", "0.81"] for i in range(SHOWN_ROWS + 5)]
    return Report(
        title="Glaucoma", description="Everything.", study="glaucoma", synthetic_text="", facts=[("Seed", "7")],
        leaderboard=Grid(["", "method", "AUROC"], rows, [0, 2], [1]), notes=["A note."],
        sections=[Section("The study", [picture, replace(picture, name="study-y")])],
        checks=[
            CheckLine("imputation", "is right", True, True, "all of them"),
            CheckLine("outliers", "beats chance", False, False, "LOF does not"),
            CheckLine("recordings", "few are flagged", False, True, "all are"),
        ],
        missing=[("simple__LOF__SAITS__TabM", "no weights")], inputs=Grid(["what"], [["a table"]]), footer=["The end."],
        winner=Grid(["Metric", "less"], [["AUROC", "0.79 (0.70 to 0.88)"]], [1]), winner_notes=["How it is corrected."],
    )  # fmt: skip


def test_everything_that_was_handed_over_is_on_the_page(report: Report) -> None:
    page = read(render(report))
    words = " ".join(page.texts)
    for told in ("Glaucoma", "Seed", "A note.", "What it shows.", "LOF does not", "no weights", "a table", "The end."):
        assert told in words
    assert "0.79 (0.70 to 0.88)" in words
    assert "How it is corrected." in words
    assert all(f"LOF {i}" in words for i in range(SHOWN_ROWS + 5))
    assert "5 more pipelines" in words
    assert {"passed", "warns", "failed"} <= {text.strip() for text in page.texts}
    assert page.images == 2
    assert len(set(page.ids)) == len(page.ids)


def test_the_page_needs_nothing_but_itself(report: Report) -> None:
    page = read(render(report))
    places = {f"#{name}" for name in page.ids}
    assert page.references
    assert all(ref.startswith("data:image/png;base64,") or ref in places for ref in page.references)
    assert "default-src 'none'" in render(report)
    assert "url(" not in render(report)
    assert "@import" not in render(report)


def test_what_is_inserted_is_text_and_never_markup(report: Report) -> None:
    evil = "<script>alert('&')</script>"
    grid = Grid([evil], [[evil]])
    spoilt = replace(
        report, title=evil, description=evil, facts=[(evil, evil)], leaderboard=grid, notes=[evil], inputs=grid,
        missing=[(evil, evil)], checks=[CheckLine(evil, evil, True, True, evil)], footer=[evil],
        winner=grid, winner_notes=[evil],
        sections=[Section(evil, [replace(report.sections[0].pictures[0], title=evil, caption=evil)], evil)],
    )  # fmt: skip
    page = render(spoilt)
    assert "<script>" not in page
    assert "".join(read(page).texts).count(evil) >= 17


def test_simulated_data_are_announced_and_others_are_not(report: Report) -> None:
    words = "Simulated data: nothing here was measured in people."
    assert words not in render(report)
    assert words in render(replace(report, synthetic_text="simulated data"))


def test_a_report_without_figures_or_with_pictures_from_elsewhere_is_refused(report: Report, picture: Picture) -> None:
    with pytest.raises(ValueError, match="without a figure"):
        render(replace(report, sections=[]))
    outside = replace(picture, uri="https://example.org/x.png")
    with pytest.raises(ValueError, match="not inline"):
        render(replace(report, sections=[Section("x", [outside])]))


def test_a_study_without_labels_has_a_page_without_a_leaderboard(report: Report) -> None:
    page = read(render(replace(report, leaderboard=None, winner=None, missing=[], checks=[])))
    assert not {"leaderboard", "winner"} & set(page.ids)
    assert "How it is corrected." not in " ".join(page.texts)
    words = " ".join(page.texts)
    assert "all that the study asks for is here" in words
    assert "None of the tables behind this page has a check." in words


def test_a_picture_keeps_its_size_on_the_page_at_the_resolution_of_a_screen(tmp_path: Path) -> None:
    import base64

    Image.new("RGB", (1050, 600), "#D55E00").save(tmp_path / "narrow.png")  # 3.5 in
    uri, width, height = data_uri(tmp_path / "narrow.png", 300)
    assert (width, height) == (490, 280)
    kept = Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
    assert kept.size == (735, 420)
    assert kept.convert("RGB").getpixel((10, 10)) == (0xD5, 0x5E, 0x00)
