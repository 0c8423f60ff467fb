"""A sweep on a cluster: Dask on this machine, two workers, one killed in the middle."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from support.sweep_functions import build

import neurosim as ns

distributed = pytest.importorskip("distributed")

pytestmark = [
    pytest.mark.process,
    pytest.mark.filterwarnings("ignore"),  # of a library, about a worker that is killed on purpose
]


def wait_and_count(result: ns.Recording) -> dict[str, float]:
    """Return the number of spikes, after the process has noted its id."""
    folder = Path(os.environ["NOTES"])
    (folder / str(os.getpid())).touch()
    while not (folder / "killed").exists():
        time.sleep(0.01)
    return {"spikes": len(result["e"].spikes), "process": os.getpid()}


@pytest.fixture
def client(tmp_path, monkeypatch):
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))
    (tmp_path / "notes").mkdir()
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            local_directory=str(tmp_path / "dask"),
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.mark.parametrize("form", ["executor", "client"])
def test_a_worker_that_is_killed_costs_no_job(tmp_path, client, form):
    cluster = client.get_executor() if form == "executor" else client
    grid = {"rate": [50, 100], "size": [3]}
    arguments = {"time": "100 ms", "seeds": range(3), "backend": "reference"}
    notes = tmp_path / "notes"

    def kill_one(folder):
        processes = list(folder.glob("[0-9]*"))
        until = time.monotonic() + 60
        while len(processes) < 2 and time.monotonic() < until:
            time.sleep(0.02)
            processes = list(folder.glob("[0-9]*"))
        os.kill(int(processes[0].name), signal.SIGKILL)
        (folder / "killed").touch()
        return int(processes[0].name)

    import concurrent.futures

    with concurrent.futures.ThreadPoolExecutor(1) as killer:
        killed = killer.submit(kill_one, notes)
        table = ns.sweep(
            build,
            grid,
            measure=wait_and_count,
            folder=tmp_path / "out",
            cluster=cluster,
            **arguments,
        )
    assert not table.failed
    assert killed.result() not in table["process"]
    here = ns.sweep(
        build, grid, measure=wait_and_count, folder=tmp_path / "here", workers=0, **arguments
    )
    assert (here["spikes"] == table["spikes"]).all()
