"""Labels of a user's are text in the model cards: they run nothing and tear nothing."""

import re
from pathlib import Path

import numpy as np
import pytest
from markdown_it import MarkdownIt

from medvae.cohort import Cohort
from medvae.report.embed import slice_png
from medvae.report.markdown import code, escaped
from medvae.report.notebook import notes, table
from medvae.training.config import TrainConfig
from medvae.training.run_folder import write_card

LABELS = (
    "<script>alert(1)</script>",
    "a | b",
    "a\n\n# b",
    "![x](http://e.org/y.png)",
    "*UM_1_*",
    "`x`",
    "<http://e.org>",
    "[a]: b",
    "\\<i>",
    "&lt;",
)


def page(text):
    return MarkdownIt("commonmark").enable("table").render(text)


@pytest.mark.parametrize("label", LABELS)
def test_a_label_is_shown_as_it_is(label):
    shown = MarkdownIt("commonmark").parseInline(escaped(label))[0].children
    assert {token.type for token in shown} == {"text"}
    assert "".join(token.content for token in shown) == " ".join(label.split())


@pytest.mark.parametrize("label", LABELS)
def test_a_command_stays_code(label):
    assert page(code(f"medvae {label}")).startswith("<p><code>medvae ")
    assert page(code(f"medvae {label}")).endswith("</code></p>\n")


@pytest.mark.parametrize("label", LABELS)
def test_a_label_tears_no_run_s_card(label, tmp_path):
    config = TrainConfig(noise=f"{label}.yaml", held_out=(label,))
    for name, site in (("plain", "KKI"), ("odd", label)):
        run = tmp_path / name
        asked = config if site == label else TrainConfig(held_out=(site,))
        write_card(run, asked, Cohort(Path(site), "BIDS", ()), (site,), (1, 1))
    cards = [page((tmp_path / n / "README.md").read_text()) for n in ("plain", "odd")]
    assert tags(cards[0]) == tags(cards[1])


def tags(text):
    return re.findall(r"<[a-z/][^>]*>", text)


def test_a_notebook_s_table_without_rows_is_its_title():
    assert table("Cohort <1>", []) == "<p><strong>Cohort &lt;1&gt;</strong></p>"


def test_a_long_list_of_notes_says_how_many_are_left():
    shown = notes([f"note {k}" for k in range(13)])
    assert shown.count("<li>") == 11
    assert "<li>and 3 more</li>" in shown
    assert "more" not in notes(["one"])
    assert notes([]) == ""


def test_a_picture_is_a_slice_or_a_volume():
    assert slice_png(np.zeros((4, 4, 4))) == slice_png(np.zeros((4, 4)))
    with pytest.raises(ValueError, match=r"got shape \(4,\)"):
        slice_png(np.zeros(4))
