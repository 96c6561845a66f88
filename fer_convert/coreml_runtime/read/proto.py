"""Core ML's protobuf classes, without importing coremltools itself.

``import coremltools`` pulls in both converters, takes seconds, and off macOS prints eight lines
about native proxies it could not load. The generated ``*_pb2`` modules only need protobuf and their
own siblings, so we give their folder a package name of ours and import from there (about 40 ms).
Should coremltools be imported later, or have been imported before, both see the same message
classes: protobuf keeps one class per message of its descriptor pool.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from functools import cache
from typing import Any

from fer_convert.coreml_runtime.errors import ArtefactError

_ALIAS = "_fer_convert_coreml_proto"


@cache
def proto_module(name: str) -> Any:
    """Return one generated module, e.g. ``proto_module("Model_pb2")``.

    Raises:
        ArtefactError: coremltools is not installed.
    """
    if _ALIAS not in sys.modules:
        # find_spec on a top-level name locates the package and executes nothing.
        spec = importlib.util.find_spec("coremltools")
        if spec is None or not spec.submodule_search_locations:
            raise ArtefactError(
                "Reading Core ML files needs coremltools' protobuf classes, and coremltools is not "
                "installed.",
                hint="pip install coremltools",
            )
        package = types.ModuleType(_ALIAS)
        package.__path__ = [f"{folder}/proto" for folder in spec.submodule_search_locations]
        sys.modules[_ALIAS] = package
    return importlib.import_module(f"{_ALIAS}.{name}")
