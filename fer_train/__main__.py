"""``python -m fer_train``: the command ``fertrain``."""

from fer_train.cli import main

main()
