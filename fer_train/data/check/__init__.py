"""``fertrain data check``: leaks, duplicates and contradictory labels, before any training."""
