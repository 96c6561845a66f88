"""The commands of ``fertrain``, one module each; none imports torch until it runs."""
