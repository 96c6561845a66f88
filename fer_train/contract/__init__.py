"""What a checkpoint promises: labels, pixels, architecture, file format, errors.

This package is the only part of ``fer_train`` that ``fer_convert`` may import (enforced by
import-linter), and it imports nothing of either tool. Submodules are imported by name so that
``errors`` and ``labels`` stay free of heavy imports.
"""
