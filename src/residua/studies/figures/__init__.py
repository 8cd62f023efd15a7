"""Figures for people.  The only importer of matplotlib, which is an optional package."""
