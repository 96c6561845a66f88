"""From a saved file to the typed graph; imports no exporter and no engine."""
