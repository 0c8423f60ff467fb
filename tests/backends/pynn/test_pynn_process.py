"""The process in which another simulator runs: what the user sees of it meanwhile, and how Ctrl-C
ends it.
"""

import io
import os
import signal
import sys
import threading
import time

import pytest

from neurosim.backends.pynn.simulator.process import execute
from neurosim.run import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("name", "has_clock"), [("long on nest", True), ("", False)])
def test_a_script_that_takes_long_shows_a_clock_where_it_is_wanted(
    monkeypatch, tmp_path, name, has_clock
):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(progress, "PATIENCE", 0.1)
    (tmp_path / "long.py").write_text("import time\ntime.sleep(1)")
    execute(tmp_path / "long.py", title=name)
    assert ("long on nest [00:0" in sys.stderr.getvalue()) == has_clock


def test_the_clock_names_the_stage_that_a_mapping_has_reached(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(progress, "PATIENCE", 0.1)
    (tmp_path / "long.py").write_text(
        "import sys, time\nfor stage in ('Partitioning graph', 'Placing Vertices'):\n"
        "    print(stage + '\\n|0%    100%|\\n ====', file=sys.stderr, flush=True)\n"
        "    time.sleep(0.8)"
    )
    execute(tmp_path / "long.py", title="sPyNNaker maps net")
    for stage in ("Partitioning graph", "Placing Vertices"):
        assert f"sPyNNaker maps net: {stage} [00:0" in sys.stderr.getvalue()


def test_ctrl_c_ends_the_script_too(tmp_path):
    (tmp_path / "endless.py").write_text(
        "import os, signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "open('began', 'w').write(str(os.getpid()))\nos.rename('began', 'pid')\ntime.sleep(600)"
    )

    def press() -> None:
        while not (tmp_path / "pid").exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press).start()
    with pytest.raises(KeyboardInterrupt):
        execute(tmp_path / "endless.py")
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
