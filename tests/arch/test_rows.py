"""The names of printed rows."""

import pytest

from residua.arch import papers, rows
from residua.errors import UsageError


@pytest.mark.parametrize(
    ("name", "error", "source"),
    [
        ("he2015/table6/resnet-20/cifar10", "8.75", "he2015"),
        ("zagoruyko2016/table6/wrn-28-10-dropout/cifar10", "3.89", "zagoruyko2016"),
        ("zagoruyko2016/table4/wrn-28-10/cifar10", "4.17", "zagoruyko2016"),
        ("he2016/tables3-4/preresnet-1001-bottleneck/cifar100", "22.71", "he2016"),
        ("he2016/table4/preresnet-1001-bottleneck/cifar10", "4.62", "he2016"),
        ("huang2016/table1/sd-resnet-110/cifar10", "5.25", "huang2016"),
        ("huang2016/text/sd-resnet-110+constant/cifar100/2", "44.74", "huang2016"),
        ("huang2017/table2/densenet-bc-100-12/cifar10", "4.51", "huang2017"),
        ("han2017/pyramidnet/pyramidnet-110-a48/cifar10", "4.62", "han2017"),
    ],
)
def test_a_row_has_the_name_of_its_place(name: str, error: str, source: str):
    """Source, place, net and data set; a second row of one name is numbered."""
    fact = rows.row(name)
    assert (error, source) == (fact.error, rows.source(fact))


def test_every_printed_error_has_one_name():
    """None is lost, and each name is four or five words of plain letters."""
    printed = [fact for fact in papers.tables().facts if fact.error is not None]
    assert printed == list(rows.rows().values())
    assert all(4 <= name.count("/") + 1 <= 5 for name in rows.rows())
    assert all(name == name.lower() and " " not in name for name in rows.rows())


def test_an_unknown_row_names_the_nearest():
    """The first of them is what was meant."""
    with pytest.raises(UsageError, match="nearest: he2015/table6/resnet-20/cifar10"):
        rows.row("he2015/table6/resnet20/cifar10")
