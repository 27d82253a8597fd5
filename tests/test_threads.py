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
weights = list(model.parameters())
moments = [[torch.zeros_like(weight) for weight in weights] for _ in range(2)]
taken = [torch.zeros(()) for _ in weights]
for step in range(3):
    tokens = torch.randint(500, (8, 33))
    model.loss(tokens[:, :-1], tokens[:, 1:]).backward()
    for count in taken:
        count += 1
    # The kernel of AdamW alone: an optimizer of torch imports its compiler, for seconds.
    with torch.no_grad():
        torch._fused_adamw_(
            weights, [weight.grad for weight in weights], *moments, [], taken,
            lr=1e-3, beta1=0.9, beta2=0.999, weight_decay=0.01, eps=1e-8, amsgrad=False, maximize=False,
        )
    for weight in weights:
        weight.grad = None
print(hashlib.sha256(b"".join(weight.detach().numpy().tobytes() for weight in weights)).hexdigest())
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
