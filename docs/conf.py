"""Sphinx's settings: the documents are Markdown, read by MyST."""

project = "abacito"
author = "The abacito developers"
extensions = ["myst_parser"]
html_theme = "furo"
# Links may lead to headings, as on the pages of the repository.
myst_heading_anchors = 4
exclude_patterns = ["_build"]
# README and the two pages of the folders link to files of the repository, which are no pages here.
suppress_warnings = ["myst.xref_missing"]
