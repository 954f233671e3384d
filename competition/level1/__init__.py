"""Level-1 models: one model per file."""
