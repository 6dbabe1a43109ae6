"""Results for people who read no database: the HTML report of a study, tables and numbers for a paper.

Belongs here: turning published tables and figures into HTML, LaTeX and markdown. Does not belong here: computing a
number, drawing a figure, or finding what is published (`defs.reporting`).
"""
