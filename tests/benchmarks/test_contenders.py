"""Contenders: their steps train, in the precision that they say, on nets that are the same."""

import pytest
import torch
from torch import nn

from benchmarks import contenders
from benchmarks.contenders import PAIRS, SHIPPED, TUNED, Pair
from residua.arch import count, names

TINY = Pair(title="tiny", ours="cifar/resnet-8", theirs="nowhere.tiny")


class Tiny(nn.Module):
    """Somebody's net, which remembers in what form it was asked."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.classifier = nn.Linear(4, 10)
        self.seen = []

    def forward(self, x):
        """Logits of a batch."""
        y = self.norm(self.conv(x))
        channels_last = x.is_contiguous(memory_format=torch.channels_last)
        self.seen.append((self.training, y.dtype, channels_last))
        return self.classifier(y.mean((2, 3)))


@pytest.fixture
def theirs(monkeypatch) -> Tiny:
    """A net of somebody's in place of pytorchcv's."""
    net = Tiny()
    monkeypatch.setattr(contenders, "peer", lambda _pair: net)
    return net


@pytest.mark.parametrize(
    ("name", "dtype", "channels_last"),
    [(SHIPPED, torch.float32, False), (TUNED, torch.bfloat16, True)],
)
def test_a_peer_trains_as_it_is_said(theirs, name, dtype, channels_last):
    """In training mode, fp32 and NCHW as shipped, bf16 and channels_last when tuned."""
    step = contenders.training_step(name, TINY, 8)
    before = theirs.conv.weight.detach().clone()
    step()
    assert [(True, dtype, channels_last)] == theirs.seen
    assert not before.equal(theirs.conv.weight)


def test_ours_is_the_training_loops_step():
    """Each call is one step of a run in bf16, on whole batches, in training mode."""
    state = contenders.our_state("cifar/resnet-8", batch_size=8)
    step = contenders.our_step(state)
    before = state.net.classifier.weight.detach().clone()
    step()
    step()
    assert (2, 16) == (state.step, state.tally.images)
    assert state.net.training
    assert "bf16" == state.run.recipe.precision
    assert not before.equal(state.net.classifier.weight)


def test_settled_statistics_are_the_batchs():
    """Momentum is as it was before, and the net is left in evaluation mode."""
    net = Tiny()
    x = torch.randn(16, 3, 8, 8) * 3 + 1
    contenders.settle(net, x)
    y = net.conv(x)
    torch.testing.assert_close(y.mean((0, 2, 3)), net.norm.running_mean)
    torch.testing.assert_close(y.var((0, 2, 3)), net.norm.running_var)
    assert (0.1, False) == (net.norm.momentum, net.training)


def test_a_missing_peer_says_how_to_install_it():
    """One line, and no traceback."""
    pair = Pair(title="?", ours="cifar/resnet-8", theirs="no_such_module.net")
    with pytest.raises(SystemExit, match=r"make .venv/.stamp-peers installs"):
        contenders.peer(pair)


@pytest.mark.peers
@pytest.mark.parametrize("title", PAIRS)
def test_pairs_are_of_the_same_size(title):
    """Equal numbers of parameters, but for the two projections of the peer's PreResNet."""
    pytest.importorskip("pytorchcv", reason="pytorchcv is not installed (group peers)")
    pair = PAIRS[title]
    with torch.device("meta"):
        theirs = sum(p.numel() for p in contenders.peer(pair).parameters())
    more = 16 * 32 + 32 * 64 if title == "PreResNet-110" else 0
    assert theirs == count.params(names.spec(pair.ours)) + more


@pytest.mark.peers
def test_our_net_with_their_tensors_gives_their_logits():
    """After the peer's statistics are settled, and with each tensor used."""
    pytest.importorskip("pytorchcv", reason="pytorchcv is not installed (group peers)")
    theirs = contenders.peer(PAIRS["ResNet-20"])
    x = torch.randn(8, 3, 32, 32)
    contenders.settle(theirs, x)
    ours = contenders.ours_like(theirs, PAIRS["ResNet-20"].ours)
    with torch.no_grad():
        torch.testing.assert_close(theirs(x), ours(x), rtol=1e-4, atol=1e-4)
