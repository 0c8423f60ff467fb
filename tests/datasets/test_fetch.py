"""Fetching data sets: from a server of the test's own, with checksums, whole or not at all."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from neurosim import DataError, datasets
from neurosim.cli.main import main
from neurosim.datasets.catalogue import KNOWN


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A folder that is served, in place of the mirrors of a set of two files."""
    folder = tmp_path / "served"
    folder.mkdir()
    contents = {"a.gz": b"first", "b.gz": b"second"}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/"
    checksums = tuple((n, hashlib.sha256(c).hexdigest()) for n, c in contents.items())
    mirrors = (f"{address}nowhere/", address)
    monkeypatch.setitem(
        KNOWN, "mnist", replace(KNOWN["mnist"], checksums=checksums, mirrors=mirrors)
    )
    yield folder
    server.shutdown()
    server.server_close()


def test_files_are_fetched_from_the_first_mirror_that_has_them(served, tmp_path, capsys):
    target = tmp_path / "data"
    assert main(["data", "fetch", "mnist", "--data", str(target)]) == 0
    assert capsys.readouterr().out == f"{target / 'mnist'}\n"
    assert (target / "mnist" / "a.gz").read_bytes() == b"first"
    # Only a file that is damaged is fetched again.
    (served / "a.gz").write_bytes(b"another")
    (target / "mnist" / "b.gz").write_bytes(b"damaged")
    datasets.fetch("mnist", folder=target)
    assert (target / "mnist" / "b.gz").read_bytes() == b"second"


def test_a_wrong_checksum_leaves_no_file_and_says_which_mirror_gave_it(served, tmp_path):
    (served / "a.gz").write_bytes(b"changed")
    with pytest.raises(
        DataError,
        match=r"data 'mnist', a.gz: found http://.*nowhere/: HTTP Error 404: .*; http://.*: a file "
        r"with the checksum .*; expected the file with the SHA-256 .*. Try again where there is",
    ):
        datasets.fetch("mnist", folder=tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_without_a_network_or_a_mirror_the_error_says_so(monkeypatch, tmp_path, capsys):
    offline = replace(KNOWN["mnist"], mirrors=("http://127.0.0.1:9/",))
    monkeypatch.setitem(KNOWN, "mnist", offline)
    assert main(["data", "fetch", "mnist", "--data", str(tmp_path)]) == 2
    assert "found http://127.0.0.1:9/: <urlopen error [Errno 111]" in capsys.readouterr().err
    assert main(["data", "fetch", "nmnist", "--data", str(tmp_path)]) == 2
    assert "data 'nmnist': found no mirror. It cannot be fetched; put" in capsys.readouterr().err
    assert main(["data", "fetch"]) == 2
    assert "data fetch: found no name, expected one of mnist" in capsys.readouterr().err


def test_the_command_lists_all_data_sets(capsys):
    assert main(["data", "list"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in datasets.NAMES)
