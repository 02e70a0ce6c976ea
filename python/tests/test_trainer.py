"""transformers' Trainer, and PEFT."""

from __future__ import annotations

import json

import pytest
import torch
from conftest import logits, loss_of, tiny_model, train, windows
from peft import LoraConfig, get_peft_model
from transformers import Trainer, TrainerCallback, TrainingArguments, LlamaForCausalLM

import wisca


class Rows(torch.utils.data.Dataset):
    def __init__(self, count=64):
        self.rows = torch.cat(windows(count // 4))

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return {"input_ids": self.rows[index], "labels": self.rows[index]}


class Heard(TrainerCallback):
    """Stands for what a Trainer logs to."""

    def __init__(self):
        self.logs = []

    def on_log(self, args, state, control, logs=None, **kwargs):
        self.logs.append((state.global_step, dict(logs)))


def trainer(folder, model, callbacks=(), steps=12, **options):
    arguments = TrainingArguments(
        output_dir=str(folder), use_cpu=True, report_to=[], max_steps=steps, per_device_train_batch_size=4, logging_steps=1,
        learning_rate=1e-3, lr_scheduler_type="constant", weight_decay=0.0, max_grad_norm=0.0, save_strategy="no", seed=3,
        disable_tqdm=True, **options)
    return Trainer(model=model, args=arguments, train_dataset=Rows(), callbacks=list(callbacks))


def losses(run):
    return [entry["loss"] for entry in run.state.log_history if "loss" in entry]


def test_loss_curves_are_equal_where_they_must_be(tmp_path):
    """State that follows, powers of two, and no epsilon to speak of: the losses up to the first transition are those without, and a
    transition alone changes no loss."""
    plain = trainer(tmp_path / "a", tiny_model())
    plain.train()
    heard = Heard()
    callback = wisca.TrainerCallback(every=0, at=[6], init=False, round="pow2", preset="qk_ten+vo_ten")
    moved = trainer(tmp_path / "b", tiny_model(), [callback, heard])
    moved.train()
    assert losses(moved)[:7] == losses(plain)[:7] and losses(moved)[8:] != losses(plain)[8:]
    told = [(step, logs) for step, logs in heard.logs if "wisca/scaled" in logs]
    assert [step for step, _ in told] == [6] and told[0][1]["wisca/scaled"] == 4 and told[0][1]["wisca/imbalance"] > 1
    assert any("wisca/largest_log2" in entry and entry["step"] == 6 for entry in moved.state.log_history)
    assert callback.attachment.transitions == 1 and callback.attachment.steps == 12


def test_accumulation_counts_optimizer_steps(tmp_path):
    callback = wisca.TrainerCallback(every=2, rotate=dict(stream="gradient", every=2, start=2))
    run = trainer(tmp_path, tiny_model(), [callback], steps=4, gradient_accumulation_steps=3)
    run.train()
    assert callback.attachment.steps == 4 and callback.attachment.rotations == 2 and callback.attachment._averages


@pytest.mark.parametrize("options", [
    dict(every=3, preset="qk_ten+vo_ten"), dict(rotate=dict(stream="gradient", every=3)),
], ids=["scales", "rotates"])
def test_checkpoints_resume_exactly_and_are_undone(tmp_path, options):
    whole = trainer(tmp_path / "whole", tiny_model(), [wisca.TrainerCallback(**options)])
    whole.train()
    first = trainer(tmp_path / "run", tiny_model(), [wisca.TrainerCallback(**options)], save_steps=7)
    first.args.save_strategy = type(first.args.logging_strategy)("steps")
    first.train()
    checkpoint = tmp_path / "run" / "checkpoint-7"
    assert {"wisca.json", "wisca_state.pt"} <= {path.name for path in checkpoint.iterdir()}
    second = trainer(tmp_path / "run", tiny_model(seed=9), [wisca.TrainerCallback(**options)])
    second.train(resume_from_checkpoint=str(checkpoint))
    assert losses(second) == losses(whole)
    assert all(torch.equal(a, b) for a, b in zip(second.model.parameters(), whole.model.parameters()))

    wisca.undo(checkpoint, tmp_path / "back")
    load = dict(attn_implementation="eager", dtype=torch.float32)
    there, back = (LlamaForCausalLM.from_pretrained(place, **load) for place in (checkpoint, tmp_path / "back"))
    assert (logits(there) - logits(back)).abs().max() < 1e-4
    assert not torch.equal(there.model.layers[0].self_attn.q_proj.weight, back.model.layers[0].self_attn.q_proj.weight)
    assert wisca.verify(checkpoint, tmp_path / "back")["equivalent"]


def test_a_checkpoint_without_state_is_refused(tmp_path):
    plain = trainer(tmp_path, tiny_model(), save_steps=4, steps=4)
    plain.args.save_strategy = type(plain.args.logging_strategy)("steps")
    plain.train()
    run = trainer(tmp_path, tiny_model(), [wisca.TrainerCallback()], steps=8)
    with pytest.raises(wisca.WiscaError, match="wisca_state.pt"):
        run.train(resume_from_checkpoint=str(tmp_path / "checkpoint-4"))


def test_a_frozen_base_is_refused(tmp_path):
    model = tiny_model()
    for parameter in model.model.layers[0].parameters():
        parameter.requires_grad_(False)
    with pytest.raises(wisca.WiscaError, match=r"'model\.layers\.0\.\S+' is frozen"):
        trainer(tmp_path, model, [wisca.TrainerCallback()]).train()


def adapted(seed=0, **options):
    model = tiny_model(seed=seed)
    torch.manual_seed(5)
    config = dict(
        r=4, lora_alpha=8, init_lora_weights=False, target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj"])
    return get_peft_model(model, LoraConfig(**{**config, **options}))


def optimizer_of(model, **options):
    return torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3, **options)


@pytest.mark.parametrize("which", [dict(preset="qk_ten+vo_ten"), dict(qk="pair", vo="channel", mlp="channel"), dict(all=True)],
                         ids=["tensor", "channel", "all"])
def test_an_adapter_follows_its_base(which):
    model = adapted()
    optimizer = optimizer_of(model)
    attachment = wisca.attach(model, optimizer, init=False, every=3, **which)
    for ids in windows(6):
        loss_of(model, ids).backward()
        optimizer.step()
        before = logits(model)
        attachment.step()
        assert (logits(model) - before).abs().max() < 2e-5
        optimizer.zero_grad()
    assert attachment.transitions == 2
    names = {name for name in attachment._live.weights.adapters}
    assert len(names) == 24 and all(".lora_" in name for name in names)


def test_an_adapters_moments_follow_bit_for_bit():
    moved, plain = adapted(), adapted()
    first, second = optimizer_of(moved, eps=0, weight_decay=0), optimizer_of(plain, eps=0, weight_decay=0)
    attachment = wisca.attach(moved, first, round="pow2", init=False, every=0, at=[5])
    before = {id(p): p.detach().clone() for p in moved.parameters()}
    assert train(moved, first, attachment, 6) == train(plain, second, None, 6)
    changed = 0
    for a, b in zip(moved.parameters(), plain.parameters()):
        if not a.requires_grad:
            continue
        ratio = first.state[a]["exp_avg_sq"] / second.state[b]["exp_avg_sq"]
        changed += bool((ratio[torch.isfinite(ratio)] != 1).any())
    assert changed and before


def test_an_adapter_is_saved_for_the_original_base(tmp_path):
    from peft import PeftModel

    model = adapted()
    optimizer = optimizer_of(model)
    attachment = wisca.attach(model, optimizer, every=2, qk="pair", vo="channel")
    train(model, optimizer, attachment, 4)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    attachment.save_adapter(tmp_path / "adapter")
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())
    there = PeftModel.from_pretrained(tiny_model(), tmp_path / "adapter")
    assert (logits(there) - logits(model)).abs().max() < 2e-5
    with pytest.raises(wisca.WiscaError, match="save_adapter"):
        attachment.save(tmp_path / "adapter")


def test_trainer_with_an_adapter_saves_and_resumes(tmp_path):
    options = dict(every=3, round="pow2", preset="qk_row+vo_row")
    whole = trainer(tmp_path / "whole", adapted(), [wisca.TrainerCallback(**options)])
    whole.train()
    run = trainer(tmp_path / "run", adapted(), [wisca.TrainerCallback(**options)], save_steps=7)
    run.args.save_strategy = type(run.args.logging_strategy)("steps")
    run.train()
    again = trainer(tmp_path / "run", adapted(), [wisca.TrainerCallback(**options)])
    again.train(resume_from_checkpoint=str(tmp_path / "run" / "checkpoint-7"))
    assert losses(again) == losses(whole)
    content = json.loads((tmp_path / "run" / "checkpoint-7" / "adapter_config.json").read_text())
    assert content["r"] == 4


@pytest.mark.parametrize("change, attachment, words", [
    (dict(), dict(rotate=dict(stream="momentum")), "does not train"),
    (dict(use_dora=True), dict(vo="channel", qk=None), "DoRA"),
], ids=["rotation", "dora"])
def test_what_an_adapter_cannot_follow_is_refused(change, attachment, words):
    model = adapted(**change)
    with pytest.raises(wisca.WiscaError, match=words):
        wisca.attach(model, optimizer_of(model), **attachment)


def test_doras_magnitudes_follow_whole_tensors():
    model = adapted(use_dora=True)
    before = logits(model)
    wisca.attach(model, optimizer_of(model), qk="pair", vo="tensor")
    assert (logits(model) - before).abs().max() < 2e-5
