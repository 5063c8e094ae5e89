"""Names of numbers, as they stand in evaluation.json, in a reader's words."""

from __future__ import annotations

MEASURES = {
    "psnr": "PSNR, dB",
    "ssim": "structural similarity (SSIM)",
    "z_scored_error": "error, in variances of the scan",
    "bits_per_voxel": "bits a voxel, of a density (may be below 0)",
    "balanced_accuracy": "balanced accuracy",
    "auc": "AUC",
    "icc": "agreement of codes, ICC(2,1)",
    "reidentification": "share of travelers recognised",
    "mae_years": "age error, years",
    "share_of_chance": "age error over that of guessing the mean",
    "cov_bright_volume": "variation of the bright volume over scanners",
    "mmd2": "distance of distributions, squared MMD",
    "energy_distance": "distance of distributions, energy distance",
    "error": "decoded from the code alone: error, in variances of the real scan",
    "with_detail": "harmonised, detail kept: error, in variances of the real scan",
    "do_nothing": "left alone: error, in variances of the real scan",
    "own": "the target's own scan decoded: error, in variances of that scan",
    "with_detail_share_of_do_nothing": "harmonised error over that of leaving alone",
    "share_of_do_nothing": "decoded error over that of leaving alone",
    "inactive_dimensions": "inactive latent dimensions",
    "inactive_share": "inactive share of the latent",
    "dimensions": "latent dimensions",
    "kl_nats": "information in a code (KL), nats",
}
QUALIFIERS = {
    "held_out_as": "of a held-out site decoded as {rest}",
    "within_held_out": "within the held-out site",
    "held_out": "held-out site",
    "averaged": "codes averaged over corrupted copies",
    "mean_code": "decoded with the mean site input",
    "seen": "training sites",
    "gap": "held-out less training sites",
    "across": "from all training sites together to the held-out one",
    "within": "within training sites",
    "one_site": "from each training site alone to all others",
    "given": "without what {rest} explains",
    "raw": "as scanned",
    "harmonised": "harmonised",
    "linear": "linear probe",
    "rbf": "RBF probe",
    "knn": "nearest neighbours",
    "sample": "of posterior samples",
    "mean": "of codes (posterior means)",
    "whitened": "of whitened codes",
}


def words_of(name: str) -> str:
    """A number's name in words; what is not known stays as it is.

    Example:
        >>> words_of("auc_rbf_mean"), words_of("psnr_held_out_averaged")
        ('AUC, RBF probe, of codes (posterior means)',
         'PSNR, dB, held-out site, codes averaged over corrupted copies')
        >>> words_of("z_scored_error_held_out_as_UM_1")
        'error, in variances of the scan, of a held-out site decoded as UM_1'
        >>> words_of("brand_new")
        'brand new'
    """
    if name in MEASURES:
        return MEASURES[name]
    start = max((m for m in MEASURES if name.startswith(f"{m}_")), key=len, default="")
    if not start:
        return name.replace("_", " ")
    words, rest = [MEASURES[start]], name.removeprefix(f"{start}_")
    while rest:
        known = (q for q in QUALIFIERS if rest == q or rest.startswith(f"{q}_"))
        found = max(known, key=len, default="")
        if not found:
            words.append(rest.replace("_", " "))
            break
        rest = rest.removeprefix(found).removeprefix("_")
        text = QUALIFIERS[found]
        if "{rest}" in text:
            words.append(text.format(rest=rest))
            break
        words.append(text)
    return ", ".join(words)
