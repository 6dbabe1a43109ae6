"""Figures: drawing tables that others computed.

Belongs here: style, one module a family of figures, and saving with a sidecar of what was plotted. Does not belong
here: any statistic (the import contract forbids the libraries), or reading the results database.

Every figure of synthetic data says so on its face. A figure without data is an error.
"""
