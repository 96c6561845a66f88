"""The commands of ``ferconv``, one module each; heavy imports wait until one runs."""
