"""Build the programs of today that tests and benchmarks run, each with exactly what its own tools/NAME/go.mod locks.

Debian has the programs of 2023 (scripts/tools); people run those of today too. What is built is kept for the next run.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOOLS = Path(__file__).resolve().parent.parent / "tools"
OLDEST_GO = (1, 26)
# No more than the tests use: the clients of two dozen clouds are most of Prometheus' build.
TAGS = {"prometheus": "remove_all_sd"}
# What a module lacks since its release builds it by npm: it compiles with any file in its place, and has no pages then.
LACKING = {"alertmanager": ("github.com/prometheus/alertmanager", "ui/app/dist/index.html")}


def kept(name: str) -> Path:
    """Return the folder of the programs of a go.mod, which need not be built yet."""
    locked = b"".join((TOOLS / name / file).read_bytes() for file in ("go.mod", "go.sum"))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "prepaid-exporter" / "tools" / f"{name}-{hashlib.sha256(locked).hexdigest()[:16]}"


def names() -> list[str]:
    """List what can be built."""
    return sorted(path.parent.name for path in TOOLS.glob("*/go.mod"))


def go(*arguments: object, folder: Path = TOOLS, said: bool = False) -> str:
    """Run the Go that is installed, and no other that it would fetch; return what it said, where that is wanted."""
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}
    command = ["go", *map(str, arguments)]
    output = subprocess.PIPE if said else None
    ended = subprocess.run(command, cwd=folder, env=environment, check=True, stdout=output, text=True)  # noqa: S603
    return (ended.stdout or "").strip()


def completed(module: str, lacking: str, source: Path, folder: Path) -> Path:
    """Put a copy of a module, with the file that it lacks, into a folder; return a go.mod that builds from it."""
    go("mod", "download", module, folder=source)
    copy = folder / "module"
    found = go("list", "-m", "-f", "{{.Dir}}", module, folder=source, said=True)
    shutil.copytree(found, copy, copy_function=shutil.copyfile)
    for path in (copy, *copy.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)  # what it is copied from is read-only
    (copy / lacking).parent.mkdir(parents=True, exist_ok=True)
    (copy / lacking).write_text("built without its pages\n")
    for file in ("go.mod", "go.sum"):
        shutil.copy(source / file, folder / file)
    go("mod", "edit", f"-replace={module}={copy}", folder / "go.mod")
    return folder / "go.mod"


def build(name: str) -> None:
    """Build the programs of a go.mod into the folder where they are kept; raise CalledProcessError where Go fails."""
    final = kept(name)
    final.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=final.parent, prefix=".building-") as temporary:
        folder = Path(temporary)
        options = ["-trimpath", "-buildvcs=false", "-ldflags=-s -w", f"-o={folder / 'built'}/"]
        if name in TAGS:
            options.append(f"-tags={TAGS[name]}")
        if name in LACKING:
            options.append(f"-modfile={completed(*LACKING[name], TOOLS / name, folder)}")
        (folder / "built").mkdir()
        go("build", *options, "tool", folder=TOOLS / name)
        if not final.exists():  # else another run was faster
            (folder / "built").rename(final)


def reason_not_to() -> str:
    """Say why nothing can be built here; nothing where it can."""
    if not shutil.which("go"):
        return "Go is not installed"
    said = go("version", said=True)
    found = re.search(r"\bgo(\d+)\.(\d+)", said)
    if not found or (int(found[1]), int(found[2])) < OLDEST_GO:
        return f"Go {'.'.join(map(str, OLDEST_GO))} or newer is needed, and here is {said or 'none that answers'}"
    return ""


def main() -> None:
    """Build what is missing; a build that fails costs its own programs only, and the tests say what they miss."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names())}; all without one")
    wanted = parser.parse_args().names or names()
    missing = [name for name in wanted if not kept(name).exists()]
    if missing and (reason := reason_not_to()):
        sys.stderr.write(f"{reason}: tests with {', '.join(missing)} are skipped, and fail where CI is set\n")
        return
    for name in missing:
        began = time.monotonic()
        try:
            build(name)
        except subprocess.CalledProcessError as error:
            sys.stderr.write(f"{name} cannot be built: {error}\n")
        else:
            print(f"built {name} in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
