"""The plan: legal nets and recipes, the least work first, and papers' own images."""

import pytest

from benchmarks import gpu_plan
from residua.arch import names
from residua.runs.config import DataChoice, Run, override
from residua.training import presets

FULL, TOY = gpu_plan.full(), gpu_plan.toy()


@pytest.mark.parametrize("plan", [FULL, TOY], ids=["full", "toy"])
def test_every_run_can_be_asked_for(plan):
    """Net, recipe and settings are legal, and no two runs share a directory."""
    jobs = (*plan.fast, *plan.papers)
    assert len(jobs) == len({job.name for job in jobs})
    for job in jobs:
        assert job.net == names.entry(job.net).name
        recipe = presets.get("he2015" if job.recipe == "fast" else job.recipe)
        run = Run(net=job.net, data=DataChoice(name=plan.data, val_size=64), recipe=recipe, seed=0)
        override(run, job.settings)


def test_fast_recipes_come_by_seeds():
    """Every net once before any comes again; all are trained on all images."""
    assert [0] * 4 + [1] * 4 + [2] * 4 == [job.seed for job in FULL.fast]
    assert {("data.val_size=0",)} == {job.settings for job in FULL.fast}


def test_papers_recipes_come_by_their_work():
    """The smallest net first, and WRN-28-10, the largest, last."""
    first = FULL.papers[: len(gpu_plan.PAPERS)]
    assert ("cifar/resnet-20", "cifar/wrn-28-10") == (first[0].net, first[-1].net)
    assert sorted(map(gpu_plan.work, first)) == list(map(gpu_plan.work, first))


def test_papers_that_chose_epochs_hold_images_back():
    """Huang et al. 2016 took the epoch of least validation error; the others did not."""
    held = {job.recipe for job in FULL.papers if not job.settings}
    assert {"huang2016"} == held


def test_iterations_count_as_epochs():
    """64,000 iterations of 128 images are 164 epochs of 50,000."""
    resnet = gpu_plan.of_paper("cifar/resnet-20", 0)
    wide = gpu_plan.of_paper("cifar/wrn-16-4", 0)
    macs = [gpu_plan.work(resnet) / (64_000 / 390), gpu_plan.work(wide) / 200]
    assert [40_551_040, True] == [round(macs[0]), macs[1] > macs[0]]
