"""What this machine's processor can do."""

import pytest
import torch


def _computes_lstm_in_bf16():
    """Whether torch has an LSTM in bfloat16 here: its kernels want AVX-512 or the like."""
    try:
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            torch.nn.LSTM(16, 16, batch_first=True)(torch.zeros(2, 3, 16))
    except RuntimeError:
        return False
    return True


bf16_lstm = pytest.mark.skipif(not _computes_lstm_in_bf16(), reason="no LSTM in bfloat16 on this processor")
