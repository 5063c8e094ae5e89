"""What readers call the numbers of a fit, and what a fit says of its people."""

from noise_models.scanner.adjustment import plan_adjustment
from noise_models.scanner.estimate import NAMES
from noise_models.scanner.features import FEATURES
from noise_models.scanner.fit import NO_AGES, _confounding
from noise_models.scanner.words import FEATURE_WORDS, PARAMETERS, in_words

PEOPLE = {"A": ["a", "b"], "B": ["c", "d"]}


def test_every_number_has_words_of_its_own():
    for names, words in ((NAMES, PARAMETERS), (FEATURES, FEATURE_WORDS)):
        assert tuple(words) == names
        assert len(set(words.values())) == len(names)
        assert not any("_" in text for text in words.values())


def test_names_within_a_sentence_are_put_into_words():
    text = in_words("A: outlier psf_z_mm2_T1w.nii: logit_gm_over_wm 9.1 SD away.")
    assert text == "A: outlier psf_z_mm2_T1w.nii: grey/white contrast 9.1 SD away."


def test_a_fit_without_ages_says_what_that_means():
    ages = {site: {"age": [20.0, 30.0]} for site in PEOPLE}
    unknown = plan_adjustment(None, PEOPLE, None)
    known = plan_adjustment(ages, PEOPLE, None)
    assert _confounding(unknown, "unpaired") == [NO_AGES]
    assert _confounding(known, "unpaired") == []
    assert _confounding(unknown, "paired") == []
