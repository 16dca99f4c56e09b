"""A file of the operator's is read without waiting, whole, and only where it is a file."""

import os
import socket
from pathlib import Path

import pytest

from exporter.files import file_signature, read_file

PIPE = "it is a pipe or a device; it must be a regular file, since it is read more than once"


def refusal(path: Path, limit: int = 100) -> str | None:
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the text is what is asked for
        read_file(path, limit)
    return caught.value.strerror


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 100)
    assert read_file(file, 100) == b"x" * 100
    file.write_bytes(b"x" * 101)
    assert refusal(file) == "it is over 100 bytes"


def test_a_file_that_does_not_say_its_size_is_read_too() -> None:
    """Those of the kernel have the size 0."""
    assert read_file(Path("/proc/self/status"), 100_000).startswith(b"Name:")
    assert refusal(Path("/proc/self/status"), 10) == "it is over 10 bytes"


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("file")
    assert read_file(tmp_path / "link", 1) == b"x"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path / "pipe") == PIPE


def test_a_shell_s_substitution_is_refused() -> None:
    reading, writing = os.pipe()
    try:
        os.write(writing, b"accounts: []\n")
        assert refusal(Path(f"/dev/fd/{reading}")) == PIPE
    finally:
        os.close(reading)
        os.close(writing)


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
def test_a_device_is_refused(device: str) -> None:
    assert refusal(Path(device)) == PIPE


def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's name has few letters
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        assert refusal(Path("socket")) == PIPE


@pytest.mark.parametrize("name", ["a\0b", "a\ud800b"])
def test_what_cannot_be_a_name_is_told_and_has_no_signature(name: str) -> None:
    assert refusal(Path(name)) == "it is not the name of a file"
    assert file_signature(Path(name)) is None


def test_a_folder_and_a_missing_file_are_named_as_the_system_does(tmp_path: Path) -> None:
    assert refusal(tmp_path) == "Is a directory"
    assert refusal(tmp_path / "none") == "No such file or directory"
