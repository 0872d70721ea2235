"""Where an update is computed: the Rust core, CuPy's device, or NumPy (the reference)."""
