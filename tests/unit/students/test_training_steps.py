"""The training loop: accumulation, early stopping, modules of the loss."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from evalkit.errors import StageError
from evalkit.modelling.loading import TextClassifier
from evalkit.students.early_stopping import EarlyStopping, split
from evalkit.students.loss import OfLogits
from evalkit.students.schedule import Schedule
from evalkit.students.training import train

TEXTS = [f"text {number}" for number in range(96)]
TARGETS = torch.from_numpy(np.random.default_rng(1).normal(size=(96, 3))).float()


class Linear(nn.Module):
    """Logits that are a plain table: one row of weights a text."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(96, 8)
        self.table.requires_grad_(False)
        self.head = nn.Linear(8, 3)

    def forward(self, input_ids, attention_mask):
        return SimpleNamespace(logits=self.head(self.table(input_ids[:, 0])))


class Numbers:
    """A tokenizer: the number in a text is its only token."""

    pad_token_id = 0

    def __call__(self, texts, **_):
        return {"input_ids": [[int(text.split()[1])] for text in texts]}


class Square(OfLogits):
    def __call__(self, batch):
        return {"square": ((batch.outputs.logits - TARGETS[batch.rows]) ** 2).mean()}


def classifier():
    return TextClassifier(model=Linear(), tokenizer=Numbers(), labels=("a", "b", "c"))


def schedule(**changes):
    given = {"epochs": 2, "learning_rate": 1e-2, "batch_rows": 32, "max_length": 4, "seed": 5}
    return Schedule(**(given | changes))


def trained(loss, **changes):
    student = classifier()
    result = train(student, TEXTS, loss, schedule(**changes), lambda _: None)
    return student.model.head.weight.detach().clone(), result


def test_two_passes_of_16_rows_are_one_step_of_32():
    (whole, one), (halves, two) = trained(Square()), trained(Square(), batch_rows=16, accumulate=2)
    torch.testing.assert_close(halves, whole, rtol=1e-5, atol=1e-6)
    assert one.steps == two.steps == 6
    assert two.loss == pytest.approx(one.loss, rel=1e-5)
    assert not torch.allclose(trained(Square(), batch_rows=16)[0], whole, rtol=1e-5, atol=1e-6)


def test_training_ends_after_the_most_steps_within_an_epoch(tmp_path):
    """Four of six steps, the rate falling to 0 at the fourth; what was finished is found finished."""
    whole, six = trained(Square())
    cut, four = trained(Square(), most_steps=4)
    assert (six.steps, four.steps, four.epochs) == (6, 4, 2)
    assert not torch.equal(cut, whole)
    assert trained(Square(), most_steps=6)[1].steps == trained(Square(), most_steps=100)[1].steps == 6
    found = []
    for _ in range(2):
        student = classifier()
        result = train(student, TEXTS, Square(), schedule(most_steps=4), lambda _: None, checkpoints=tmp_path)
        found.append(student.model.head.weight.detach().clone())
    assert result.resumed_at == 4
    for each in found:
        torch.testing.assert_close(each, cut, rtol=0, atol=0)


def test_a_projector_of_the_loss_is_trained_and_its_gradient_is_clipped():
    class Projected(Square):
        modules = nn.ModuleDict({"projector": nn.Linear(3, 3)})

        def __call__(self, batch):
            projected = self.modules["projector"](batch.outputs.logits)
            return {"plain": 0.5 * projected.square().mean(), "square": super().__call__(batch)["square"]}

    before = Projected.modules["projector"].weight.detach().clone()
    _, result = trained(Projected())
    assert not torch.equal(Projected.modules["projector"].weight, before)
    assert set(result.terms) == {"plain", "square"}
    assert result.loss == pytest.approx(sum(result.terms.values()))
    norms = []

    class Steep(Projected):
        def __call__(self, batch):
            return {name: 1e6 * each for name, each in super().__call__(batch).items()}

    original = torch.nn.utils.clip_grad_norm_

    def clip(weights, most):
        weights = list(weights)
        norm = original(weights, most)
        norms.append(float(torch.cat([each.grad.flatten() for each in weights]).norm()))
        assert any(each is Projected.modules["projector"].weight for each in weights)
        return norm

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.nn.utils, "clip_grad_norm_", clip)
        trained(Steep())
    assert norms == pytest.approx([1.0] * 6, rel=1e-3)


class TurnsBad(OfLogits):
    """Teaches towards the targets for two epochs, then away from them; held-back rows are told by eval mode."""

    def __init__(self, model_of, steps):
        self.calls, self._model_of, self._good_calls = 0, model_of, steps

    def __call__(self, batch):
        square = ((batch.outputs.logits - TARGETS[batch.rows]) ** 2).mean()
        if not self._model_of().training:
            return {"square": square}
        self.calls += 1
        return {"square": square if self.calls <= self._good_calls else -square}


def test_early_stopping_ends_the_training_and_restores_the_best_weights():
    def run(epochs, patience):
        student = classifier()
        changes = {"epochs": epochs, "held_back": 0.25, "patience": patience, "warmup": 0.0}
        loss = TurnsBad(lambda: student.model, 2 * 3)  # 72 rows are trained on: three steps an epoch
        kept = train(student, TEXTS, loss, schedule(**changes), lambda _: None)
        _, aside = split(TEXTS, 0.25, 5)
        with torch.no_grad():
            logits = student.model(torch.tensor([[row] for row in aside]), None).logits
        return kept, float(((logits - TARGETS[torch.from_numpy(aside)]) ** 2).mean())

    stopped, loss = run(20, 3)
    assert stopped.held_back_rows == 24
    assert 2 <= stopped.best_epoch <= 4  # Adam's momentum goes on for a little
    assert stopped.epochs == stopped.best_epoch + 3
    assert loss == pytest.approx(stopped.held_back_loss, rel=1e-5)
    at_its_end, _ = run(2, 3)
    assert (at_its_end.best_epoch, at_its_end.epochs) == (2, 2)


def test_held_back_texts_are_never_trained_on_and_equal_texts_stay_together():
    seen = set()

    class Watched(Square):
        def __call__(self, batch):
            if batch.outputs.logits.requires_grad:
                seen.update(batch.rows.tolist())
            return super().__call__(batch)

    trained(Watched(), held_back=0.25)
    _, aside = split(TEXTS, 0.25, 5)
    assert len(aside) == 24
    assert seen == set(range(96)) - set(aside.tolist())
    rows, held_back = split(["a", "b", "c", "d"] * 5, 0.5, 1)
    assert not {row % 4 for row in rows} & {row % 4 for row in held_back}


def test_holding_back_every_text_is_refused():
    with pytest.raises(StageError, match=r"held_back 0.5 of 1 distinct training texts leaves none to train on"):
        split(["a", "a"], 0.5, 1)


def test_a_gradient_that_is_not_finite_changes_no_weight():
    class Root(OfLogits):
        def __call__(self, batch):
            return {"root": (0.0 * batch.outputs.logits).sum().sqrt()}  # 0, with an endless slope

    student = classifier()
    before = student.model.head.weight.detach().clone()
    with pytest.raises(StageError, match=r"step 1 of 6: gradient is nan on rows \d+"):
        train(student, TEXTS, Root(), schedule(), lambda _: None)
    assert torch.equal(student.model.head.weight, before)


def test_patience_counts_epochs_since_the_best():
    stopping = EarlyStopping(patience=2)
    assert [stopping.better(loss) for loss in (3.0, 2.0, 2.0)] == [True, True, False]
    assert not stopping.done
    assert not stopping.better(2.5)
    assert (stopping.done, stopping.epoch, stopping.loss) == (True, 2, 2.0)
