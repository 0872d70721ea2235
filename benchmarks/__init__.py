"""ferrostep beside the floor and its peers: ``python -m benchmarks``. Never a timed test."""
