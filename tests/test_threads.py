import os
import subprocess
import sys

from bakeoff import threads
from bakeoff.threads import waiting


def test_the_user_decides_how_threads_wait(monkeypatch):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    assert waiting() == {"GOMP_SPINCOUNT": str(threads.SPINS)}
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    assert waiting() == {}


#: The last losses and weights of a few steps whose operations are large enough for two threads.
TRAINED = """
import hashlib, sys, torch
from bakeoff.models import GPT1
torch.manual_seed(0)
torch.set_num_threads(2)
model = GPT1(width=64, heads=2).build(500, 32)
optimizer = torch.optim.AdamW(model.parameters(), fused=True)
for step in range(3):
    tokens = torch.randint(500, (8, 33))
    model.loss(tokens[:, :-1], tokens[:, 1:]).backward()
    optimizer.step()
    optimizer.zero_grad()
print(hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())
"""


def test_how_threads_wait_changes_no_bits():
    def trained(**waits):
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_"))}
        command = [sys.executable, "-c", TRAINED]
        return subprocess.run(command, capture_output=True, text=True, check=True, env=kept | waits).stdout

    # Long enough for every gap; for ever would take minutes on a busy machine.
    spinning, sleeping = trained(GOMP_SPINCOUNT="20000"), trained(OMP_WAIT_POLICY="PASSIVE")
    assert len(spinning) > 64
    assert spinning == sleeping == trained(**waiting())


def test_the_command_itself_waits_as_its_workers_do():
    """It times steps for its estimates, which threads that spin beside other programs would make minutes of hours."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_"))}
    code = """
import os, sys
from bakeoff import process
assert "torch" not in sys.modules
process.start()
print(os.environ["GOMP_SPINCOUNT"])
"""
    for asked, expected in (({}, str(threads.SPINS)), ({"GOMP_SPINCOUNT": "7"}, "7")):
        told = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=kept | asked
        )
        assert told.stdout.strip() == expected
