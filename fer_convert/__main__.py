"""``python -m fer_convert``: the command ``ferconv``."""

from fer_convert.cli import main

main()
