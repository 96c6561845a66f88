"""What ``ferconv`` starts from: a checkpoint, plain weights or a program, of any accepted kind.

All of them become a `Source`: a network from normalised pixels to logits, with the labels and the
pixel contract it was trained under. Whatever a file does not say must be given, and whatever it
says must not be contradicted.
"""

from fer_convert.source.load import load_source
from fer_convert.source.model import Source

__all__ = ["Source", "load_source"]
