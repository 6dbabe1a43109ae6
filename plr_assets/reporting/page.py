"""The HTML report of a study: one file that needs no network, readable on a phone and on paper.

Belongs here: what the page shows and how it is laid out. Does not belong here: choosing figures or reading what is
published (`defs.reporting`). Everything that is inserted is escaped; the page's own policy forbids to load anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Template

# Rows of the leaderboard that are shown before the rest is folded away.
SHOWN_ROWS = 25


@dataclass(frozen=True)
class Picture:
    """One figure. `uri`: `data:image/png;base64,...`; width and height on the page, in CSS pixels."""

    name: str
    title: str
    caption: str
    uri: str
    width: int
    height: int


@dataclass(frozen=True)
class Section:
    """A chapter of figures. `note` says what is left out and where it is."""

    title: str
    pictures: Sequence[Picture]
    note: str = ""


@dataclass(frozen=True)
class CheckLine:
    """What one check said. `blocking`: nothing is computed from the asset where it fails."""

    asset: str
    check: str
    passed: bool
    blocking: bool
    reason: str

    @property
    def verdict(self) -> str:
        if self.passed:
            return "passed"
        return "failed" if self.blocking else "warns"


@dataclass(frozen=True)
class Grid:
    """A table of texts. `numeric`: columns that are set flush right; `dim`: rows that are shown and not ranked."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: Sequence[int] = ()
    dim: Sequence[int] = ()


@dataclass(frozen=True)
class Report:
    """All that the page says.

    facts       name, value: what was run, on what, from which code.
    leaderboard None where the study has no labels.
    winner      the best by each metric, less what choosing it adds; None where nothing is compared.
    missing     partition, why it is not there.
    inputs      what the page was made from: partition, tracked run, digest.
    """

    title: str
    description: str
    study: str
    synthetic_text: str
    facts: Sequence[tuple[str, str]]
    leaderboard: Grid | None
    notes: Sequence[str]
    sections: Sequence[Section]
    checks: Sequence[CheckLine]
    missing: Sequence[tuple[str, str]]
    inputs: Grid
    winner: Grid | None = None
    winner_notes: Sequence[str] = field(default_factory=tuple)
    footer: Sequence[str] = field(default_factory=tuple)


def render(report: Report) -> str:
    """The page. Raises ValueError if there is no figure at all, or a picture is not inline."""
    pictures = [picture for section in report.sections for picture in section.pictures]
    if not pictures:
        raise ValueError("a report without a figure shows nothing")
    if outside := [picture.name for picture in pictures if not picture.uri.startswith("data:image/png;base64,")]:
        raise ValueError(f"pictures that are not inline: {outside}")
    return _template().render(report=report, shown=SHOWN_ROWS, style=_STYLE)


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["css"] = Markup  # our own constant
    return environment.from_string(_PAGE)


_STYLE = """
:root { color-scheme: light; --ink: #1a1a1a; --muted: #5c5c5c; --line: #d9d9d9; --model: #0072b2; --warn: #b2182b; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 0 1rem 3rem; max-width: 72rem; color: var(--ink); background: #fff;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
header { padding-top: 1.5rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .6rem; padding-top: .6rem; border-top: 2px solid var(--line); }
h3 { font-size: 1rem; margin: 1.8rem 0 .4rem; }
p { margin: .4rem 0; max-width: 46rem; }
a { color: var(--model); }
nav ul { padding: 0; margin: .8rem 0 0; list-style: none; display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; }
.banner { background: var(--warn); color: #fff; font-weight: 700; padding: .5rem 1rem; margin: 0 -1rem; }
.muted, figcaption, .note { color: var(--muted); font-size: .875rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: .8rem 0; }
dt { color: var(--muted); }
dd { margin: 0; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; margin: .6rem 0; }
table { border-collapse: collapse; font-size: .875rem; width: 100%; }
caption { text-align: left; color: var(--muted); padding-bottom: .3rem; }
th, td { text-align: left; vertical-align: top; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--line); }
th { border-bottom: 2px solid var(--ink); white-space: nowrap; }
td:not(.number) { min-width: 4.5rem; }
td.number:first-child { min-width: 0; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tr.dim td { color: var(--muted); }
figure { margin: 1rem 0 2rem; }
figure img { display: block; max-width: 100%; height: auto; border: 1px solid var(--line); }
figcaption { margin-top: .4rem; max-width: 46rem; }
.verdict { font-weight: 700; white-space: nowrap; }
.failed { color: var(--warn); }
summary { cursor: pointer; color: var(--model); padding: .3rem 0; }
:focus-visible { outline: 3px solid var(--model); outline-offset: 2px; }
footer { margin-top: 3rem; border-top: 2px solid var(--line); padding-top: .6rem; }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; gap: 0; } dt { margin-top: .5rem; }
  body { font-size: 15px; } }
@media print { body { max-width: none; padding: 0; font-size: 10pt; } nav, .skip { display: none; }
  .scroll { overflow: visible; } td { overflow-wrap: anywhere; }
  figure, tr { break-inside: avoid; } h2, h3 { break-after: avoid; }
  .banner { margin: 0; print-color-adjust: exact; -webkit-print-color-adjust: exact; } a { color: inherit; } }
"""

_PAGE = """\
{% macro grid(table, rows, label, offset=0) %}
<div class="scroll" tabindex="0" role="region" aria-label="{{ label }}">
<table>
<thead><tr>
{% for name in table.header %}
<th scope="col"{% if loop.index0 in table.numeric %} class="number"{% endif %}>{{ name }}</th>
{% endfor %}
</tr></thead>
<tbody>
{% for row in rows %}
<tr{% if loop.index0 + offset in table.dim %} class="dim"{% endif %}>
{% for text in row %}
<td{% if loop.index0 in table.numeric %} class="number"{% endif %}>{{ text }}</td>
{% endfor %}
</tr>
{% endfor %}
</tbody>
</table>
</div>
{% endmacro %}
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{{ report.title }}{% if report.synthetic_text %} ({{ report.synthetic_text }}){% endif %}</title>
<style>{{ style | css }}</style>
</head>
<body>
{% if report.synthetic_text %}
<div class="banner" role="note">{{ report.synthetic_text | capitalize }}: nothing here was measured in people.</div>
{% endif %}
<header>
<h1>{{ report.title }}</h1>
<p>{{ report.description }}</p>
<nav aria-label="Contents"><ul>
{% if report.leaderboard %}
<li><a href="#leaderboard">Leaderboard</a></li>
{% endif %}
{% if report.winner %}
<li><a href="#winner">The winner</a></li>
{% endif %}
{% for section in report.sections %}
<li><a href="#section-{{ loop.index }}">{{ section.title }}</a></li>
{% endfor %}
<li><a href="#checks">Checks</a></li>
<li><a href="#missing">What is missing</a></li>
<li><a href="#provenance">Provenance</a></li>
</ul></nav>
</header>
<main>
<dl>
{% for name, value in report.facts %}
<dt>{{ name }}</dt><dd>{{ value }}</dd>
{% endfor %}
</dl>
{% if report.leaderboard %}
<h2 id="leaderboard">Leaderboard</h2>
{{ grid(report.leaderboard, report.leaderboard.rows[:shown], "Leaderboard") }}
{% if report.leaderboard.rows | length > shown %}
<details><summary>{{ report.leaderboard.rows | length - shown }} more pipelines</summary>
{{ grid(report.leaderboard, report.leaderboard.rows[shown:], "Leaderboard, the rest", shown) }}
</details>
{% endif %}
{% for note in report.notes %}
<p class="note">{{ note }}</p>
{% endfor %}
{% endif %}
{% if report.winner %}
<h2 id="winner">The winner</h2>
{{ grid(report.winner, report.winner.rows, "The winner") }}
{% for note in report.winner_notes %}
<p class="note">{{ note }}</p>
{% endfor %}
{% endif %}
{% for section in report.sections %}
<h2 id="section-{{ loop.index }}">{{ section.title }}</h2>
{% if section.note %}
<p class="note">{{ section.note }}</p>
{% endif %}
{% for picture in section.pictures %}
<figure id="figure-{{ picture.name }}">
<img src="{{ picture.uri }}" width="{{ picture.width }}" height="{{ picture.height }}"
  alt="{{ picture.title }}">
<figcaption><strong>{{ picture.title }}.</strong> {{ picture.caption }}</figcaption>
</figure>
{% endfor %}
{% endfor %}
<h2 id="checks">Checks</h2>
{% if report.checks %}
<div class="scroll" tabindex="0" role="region" aria-label="Checks">
<table>
<thead><tr>
{% for name in ("of", "check", "verdict", "why") %}
<th scope="col">{{ name }}</th>
{% endfor %}
</tr></thead>
<tbody>
{% for line in report.checks %}
<tr>
<td>{{ line.asset }}</td><td>{{ line.check }}</td>
<td class="verdict{% if not line.passed %} failed{% endif %}">{{ line.verdict }}</td>
<td>{{ line.reason }}</td>
</tr>
{% endfor %}
</tbody>
</table>
</div>
{% else %}
<p>None of the tables behind this page has a check.</p>
{% endif %}
<h2 id="missing">What is missing</h2>
{% if report.missing %}
<div class="scroll" tabindex="0" role="region" aria-label="What is missing">
<table>
<thead><tr><th scope="col">what</th><th scope="col">why</th></tr></thead>
<tbody>
{% for what, why in report.missing %}
<tr><td>{{ what }}</td><td>{{ why }}</td></tr>
{% endfor %}
</tbody>
</table>
</div>
{% else %}
<p>Nothing: all that the study asks for is here.</p>
{% endif %}
<h2 id="provenance">Provenance</h2>
<p>Every table and figure of this page was read from a published run, its SHA-256 checked. The MLflow
pages find a run by its id; the JSON file beside each figure holds the plotted data.</p>
<details><summary>{{ report.inputs.rows | length }} published inputs</summary>
{{ grid(report.inputs, report.inputs.rows, "Published inputs") }}
</details>
</main>
<footer>
{% for line in report.footer %}
<p class="muted">{{ line }}</p>
{% endfor %}
</footer>
</body>
</html>
"""
