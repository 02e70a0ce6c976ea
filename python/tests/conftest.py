"""Small models and runs; everything random is drawn from seeds."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")

ROOT = Path(__file__).resolve().parents[1]
if importlib.util.find_spec("wisca") is None:
    sys.path.insert(0, str(ROOT / "src"))

import pytest  # noqa: E402

import wisca  # noqa: E402

# What processes of tests import: what is installed, or else the checkout's.
PACKAGES = str(Path(wisca.__file__).resolve().parents[1])

try:
    import torch
except ModuleNotFoundError:
    collect_ignore_glob = ["test_*.py"]


def pytest_report_header(config):
    return "no tests are collected: they need torch" if "collect_ignore_glob" in globals() else None


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def exact_norms():
    """transformers' RMSNorm computes in float32 whatever the weights are; here it computes in the weights' type."""
    from transformers.models.llama import modeling_llama

    def forward(self, hidden):
        variance = hidden.pow(2).mean(-1, keepdim=True)
        return self.weight * (hidden * torch.rsqrt(variance + self.variance_epsilon))

    before = modeling_llama.LlamaRMSNorm.forward
    modeling_llama.LlamaRMSNorm.forward = forward
    yield
    modeling_llama.LlamaRMSNorm.forward = before


def tiny_config(**changes):
    from transformers import LlamaConfig

    values = dict(
        hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, vocab_size=64,
        max_position_embeddings=32, tie_word_embeddings=False, attn_implementation="eager")
    return LlamaConfig(**{**values, **changes})


def tiny_model(seed=0, dtype=None, **changes):
    from transformers import LlamaForCausalLM

    torch.manual_seed(seed)
    model = LlamaForCausalLM(tiny_config(**changes)).to(dtype or torch.float32)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "layernorm" in name or (name == "model.norm.weight" and not changes.get("tie_word_embeddings")):
                parameter.mul_(1 + 0.2 * torch.randn_like(parameter))
            elif "q_proj" in name or "v_proj" in name:
                parameter.mul_(5)
    return model


def windows(count, seed=1, rows=4, length=16):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(0, 64, (rows, length), generator=generator) for _ in range(count)]


def loss_of(model, ids):
    logits = model(input_ids=ids).logits[:, :-1]
    if logits.dtype != torch.float64:
        logits = logits.float()
    return torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), ids[:, 1:].reshape(-1))


def train(model, optimizer, attachment=None, steps=20, seed=1, first=0, on_event=None):
    """Losses of steps on windows that follow from the seed."""
    losses = []
    for ids in windows(first + steps, seed)[first:]:
        loss = loss_of(model, ids)
        loss.backward()
        optimizer.step()
        if attachment is not None:
            events = attachment.step()
            if on_event is not None:
                for event in events:
                    on_event(event)
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


def logits(model, seed=99):
    with torch.no_grad():
        return model(input_ids=windows(1, seed)[0]).logits.clone()
