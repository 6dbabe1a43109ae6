"""What a user can mend fits on a screen: exit code 2, the file and key, a remedy, no traceback."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plr_assets_tests.e2e.lab import Lab
from plr_assets_tests.terminal import Plr

SCREEN = 25
Refused = Callable[..., str]


@pytest.fixture
def refused(fresh: Lab, plr: Plr, monkeypatch: pytest.MonkeyPatch) -> Refused:
    """Runs the command, checks that it is refused in the promised form, and gives back its text on one line."""
    monkeypatch.setenv("COLUMNS", "100")

    def refused(*arguments: str) -> str:
        printed = plr(*arguments)
        text = printed.out + printed.err
        assert printed.code == 2
        assert "Traceback" not in text
        assert len(text.splitlines()) <= SCREEN
        assert printed.err
        # a path that is longer than the panel is broken over lines
        return "".join(line.strip("│ ") + " " for line in printed.err.splitlines())

    return refused


def squeezed(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("command", ["run", "status", "leaderboard", "methods"])
def test_an_unknown_study_is_answered_with_the_nearest_one(refused: Refused, command: str) -> None:
    text = refused(command, "dmeo")
    assert "'dmeo'" in text
    assert "Did you mean 'demo'?" in text


def test_a_misspelt_method_of_a_selection_is_answered_with_the_nearest_one(refused: Refused) -> None:
    text = refused("run", "demo", "--select", "outlier=LOFF")
    assert "--select outlier=LOFF" in text
    assert "Did you mean 'LOF'?" in text


def test_a_misspelt_axis_of_a_selection_is_answered_with_the_nearest_one(refused: Refused) -> None:
    assert "Did you mean 'classifier'?" in refused("run", "demo", "--select", "clasifier=CatBoost")


def test_a_method_that_the_study_does_not_list_is_named_with_those_it_does(refused: Refused, fresh: Lab) -> None:
    text = refused("run", str(fresh.study_file()), "--select", "classifier=CatBoost")
    assert "does not offer 'CatBoost'" in text
    assert "It offers: XGBoost, LogisticRegression." in text


@pytest.mark.parametrize(
    ("changes", "key", "remedy"),
    [
        ({"sede": 1}, "sede", "Did you mean 'seed'?"),
        ({"bootstrap": {"iteration": 5}}, "bootstrap.iteration", "Did you mean 'iterations'?"),
        ({"origin": "clinical"}, "(top level)", "docs/configuration.md"),
        (
            {"methods": {"outlier_detection": {"LOF": {"neighbors": 1}}}},
            "methods.outlier_detection.LOF.neighbors",
            "Did you mean 'n_neighbors'?",
        ),
    ],
    ids=["top", "nested", "rule", "parameter"],
)
def test_a_broken_study_file_is_named_with_its_key(
    refused: Refused, fresh: Lab, changes: dict[str, Any], key: str, remedy: str
) -> None:
    path = fresh.study_file(**changes)
    text = refused("run", str(path))
    assert squeezed(f"{path}: {key}") in squeezed(text)
    assert remedy in text


def test_a_missing_study_file_is_named(refused: Refused, tmp_path: Path) -> None:
    path = tmp_path / "nowhere.yaml"
    text = refused("run", str(path))
    assert squeezed(str(path)) in squeezed(text)
    assert "there is no such file" in text


def test_a_file_that_is_no_yaml_is_named_with_its_line(refused: Refused, tmp_path: Path) -> None:
    path = tmp_path / "trial.yaml"
    path.write_text("title: a\nseed: [1\nother: 2\n", encoding="utf-8")
    text = refused("run", str(path))
    assert squeezed(f"{path}: line") in squeezed(text)


def test_a_leaderboard_before_the_first_run_says_how_to_get_one(refused: Refused, fresh: Lab) -> None:
    text = refused("leaderboard", str(fresh.study_file()))
    assert "there is no results database yet" in text
    assert "plr run" in text


def test_a_report_and_a_question_before_the_first_run_say_how_to_get_them(refused: Refused, fresh: Lab) -> None:
    study = str(fresh.study_file())
    assert "there is no report yet" in refused("report", study)
    assert "there is no results database yet" in refused("sql", study, "SELECT 1")


@pytest.mark.parametrize(
    "arguments", [["rnu"], ["run"], ["run", "demo", "--selct", "x"], ["leaderboard", "demo", "--top", "0"]]
)
def test_a_command_line_that_cannot_be_read_is_refused(refused: Refused, arguments: list[str]) -> None:
    assert "Usage:" in refused(*arguments)


def test_the_installed_command_ends_in_the_same_way() -> None:
    """Through the interpreter, because only there would a traceback of start-up show."""
    command = [sys.executable, "-c", "from plr_assets.cli import main; main()", "run", "dmeo"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "'demo'" in done.stderr
