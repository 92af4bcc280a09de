"""kill -9 of the process that holds a model, in the midst of its work for a run: that run fails, the next completes."""

import os
import re
import signal
from dataclasses import replace

from tests.faults.chain import MODEL, materialize
from tests.faults.contents import leftovers, read_whole, said, visible
from tests.resources.ray_callers import cluster, is_alive, wait_for


def test_a_run_whose_model_was_killed_says_so_and_the_next_run_completes(undisturbed, up_to, tmp_path):
    with cluster(tmp_path) as models:
        environment = {"CT_ASSETS_COMPUTE": "ray", "CT_ASSETS_RAY_ADDRESS": models.address, "CT_ASSETS_DEVICE": "cpu"}
        chain = replace(up_to("organ_seg"), environment={**environment, **models.authentication})
        running = chain.start(materialize, ["organ_seg"])
        [pid] = wait_for(lambda: re.findall(r"in a resident actor.*: process (\d+)", running.log_text))
        assert is_alive(int(pid))
        os.kill(int(pid), signal.SIGKILL)
        reason = running.end().answer["organ_seg"]
        assert reason.startswith("organ_seg: the process of the model NnunetModel-")
        assert f"(pid {pid}) ended while it worked on this series: killed, crashed, or out of memory" in reason
        assert "materialize the series again, which starts it anew" in reason
        for path in visible(chain.out):
            read_whole(path)
        assert not chain.series.label_map(MODEL).exists()
        assert leftovers(chain.out) == []
        assert chain.materialize("organ_seg").answer == {}
    made, expected = said(chain.series), said(undisturbed.series)
    assert {name: made[name] for name in made if name.startswith("organ_seg")} == {
        name: expected[name] for name in expected if name.startswith("organ_seg")
    }
