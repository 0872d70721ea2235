"""What the tests share: inputs and comparisons, devices and compilers, programs of their own."""
