"""Rotations in a loop."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from conftest import logits, loss_of, tiny_model, train, windows

import wisca
import wisca._attachment
import wisca._live
from wisca._rotations import find_basis

pytestmark = pytest.mark.usefixtures("exact_norms")


def uniform_gains(model):
    """Gains act channel by channel, so that training them is not the same in another basis: they are ones, and their rate is zero."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name:
                parameter.fill_(1)
    gains = [parameter for name, parameter in model.named_parameters() if "norm" in name]
    return gains, [parameter for name, parameter in model.named_parameters() if "norm" not in name]


@pytest.mark.parametrize("rotate", [
    dict(stream="momentum", every=4), dict(stream="gradient", every=4, search="eigenvectors"),
    dict(stream="weights", every=4, values="same"),
    dict(stream="random", every=4, gains="fold"), dict(stream="hadamard", every=4), dict(stream="identity", every=4, gains="fold"),
    dict(stream="momentum", every=4, state="mix", fraction=0.5, values="same"), dict(stream="gradient", every=4, state="reset", inner=True),
], ids=lambda rotate: "-".join(map(str, rotate.values())))
def test_the_function_stays_at_every_rotation(rotate):
    model = tiny_model(dtype=torch.float64)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.95))
    attachment = wisca.attach(model, optimizer, rotate=rotate)
    worst, angles = 0.0, []
    for ids in windows(14):
        loss_of(model, ids).backward()
        optimizer.step()
        before = logits(model)
        for event in attachment.step():
            angles += [space.angle for space in event.spaces]
            assert all(space.skipped is None for space in event.spaces)
            worst = max(worst, float((logits(model) - before).abs().max()))
        optimizer.zero_grad()
    assert attachment.rotations == 3 and attachment.transitions == 0
    assert worst < 1e-12
    assert (max(angles) > 1) == (rotate["stream"] != "identity")
    for total in attachment.state_dict()["totals"].values():
        assert (total.T @ total - torch.eye(len(total), dtype=torch.float64)).abs().max() < 1e-13
    before = logits(model)
    attachment.undo()
    assert (logits(model) - before).abs().max() < 1e-12


def test_the_loss_stays_in_float32():
    model = tiny_model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    probe = windows(1, 5)[0]
    attachment = wisca.attach(
        model, optimizer, preset="qk_ten+vo_ten", every=6, rotate=dict(stream="momentum", every=4, values="same"),
        verify=lambda: loss_of(model, probe).item())
    losses = []
    train(model, optimizer, attachment, 20, on_event=lambda event: losses.append(event.loss))
    assert len(losses) == 7 and all(abs(after - before) <= 1e-6 * before for before, after in losses)


class TestEquivariance:
    """What treats a matrix as one does not see a rotation; what treats its elements one by one does."""

    def losses(self, make, rotate, steps=50):
        model = tiny_model(dtype=torch.float64)
        gains, others = uniform_gains(model)
        optimizer = make([{"params": others}, {"params": gains, "lr": 0.0, "weight_decay": 0.0}])
        attachment = wisca.attach(model, optimizer, rotate=rotate) if rotate else None
        return train(model, optimizer, attachment, steps)

    @pytest.mark.parametrize("momentum", [0.0, 0.9])
    def test_sgd_is_unchanged_over_50_steps(self, momentum):
        def make(parameters):
            return torch.optim.SGD(parameters, lr=0.05, momentum=momentum)

        plain = self.losses(make, None)
        rotated = self.losses(make, dict(stream="random", every=5, values="same"))
        assert max(abs(a - b) for a, b in zip(plain, rotated)) < 1e-9

    @pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch has no Muon")
    def test_muon_is_unchanged(self):
        def run(rotate):
            model = tiny_model(dtype=torch.float64)
            gains, others = uniform_gains(model)
            optimizers = [
                torch.optim.Muon([p for p in others if p.shape[0] != 64], lr=1e-3),
                torch.optim.SGD([{"params": [p for p in others if p.shape[0] == 64]}, {"params": gains, "lr": 0.0}], lr=0.05)]
            attachment = wisca.attach(model, optimizers, rotate=rotate) if rotate else None
            losses = []
            for ids in windows(20):
                loss = loss_of(model, ids)
                loss.backward()
                for optimizer in optimizers:
                    optimizer.step()
                if attachment:
                    attachment.step()
                for optimizer in optimizers:
                    optimizer.zero_grad()
                losses.append(loss.item())
            return losses

        # Newton and Schulz in bfloat16 round differently in another basis.
        plain, rotated = run(None), run(dict(stream="random", every=5))
        assert max(abs(a - b) for a, b in zip(plain, rotated)) < 1e-2

    def test_adamw_changes(self):
        def make(parameters):
            return torch.optim.AdamW(parameters, lr=1e-3)

        plain = self.losses(make, None, 20)
        rotated = self.losses(make, dict(stream="random", every=5), 20)
        assert max(abs(a - b) for a, b in zip(plain, rotated)) > 1e-4

    def test_a_momentum_that_does_not_follow_is_seen(self, monkeypatch):
        def make(parameters):
            return torch.optim.SGD(parameters, lr=0.05, momentum=0.9)

        plain = self.losses(make, None, 20)
        monkeypatch.setattr(wisca._live.LiveModel, "_turn_moments", lambda *arguments: None)
        rotated = self.losses(make, dict(stream="random", every=5), 20)
        assert max(abs(a - b) for a, b in zip(plain, rotated)) > 1e-4


def reference(model, optimizer, space, rotation):
    """W' = W diag(g) R diag(1/g') and so on, written out for a Llama."""
    g = {}
    parameters = dict(model.named_parameters())
    for gain in space["gains"]:
        before = parameters[gain["tensor"]].detach().double()
        after = ((rotation**2).T @ before**2).sqrt() * before[rotation.abs().argmax(0)].sign()
        g[gain["tensor"]] = before, after
    expected = {}
    for name, parameter in parameters.items():
        weight, state = parameter.detach().double(), optimizer.state[parameter]
        m, v = state["exp_avg"].double(), state["exp_avg_sq"].double()
        if name in g:
            expected[name] = g[name][1], m, v
            continue
        if "embed" in name:
            expected[name] = weight @ rotation, m @ rotation, v
            continue
        if "o_proj" in name or "down_proj" in name:
            expected[name] = rotation.T @ weight, rotation.T @ m, v
            continue
        layer = name.rsplit(".", 3)[0]
        gain = "model.norm.weight" if "lm_head" in name else (
            f"{layer}.input_layernorm.weight" if "self_attn" in name else f"{layer}.post_attention_layernorm.weight")
        before, after = g[gain]
        least = 0.3 * before.square().mean().sqrt()
        guarded = torch.where(before < 0, before.clamp(max=-least), before.clamp(min=least))
        expected[name] = (
            weight @ (before[:, None] * rotation / after), m @ (rotation / guarded[:, None] * after), v * (after / guarded) ** 2)
    return expected


def test_weights_momenta_and_second_moments_against_the_formulas():
    model = tiny_model(dtype=torch.float64)
    with torch.no_grad():
        model.model.layers[0].input_layernorm.weight[3] = 0.05
        model.model.layers[0].input_layernorm.weight[4] = -0.8
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
    attachment = wisca.attach(model, optimizer, rotate=dict(stream="momentum", every=100))
    train(model, optimizer, attachment, 3)
    space = attachment.plan["spaces"][0]
    parameters = dict(model.named_parameters())
    covariance = torch.zeros(32, 32, dtype=torch.float64)
    for piece in space["slices"]:
        m = optimizer.state[parameters[piece["tensor"]]]["exp_avg"].double()
        share = m @ m.T if piece["axis"] == 0 else m.T @ m
        covariance += share / share.trace()
    basis = find_basis(covariance)
    expected = reference(model, optimizer, space, basis)
    event = attachment.rotate()
    assert torch.allclose(attachment.state_dict()["totals"]["stream"], basis, atol=1e-12)
    assert event.spaces[0].diagonal[1] > event.spaces[0].diagonal[0]
    for name, (weight, m, v) in expected.items():
        parameter = parameters[name]
        for got, wanted in ((parameter, weight), (optimizer.state[parameter]["exp_avg"], m), (optimizer.state[parameter]["exp_avg_sq"], v)):
            assert torch.allclose(got.detach(), wanted, rtol=1e-9, atol=1e-13), name


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32], ids=str)
def test_readers_make_up_for_the_rounding_of_gains(dtype):
    """Gains are stored in few bits, what reads them in many: the function stays by as many bits as the readers have."""
    model = tiny_model(dtype=torch.float64)
    norms = [module for name, module in model.named_modules() if name.endswith("norm")]
    with torch.no_grad():
        for index, norm in enumerate(norms):
            norm.weight.copy_(torch.linspace(0.6, 1.7, 32, dtype=torch.float64).roll(index))
            norm.weight.data = norm.weight.data.to(dtype)
    optimizer = torch.optim.SGD(model.parameters(), lr=0)
    attachment = wisca.attach(model, optimizer, rotate=dict(stream="random", every=1))
    before = logits(model)
    attachment.rotate()
    assert (logits(model) - before).abs().max() < 1e-12
    assert all(norm.weight.dtype == dtype for norm in norms)


def test_gradients_are_averaged_every_fourth_step():
    model = tiny_model(dtype=torch.float64)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    attachment = wisca.attach(model, optimizer, rotate=dict(stream="gradient", every=100, start=50))
    parameters = dict(model.named_parameters())
    average = None
    for step, ids in enumerate(windows(10)):
        loss_of(model, ids).backward()
        if step % 4 == 0:
            now = torch.zeros(32, 32, dtype=torch.float64)
            for piece in attachment.plan["spaces"][0]["slices"]:
                gradient = parameters[piece["tensor"]].grad
                share = gradient @ gradient.T if piece["axis"] == 0 else gradient.T @ gradient
                now += share / share.trace()
            kept = 0.95**4
            average = now * (1 - kept) if average is None else kept * average + (1 - kept) * now
        optimizer.step()
        attachment.step()
        optimizer.zero_grad()
    assert torch.allclose(attachment.state_dict()["averages"]["stream"], average, rtol=1e-12)


def test_a_tied_heads_gain_is_not_trained():
    model = tiny_model(tie_word_embeddings=True)
    with torch.no_grad():
        model.model.norm.weight.fill_(1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1)
    attachment = wisca.attach(model, optimizer, rotate=dict(stream="momentum", every=3))
    assert attachment.frozen_gains == ["model.norm.weight"]
    events = []
    train(model, optimizer, attachment, 9, on_event=events.append)
    assert torch.equal(model.model.norm.weight, torch.ones(32)) and attachment.rotations == 2
    assert all(space.skipped is None for event in events for space in event.spaces)
    attachment.detach()
    train(model, optimizer, None, 2)
    assert not torch.equal(model.model.norm.weight, torch.ones(32))


def test_a_tied_heads_gain_that_is_not_uniform_is_refused():
    model = tiny_model(tie_word_embeddings=True)
    with torch.no_grad():
        model.model.norm.weight[3] = 2
    with pytest.raises(wisca.WiscaError, match="not the same for all channels"):
        wisca.attach(model, torch.optim.AdamW(model.parameters()), rotate=dict(stream="momentum"))


def test_a_gain_near_zero_leaves_the_stream_for_this_time():
    model = tiny_model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    attachment = wisca.attach(model, optimizer, rotate=dict(stream="momentum", values="same"))
    train(model, optimizer, attachment, 2)
    with torch.no_grad():
        model.model.layers[1].input_layernorm.weight[7] = 0
    before = copy.deepcopy(model.state_dict())
    event = attachment.rotate()
    assert "layers.1.input_layernorm" in event.spaces[0].skipped and all(space.skipped is None for space in event.spaces[1:])
    after = model.state_dict()
    assert torch.equal(after["model.embed_tokens.weight"], before["model.embed_tokens.weight"])
    assert not torch.equal(after["model.layers.0.self_attn.v_proj.weight"], before["model.layers.0.self_attn.v_proj.weight"])


def test_layer_norms_keep_the_ones():
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(
        n_embd=32, n_head=4, n_layer=2, vocab_size=64, n_positions=32, tie_word_embeddings=False, attn_pdrop=0, embd_pdrop=0,
        resid_pdrop=0, attn_implementation="eager")).double()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "ln_" in name:
                parameter.add_(0.3 * torch.randn_like(parameter))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    attachment = wisca.attach(model, optimizer, rotate=dict(stream="gradient", every=3))
    for ids in windows(9):
        loss_of(model, ids).backward()
        optimizer.step()
        before = logits(model)
        attachment.step()
        assert (logits(model) - before).abs().max() < 1e-11
        optimizer.zero_grad()
    total = attachment.state_dict()["totals"]["stream"]
    assert attachment.rotations == 2 and (total.sum(0) - 1).abs().max() < 1e-12 and (total - torch.eye(32)).abs().max() > 0.05


def test_an_average_is_rotated_with_gains_of_its_own():
    model, average = tiny_model(dtype=torch.float64), tiny_model(seed=4, dtype=torch.float64)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    attachment = wisca.attach(model, optimizer, averages=[average], rotate=dict(stream="random"))
    before = logits(average)
    attachment.rotate()
    assert (logits(average) - before).abs().max() < 1e-12
    assert not torch.equal(average.model.norm.weight, model.model.norm.weight)


def test_a_rotation_that_changes_the_loss_is_taken_back():
    model = tiny_model()
    optimizer = torch.optim.AdamW(model.parameters())
    calls = []
    attachment = wisca.attach(
        model, optimizer, rotate=dict(stream="momentum", every=3), verify=lambda: float(calls.append(1) or len(calls)), preset="origin")
    train(model, optimizer, attachment, 4)
    before, state = copy.deepcopy(model.state_dict()), copy.deepcopy(optimizer.state_dict())
    with pytest.raises(wisca.WiscaError, match="taken back"):
        attachment.step()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    for key, entry in optimizer.state_dict()["state"].items():
        assert all(torch.equal(entry[name], state["state"][key][name]) for name in ("exp_avg", "exp_avg_sq"))


@pytest.mark.parametrize("rotate", [dict(adapters="momentum"), dict(stream="none", adapters="gradient")])
def test_ranks_of_adapters_are_refused_in_one_line(rotate):
    model = tiny_model()
    with pytest.raises(wisca.WiscaError, match="ranks of adapters are not rotated in Python") as refused:
        wisca.attach(model, torch.optim.AdamW(model.parameters()), rotate=rotate)
    assert "\n" not in refused.value.message and "wisca finetune" in refused.value.hint
    assert wisca.attach(model, torch.optim.AdamW(model.parameters()), rotate=dict(stream="random", adapters="none")) is not None


@pytest.mark.parametrize("make, rotate, words", [
    (lambda p: torch.optim.SGD(p, lr=0.1), dict(stream="momentum"), "keeps none"),
    (lambda p: torch.optim.AdamW(p), dict(stream="hadamard"), ""),
])
def test_what_cannot_be_rotated(make, rotate, words):
    model = tiny_model() if words else tiny_model(hidden_size=28, num_attention_heads=2, num_key_value_heads=2, intermediate_size=44)
    optimizer = make(model.parameters())
    if not words:
        assert wisca.attach(model, optimizer, rotate=rotate).rotate().spaces[0].angle > 10
        return
    attachment = wisca.attach(model, optimizer, rotate=rotate)
    with pytest.raises(wisca.WiscaError, match=words):
        train(model, optimizer, attachment, 6)


def test_gradients_that_were_not_taken_up():
    model = tiny_model()
    attachment = wisca.attach(model, torch.optim.AdamW(model.parameters()), rotate=dict(stream="gradient", every=1, start=1))
    with pytest.raises(wisca.WiscaError, match="none was taken up"):
        attachment.step()


def test_metrics_of_a_rotation():
    model = tiny_model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    attachment = wisca.attach(model, optimizer, rotate=dict(stream="momentum", every=2, start=2, values="same"))
    train(model, optimizer, attachment, 2)
    metrics = attachment.events[0].metrics()
    assert metrics["wisca/stream_angle"] > 0 and metrics["wisca/vo_diagonal_after"] >= metrics["wisca/vo_diagonal_before"]
    assert all(math.isfinite(value) for value in metrics.values())
