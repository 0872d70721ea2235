"""Where an update is computed: the Rust core, or NumPy (the reference)."""
