"""The reference engine: one operation after another, in declared precision."""
