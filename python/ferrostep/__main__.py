"""``python -m ferrostep info``, ``demo`` and ``cuda-source``."""

from __future__ import annotations

import argparse
import sys

from ferrostep import cuda_source
from ferrostep.config import show_config


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ferrostep")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("info", help="print version, SIMD tiers, threads and backends")
    commands.add_parser("demo", help="train on real data with every optimizer", add_help=False)
    source = commands.add_parser("cuda-source", help="print the CUDA source of an update kernel")
    cuda_source.add_arguments(source)
    arguments, rest = parser.parse_known_args()
    if arguments.command == "demo":
        from ferrostep.demo import main as demo

        try:
            return demo(rest)
        except ImportError as error:  # an extra is missing: which command installs it
            sys.exit(f"error: {error}")
    if rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if arguments.command == "cuda-source":
        return cuda_source.run(source, arguments)
    show_config()
    return 0


if __name__ == "__main__":
    sys.exit(main())
