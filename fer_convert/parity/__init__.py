"""Is the artefact on disk the model that was trained? Measures, verdicts, mutations."""
