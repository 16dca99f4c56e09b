"""The program: `prepaid-exporter`, and `python -m exporter`."""

import os
import signal
import sys

_REFUSED = 3
"""Exit status, as of a monitoring plugin that could not find out."""


def main() -> None:
    """Run the command line, on a system that has what it needs."""
    if os.name != "posix":
        sys.stderr.write(
            "prepaid-exporter runs on POSIX systems, such as Linux, macOS and BSD; "
            "on Windows use WSL or the container image\n"
        )
        sys.exit(_REFUSED)
    # Libraries take a while to load: until then an interrupt ends the process without a message.
    # Where the shell has turned interrupts off, they stay off.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # A plugin of another program's, which the library would look for among all that is installed, has no business here.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from exporter.cli import main as command_line  # noqa: PLC0415 - only now

    command_line(prog_name="prepaid-exporter")


if __name__ == "__main__":
    main()
