"""Parts of ../fuzz_coreml.py: valid models to start from, and how they are damaged."""
