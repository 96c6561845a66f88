"""Artefacts broken on purpose: what a comparison must catch."""
