"""Other libraries beside ours: their own tests with ours in place, and their numbers.

`make test-peers` runs them.
"""
