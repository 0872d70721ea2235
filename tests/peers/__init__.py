"""Other libraries' own tests, with our optimizers in the place of theirs: `make test-peers`."""
