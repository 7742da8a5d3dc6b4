"""Bridges to other simulators; each needs its own extra, and is imported where it is used."""
