"""``ferconv parity``: files that exist already, compared with each other. See docs/parity.md."""
