"""Follow the commands of README.md and docs/installation.md on a bare Debian 12, as a newcomer would.

    make follow

Needs root on Debian 12, with debootstrap, and the exporter's usual port. The bare system is kept in the cache for the
next time; each document is followed in a fresh copy of it, with this machine's package sources, certificates and
settings of pip. A block is typed by an ordinary user, or by root where the sentence before it says "as root"; in a
terminal that was just opened where that says "in a new terminal" or a section begins. A server runs until its section
ends. Prints a line for each block of commands, why it was passed over where it was, and at the end how many of both;
the exit status is 1 when one failed.
"""

import argparse
import ast
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from markdown_it import MarkdownIt

from exporter.simulator import Simulator

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = ("README.md", "docs/installation.md")

# A document, words that exactly one of its blocks has, and why that block is not typed here.
PASSED_OVER = (
    ("README.md", "make test", "runs every test for many minutes; CI does that"),
    ("docs/installation.md", "/run/secrets:ro", "needs Docker"),
    ("docs/installation.md", " demo --web.listen-address", "needs Docker"),
    ("docs/installation.md", "docker compose up", "needs Docker"),
    ("docs/installation.md", "compose.own.yaml", "needs Docker"),
    ("docs/installation.md", "helm install", "needs a Kubernetes cluster"),
    ("docs/installation.md", "grafana-server", "needs Grafana, which Debian does not have"),
)
# What nothing starts without systemd as PID 1; of systemctl's other commands it passes over by itself what needs that.
STARTED = "systemctl enable --now "
# Packages that the reader of a section has already.
SUPPOSED = {
    ("README.md", "See it run"): "curl",
    ("docs/installation.md", "Textfile"): "prometheus-node-exporter",
}
SERVERS = re.compile(r"make demo\b|prepaid-exporter serve\b")
SITE = "http://127.0.0.1:10710"
PATIENCE = 900.0
"""Seconds that a block may take, or a server until it answers."""
USER = "newcomer"
CHECKOUT = f"/home/{USER}/prepaid-exporter"
"""Where `git clone` leaves it."""
PROXIES = {"http_proxy", "https_proxy", "all_proxy"}
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


class FailedError(Exception):
    """A block did not do what the document says; the text is what it printed."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a document: its section, the sentence before it, and the line at which it begins."""

    document: str
    line: int
    section: str
    before: str
    language: str
    text: str

    @property
    def typed(self) -> bool:
        """Return whether it holds commands for a shell."""
        return self.language in {"sh", "console"}

    @property
    def user(self) -> str:
        """Return who types it."""
        return "root" if re.search(r"\bas root\b", self.before, re.IGNORECASE) else USER

    def passed_over(self) -> str:
        """Return why it is not typed here; an empty text when it is."""
        reasons = (why for name, words, why in PASSED_OVER if name == self.document and words in self.text)
        return next(reasons, "")


def blocks(document: str, text: str) -> list[Block]:
    """Return the fenced blocks of a document, in their order."""
    found, section, before = [], "", ""
    tokens = MarkdownIt().parse(text)
    for opening, token in zip([None, *tokens], tokens, strict=False):
        if opening is not None and opening.type == "heading_open" and opening.tag in {"h1", "h2"}:
            section, before = token.content, ""
        elif token.type == "inline":
            before = token.content
        elif token.type == "fence" and token.map:
            found.append(Block(document, token.map[0] + 1, section, before, token.info, token.content))
            before = ""
    return found


def stale(found: list[Block]) -> list[str]:
    """Return what is wrong with the tables of what is not typed, a line each."""
    problems = []
    for document, words, _ in PASSED_OVER:
        count = sum(block.typed and block.document == document and words in block.text for block in found)
        if count != 1:
            problems.append(f"PASSED_OVER: {count} blocks of {document} have {words!r}, there must be one")
    if not any(block.typed and STARTED in block.text for block in found):
        problems.append(f"STARTED: no block has {STARTED!r}")
    return problems


def answers(path: str) -> str:
    """Return the page at a path of the documented address; an empty text where nothing answers."""
    try:
        with build_opener(ProxyHandler({})).open(SITE + path, timeout=60) as page:
            return str(page.read().decode())
    except (URLError, OSError):
        return ""


class Terminal:
    """What one user types, block after block: folder and variables stay until `reopen`. Servers run until `stop`.

    `enter` is the command before `sh` that leads to where it is typed; `home` is the user's, as seen from here.
    """

    def __init__(self, enter: list[str], home: Path, folder: str) -> None:
        self._enter = enter
        self._state = home / ".terminal"
        self._folder = folder
        self._servers: list[subprocess.Popen[bytes]] = []

    def reopen(self) -> None:
        """Forget folder and variables, as a new terminal does."""
        self._state.unlink(missing_ok=True)

    def type(self, block: Block) -> str:
        """Type a block and return what it printed; raise FailedError where a command fails or prints something else."""
        if block.language == "console":
            lines = block.text.splitlines()
            commands = "\n".join(line.removeprefix("$ ") for line in lines if line.startswith("$ "))
            printed = self._run(commands)
            if printed.splitlines() != [line for line in lines if not line.startswith("$ ")]:
                raise FailedError(f"the document shows something else than:\n{printed}")
            return printed
        lines = block.text.replace(STARTED, "systemctl enable ").splitlines()
        first = next((number for number, line in enumerate(lines) if SERVERS.match(line)), len(lines))
        printed = self._run("\n".join(lines[:first]))
        for line in lines[first:]:
            self._serve(line)
        return printed

    def stop(self) -> None:
        """End the servers as Ctrl-C would."""
        while self._servers:
            server = self._servers.pop()
            if server.poll() is not None:
                continue
            os.killpg(server.pid, signal.SIGINT)
            try:
                server.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()
                raise FailedError("the server did not end within a minute of Ctrl-C") from None

    def _command(self, script: str) -> list[str]:
        opened = (
            f"if [ -r ~/.terminal ]; then . ~/.terminal; cd \"$PWD\"; else\n{LOGIN}cd '{self._folder}'\nfi\n"
        )
        return [*self._enter, "sh", "-c", f"{opened}set -e\n{script}\n"]

    def _run(self, script: str) -> str:
        with tempfile.TemporaryFile() as output:
            # A file: a pipe would be waited for until the last process that the block left behind has ended.
            done = subprocess.run(  # noqa: S603
                self._command(f"{script}\nexport -p >~/.terminal"),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=PATIENCE,
                check=False,
            )
            output.seek(0)
            printed = output.read().decode(errors="replace")
        if done.returncode:
            raise FailedError(f"{printed}exit status {done.returncode}")
        return printed

    def _serve(self, line: str) -> None:
        if answers("/-/healthy"):
            raise FailedError(f"something else answers on {SITE}")
        with tempfile.TemporaryFile() as output:
            server = subprocess.Popen(  # noqa: S603
                self._command(f"exec {line}"),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._servers.append(server)
            end = time.monotonic() + PATIENCE
            while "\nprepaid_balance{" not in answers("/metrics"):
                if server.poll() is not None or time.monotonic() > end:
                    output.seek(0)
                    printed = output.read().decode(errors="replace")
                    raise FailedError(f"{printed}it serves no balance on {SITE}/metrics")
                time.sleep(0.5)


LOGIN = ". /etc/profile\nif [ -r ~/.profile ]; then . ~/.profile; fi\n"


def pip_settings() -> str:
    """Return a pip.conf that says what pip's files and variables say here, for a system with other folders."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603
    settings = {}
    for line in listed.splitlines():
        key, _, value = line.partition("=")
        name = key.rpartition(".")[2]
        if name in {"index-url", "extra-index-url", "trusted-host", "proxy", "timeout"}:
            settings[name] = " ".join(str(ast.literal_eval(value)).split())
    settings["cert"] = CERTIFICATES
    return "[global]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items())


def run(*command: str | Path) -> str:
    """Run a command of this machine that must succeed, and return what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}:\n{done.stdout}{done.stderr}")
    return done.stdout


def bare() -> Path:
    """Return the folder of a bare Debian 12, made by debootstrap when there is none yet."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "prepaid-exporter/bookworm")
    if not folder.exists():
        sites = run(
            "apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages", "Codename: bookworm"
        )
        new = folder.with_suffix(".new")
        shutil.rmtree(new, ignore_errors=True)
        new.parent.mkdir(parents=True, exist_ok=True)
        # Every host of the documents' has systemd.
        packages = "--include=ca-certificates,systemd"
        run("debootstrap", "--variant=minbase", packages, "bookworm", new, *sites.splitlines()[:1])
        new.rename(folder)
    return folder


def checkout(target: Path) -> None:
    """Copy what git tracks, as a clone would have it."""
    names = run("git", "-C", ROOT, "-c", "safe.directory=*", "ls-files", "-z").split("\0")
    for name in filter(None, names):
        if os.path.lexists(ROOT / name):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name, follow_symlinks=False)


@contextmanager
def newcomer(simulator: Simulator) -> Iterator[Path]:
    """Yield the root folder of a fresh system with a user and a checkout of theirs."""
    with tempfile.TemporaryDirectory() as folder:
        system = Path(folder, "root")
        run("cp", "--archive", bare(), system)
        shutil.rmtree(system / "etc/apt")
        shutil.copytree("/etc/apt", system / "etc/apt", symlinks=True)
        (system / "etc/apt/apt.conf.d/zz-yes").write_text('APT::Get::Assume-Yes "true";\n')
        (system / "etc/pip.conf").write_text(pip_settings())
        shutil.copy(CERTIFICATES, system / CERTIFICATES[1:])
        shutil.copy("/etc/resolv.conf", system / "etc/resolv.conf")
        # No package starts a server of its own.
        policy = system / "usr/sbin/policy-rc.d"
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
        run("mount", "-t", "proc", "proc", system / "proc")
        try:
            run(*enter(system, "root", simulator), "apt-get", "update")
            run("chroot", system, "useradd", "--create-home", "--shell", "/bin/bash", USER)
            bring(system, simulator)
            yield system
        finally:
            clear(system)
            run("umount", "--lazy", system / "proc")


def clear(system: Path) -> None:
    """End what still runs in a system, such as the rest of an interrupted block: it would go on writing there."""
    left = True
    while left:
        left = False
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has ended by itself
                if process.joinpath("root").readlink() == system:
                    os.kill(int(process.name), signal.SIGKILL)
                    left = True


def bring(system: Path, simulator: Simulator) -> None:
    """Lay out what a newcomer has: the checkout, the wheel of a release, and a key."""
    home = system / CHECKOUT[1:]
    checkout(home)
    with tempfile.TemporaryDirectory() as source:
        checkout(Path(source))
        run(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", home, source)
    (system / "run/secrets").mkdir(parents=True)
    for key in (system / "run/secrets/mall", home / "mall.key"):
        key.write_text(simulator.keys["apimall"])
    run("chroot", system, "chown", "--recursive", f"{USER}:", CHECKOUT)


def enter(system: Path, user: str, simulator: Simulator) -> list[str]:
    """Return the command that leads into a system, before the one that is run there."""
    home = "/root" if user == "root" else f"/home/{user}"
    variables = {
        "HOME": home,
        "USER": user,
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "DEBIAN_FRONTEND": "noninteractive",
        "APIMALL_KEY": simulator.keys["apimall"],
    }
    said = [f"{name}={value}" for name, value in variables.items()]
    sbin = "PATH=/usr/sbin:/usr/bin:/sbin:/bin"
    proxies = [f"{name}={value}" for name, value in os.environ.items() if name.lower() in PROXIES]
    # They have no say on loopback.
    proxies += [f"no_proxy={os.environ.get('no_proxy', '')},127.0.0.1"]
    return ["chroot", f"--userspec={user}:", str(system), "env", "-i", sbin, *said, *proxies]


def configuration(block: Block, simulator: Simulator) -> str:
    """Return a shown `prepaid.yml` that asks the simulator in the provider's place."""
    base_url = f"    base_url: {simulator.base_url('apimall')}\n"
    return block.text.replace("provider: apimall\n", "provider: apimall\n" + base_url)


def follow(document: str, found: list[Block], simulator: Simulator) -> int:
    """Follow a document on a fresh system, print a line for each block, and return how many failed."""
    failed = 0
    with newcomer(simulator) as system:
        homes = {"root": system / "root", USER: system / "home" / USER}
        terminals = {
            user: Terminal(enter(system, user, simulator), home, CHECKOUT) for user, home in homes.items()
        }
        file = Path(system, CHECKOUT[1:], "prepaid.yml")
        # What the document shows first counts in every section; what a section shows counts there alone.
        shared: Block | None = None
        section = ""
        for block in found:
            if block.section != section:
                section = block.section
                failed += close(terminals)
                if package := SUPPOSED.get((document, section)):
                    install = ("apt-get", "install", "--no-install-recommends", package)
                    run(*enter(system, "root", simulator), *install)
                if shared:
                    file.write_text(configuration(shared, simulator))
            if block.language == "yaml" and block.text.startswith("accounts:"):
                shared = shared or block
                file.write_text(configuration(block, simulator))
            if block.typed:
                failed += not told(block, terminals[block.user])
        failed += close(terminals)
    return failed


def close(terminals: dict[str, Terminal]) -> int:
    """Close the terminals with what runs in them, and return how many servers did not end."""
    failed = 0
    for terminal in terminals.values():
        terminal.reopen()
        try:
            terminal.stop()
        except FailedError as error:
            print(f"failed       {error}")
            failed += 1
    return failed


def told(block: Block, terminal: Terminal) -> bool:
    """Follow one block, say in a line what became of it, and return whether that is well."""
    where = f"{block.document}:{block.line}  {block.text.splitlines()[0]}"
    if why := block.passed_over():
        print(f"passed over  {where}  ({why})", flush=True)
        return True
    if "in a new terminal" in block.before.lower():
        terminal.reopen()
    try:
        terminal.type(block)
    except (FailedError, subprocess.TimeoutExpired) as error:
        print(f"failed       {where}")
        print("".join(f"    {line}\n" for line in str(error).splitlines()), end="", flush=True)
        return False
    limit = "  (nothing is started: systemd is not PID 1)" if "systemctl " in block.text else ""
    print(f"followed     {where}{limit}", flush=True)
    return True


def counted(found: list[Block], failed: int) -> str:
    """Return a line that says how many blocks were followed, how many passed over, and how much failed."""
    typed = [block for block in found if block.typed]
    passed_over = sum(bool(block.passed_over()) for block in typed)
    return f"{len(typed) - passed_over} blocks typed, {passed_over} passed over, {failed} failed"


def unable() -> str:
    """Return what is missing on this machine, in a line; an empty text when nothing is."""
    system = platform.freedesktop_os_release()
    if os.geteuid() or (system["ID"], system.get("VERSION_ID")) != ("debian", "12"):
        return "needs root on Debian 12: a bare Debian 12 is made with this machine's package sources"
    if not shutil.which("debootstrap"):
        return "needs debootstrap: apt-get install debootstrap"
    if answers("/-/healthy"):
        return f"needs the address of the documents for itself, and something answers on {SITE}"
    return ""


def main() -> None:
    """Follow all documents, apart from this machine's processes and mounts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "document", nargs="*", default=DOCUMENTS, help=f"by default {' and '.join(DOCUMENTS)}"
    )
    documents = parser.parse_args().document
    if unknown := set(documents) - set(DOCUMENTS):
        parser.error(f"follows {' and '.join(DOCUMENTS)}, not {', '.join(sorted(unknown))}")
    found = [block for name in DOCUMENTS for block in blocks(name, (ROOT / name).read_text())]
    if problem := unable() or "\n".join(stale(found)):
        sys.exit(f"follow_docs: {problem}")
    if os.getpid() != 1:  # with the first process of their own, nothing that is started outlives it
        apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        os.execvp(apart[0], [*apart, sys.executable, __file__, *documents])  # noqa: S606
    # The first of its kind ignores what it does not handle.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("follow_docs: ended"))
    with Simulator(speed=0) as simulator:
        failed = [
            follow(name, [block for block in found if block.document == name], simulator)
            for name in documents
        ]
    print(counted([block for block in found if block.document in documents], sum(failed)))
    sys.exit(1 if any(failed) else 0)


if __name__ == "__main__":
    main()
