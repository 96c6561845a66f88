"""Names that options take, kept here so that ``--help`` loads nothing that uses them."""

#: Of ``ferconv parity --runner``; `existing.ways` says what each runs, and a test that both agree.
RUNNERS = (
    *("torch", "onnxruntime", "portable", "portable-fp32", "portable-fp16"),
    *("apple-cpu", "apple-gpu", "apple-ne", "apple-all"),
)

#: Of ``ferconv parity --detector``.
DETECTORS = ("opencv",)
