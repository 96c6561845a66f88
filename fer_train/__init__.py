"""fertrain: train a facial-expression classifier whose checkpoint can be trusted downstream."""

__version__ = "0.1.0"
