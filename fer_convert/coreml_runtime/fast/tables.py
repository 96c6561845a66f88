"""The table of layers; the modules beside this one fill it."""

from __future__ import annotations

from collections.abc import Sequence

from fer_convert.coreml_runtime.fast.onnx_builder import Unlowered
from fer_convert.coreml_runtime.fast.translation import Source, Translations
from fer_convert.coreml_runtime.layer_ranks import LEAST_RANKS


class _Layers(Translations):
    def __call__(self, source: Source) -> str | Sequence[str]:
        least = LEAST_RANKS.get(source.kind, 0)
        if least:
            rank = len(source.shape(source.operands("input")[0]))
            if rank < least:
                raise Unlowered(f"an input of rank {rank}")
        return super().__call__(source)


LAYERS = _Layers()
