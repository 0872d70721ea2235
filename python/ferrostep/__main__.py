"""The command ``ferrostep``, which is ``python -m ferrostep`` too."""

from __future__ import annotations

import argparse
import os
import sys

from ferrostep import __version__, cuda_source, inspection
from ferrostep.config import show_config

#: What each command does, and what it writes.
COMMANDS = {
    "info": "print version, SIMD tiers, threads and backends; writes no file",
    "inspect": "print what is in a checkpoint, by its header alone; writes no file",
    "demo": "train on real data with every optimizer; writes pictures into demo-output",
    "cuda-source": "print the CUDA source of an update kernel; writes no file",
}
CODES = "exit codes: 0, done; 1, what was asked for failed; 2, wrong usage"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="ferrostep",
        description="Look at this installation, at checkpoints and at kernels, or see it train.",
        epilog=f"{CODES}. The same as python -m ferrostep.",
    )
    parser.add_argument("--version", action="version", version=f"ferrostep {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    made = {
        name: commands.add_parser(
            name,
            help=text,
            description=text[0].upper() + text[1:] + ".",
            epilog=CODES,
            add_help=name != "demo",  # which has its own
        )
        for name, text in COMMANDS.items()
    }
    inspection.add_arguments(made["inspect"])
    cuda_source.add_arguments(made["cuda-source"])
    arguments, rest = parser.parse_known_args()
    if rest and arguments.command != "demo":
        made[arguments.command].error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        code = _run(arguments, rest, made["cuda-source"])
        sys.stdout.flush()
    except BrokenPipeError:  # who read it has enough, as `head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
        return 1
    return code


def _run(arguments: argparse.Namespace, rest: list[str], source: argparse.ArgumentParser) -> int:
    if arguments.command == "demo":
        from ferrostep.demo import main as demo

        try:
            return demo(rest)
        except ImportError as error:  # an extra is missing: which command installs it
            sys.exit(f"error: {error}")
    if arguments.command == "inspect":
        try:
            text = inspection.run(arguments)
        except (OSError, ValueError) as error:
            sys.exit(f"error: {error}")
        _print(text)
    elif arguments.command == "cuda-source":
        return cuda_source.run(source, arguments)
    else:
        show_config()
    return 0


def _print(text: str) -> None:
    """Print what may have characters that the terminal has not."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))


if __name__ == "__main__":
    sys.exit(main())
