"""Tables, datalists, BIDS trees and pointers that cannot be used."""

from __future__ import annotations

import json

from bad_input import Bad
from scan_bytes import head, packed, scan, written

GOOD = "path,subject,site\na.nii,1,A\nb.nii,2,B\n"


def _files(files):
    def make(folder):
        for name, content in files.items():
            raw = content.encode() if isinstance(content, str) else content
            written(raw, name)(folder)

    return make


def _beside(folder):
    """Two good scans for tables to name."""
    written(scan(), "a.nii")(folder)
    written(scan(head() + 1), "b.nii")(folder)


def table(name, content, says="", file="scans.csv", options=()):
    def make(folder):
        _beside(folder)
        _files({file: content})(folder)

    words = ("cohort", "{here}/" + file, *options)
    return Bad(f"table-{name}", make, words, file, says)


def scan_of(name, content, file, says):
    """A table that is fine and leads to something that is not."""
    return Bad(
        f"table-{name}", table(name, content).make, ("cohort", "scans.csv"), file, says
    )


def mask_of(name, level, says):
    """A table of a good scan whose mask holds one number."""

    def make(folder):
        table("", "path,subject,site,mask\na.nii,1,A,m.nii\n").make(folder)
        written(scan(0 * head() + level), "m.nii")(folder)

    return Bad(f"mask-{name}", make, ("cohort", "scans.csv"), "m.nii", says)


TABLES = [
    table("empty", "", "no header"),
    table("blank-lines", "\n\n\n", "no header"),
    table("header-alone", "path,subject,site\n", "no rows"),
    table("no-path-column", "pth,subject\na.nii,1\n", "'pth'"),
    table("no-column-known", "x,y\n1,2\n", "path"),
    table("column-twice", "path,site,Site\na.nii,A,B\n", "occurs twice"),
    table("row-too-short", "path,subject,site\na.nii,1\n", "row 2"),
    table("row-too-long", "path,subject,site\na.nii,1,A,x\n", "row 2"),
    table("empty-path", "path,subject,site\n,1,A\n", "row 2"),
    table("utf-16", GOOD.encode("utf-16"), "UTF-8"),
    table("utf-16-without-mark", GOOD.encode("utf-16-le"), ""),
    table("latin-1", GOOD.replace("B", "Zürich").encode("latin-1"), "byte"),
    table("gzip", packed(GOOD.encode()), "UTF-8"),
    table("png", b"\x89PNG\r\n\x1a\n" + bytes(99), "UTF-8"),
    table("zero-bytes", bytes(999), ""),
    scan_of("nul-in-a-path", "path,subject,site\na\0.nii,1,A\n", "a\\x00.nii", "Rename"),
    table("one-huge-cell", "path,subject,site\n" + "a" * 200_000 + ",1,A\n", ""),
    table("open-quote", 'path,subject,site\n"a.nii,1,A\n', "row"),
    table("age-in-words", "path,subject,site,age\na.nii,1,A,old\n", "age"),
    table("age-negative", "path,subject,site,age\na.nii,1,A,-4\n", "age"),
    table("age-infinite", "path,subject,site,age\na.nii,1,A,inf\n", "age"),
    table("age-of-months", "path,subject,site,age\na.nii,1,A,600\n", "age"),
    table("unknown-split", "path,subject,site,split\na.nii,1,A,tarin\n", "split"),
    table("column-asked-for-is-missing", GOOD, "scanner", options=(
        "--site-from", "scanner")),
    table("tsv-with-commas", "path;x\n", "no rows", "scans.tsv"),
    table("a-sheet", b"PK\x03\x04" + bytes(99), "not a cohort", "scans.xlsx"),
    table("no-suffix", GOOD, "not a cohort", "scans"),
    scan_of("file-missing", GOOD.replace("b.nii", "c.nii"), "c.nii", "not found"),
    scan_of("same-file-twice", GOOD.replace("b.nii", "a.nii"), "a.nii", "twice"),
    scan_of("no-site", "path,subject\na.nii,1\n", "a.nii", "site is not known"),
    scan_of("path-too-long", f"path,subject,site\n{'a' * 5000}.nii,1,A\n", "aaa",
            "not found"),
    scan_of("mask-missing", "path,subject,site,mask\na.nii,1,A,m.nii\n", "m.nii",
            "not found"),
    mask_of("of-nan", float("nan"), "of the mask are NaN"),
    mask_of("of-zeros", 0, "no voxel of the mask"),
    mask_of("negative", -1, "no voxel of the mask"),
    scan_of("path-is-the-table", "path,subject,site\nscans.csv,1,A\n", "scans.csv",
            "NIfTI"),
    scan_of("path-is-a-folder", "path,subject,site\n.,1,A\n", "directory", ""),
    scan_of("path-with-an-escape", "path,subject,site\n\x1b[31mred.nii,1,A\n",
            "\\x1b[31mred.nii", "Rename"),
    scan_of("path-of-bidi-override", "path,subject,site\n\u202eiin.nii,1,A\n",
            "\\u202eiin.nii", "Rename"),
    table("of-endless-columns", "path" + "," * 5_000_001 + "\n", "5000002 cells"),
    table("of-endless-rows", "path\n" + "a\n" * 500_001, "500002 rows"),
    table("of-many-columns", "pth" + "".join(f",c{i}" for i in range(60_000)) + "\na\n",
          "60001"),
    scan_of("site-of-300-letters", GOOD.replace("2,B", f"2,{'B' * 300}"), "b.nii",
            "its site is a label of 300"),
    scan_of("subject-of-300-letters", GOOD.replace("2,B", f"{'2' * 300},B"), "b.nii",
            "its subject is a label of 300"),
]  # fmt: skip


def _torn(folder):
    table("", GOOD.replace("site", "site,split").replace(
        "1,A", "1,A,train").replace("2,B", "2,B,test")).make(folder)  # fmt: skip
    path = folder / "scans.csv"
    path.write_text(path.read_text().replace("b.nii,2", "b.nii,1"))


def datalist(name, content, says=""):
    text = content if isinstance(content, str | bytes) else json.dumps(content)

    def make(folder):
        _beside(folder)
        _files({"list.json": text})(folder)

    return Bad(
        f"datalist-{name}", make, ("cohort", "{here}/list.json"), "list.json", says
    )


DATALISTS = [
    datalist("empty", "", "JSON"),
    datalist("not-json", "{training: }", "JSON"),
    datalist("cut-short", '{"training": [{"image": "a.nii"', "JSON"),
    datalist("latin-1", '{"training": ["ä.nii"]}'.encode("latin-1"), "JSON"),
    datalist("a-number", "3", "training"),
    datalist("a-word", '"training"', "training"),
    datalist("null", "null", "training"),
    datalist("no-section", {"name": "x"}, "no items"),
    datalist("site-twice", '{"training": [{"image": "a.nii", "site": "A", "site": "B"}]}', "'site' twice"),
    datalist("site-and-Site", [{"image": "a.nii", "site": "A", "Site": "B"}], "'site' twice"),
    datalist("site-a-list", [{"image": "a.nii", "site": ["A"]}], "'site' must be text"),
    datalist("subject-an-object", [{"image": "a.nii", "subject": {"id": 1}}], "'subject' must be"),
    datalist("misspelt-section", {"trainig": [{"image": "a.nii"}]}, "training"),
    datalist("empty-section", {"training": []}, "no items"),
    datalist("item-is-a-number", {"training": [3]}, "'image'"),
    datalist("item-is-null", {"training": [None]}, "'image'"),
    datalist("item-without-image", {"training": [{"site": "A"}]}, "'image'"),
    datalist("image-is-a-list", {"training": [{"image": ["a.nii"]}]}, "one path"),
    datalist("misspelt-key", {"training": [{"image": "a.nii", "sitte": "A"}]}, "'site'"),
    datalist("age-in-words", {"training": [{"image": "a.nii", "age": "x"}]}, "age"),
    datalist("age-nan", '{"training": [{"image": "a.nii", "age": 1e999}]}', "age"),
    datalist("split-unknown", {"training": [{"image": "a.nii", "split": 3}]}, "split"),
    datalist("depth-bomb", "[" * 200_000, "too deeply"),
    datalist("object-bomb", '{"training":' * 50_000, "too deeply"),
    datalist("long-number", '{"training": ' + "9" * 9999 + "}", ""),
]  # fmt: skip


def bids(name, files, file, says="", options=()):
    whole = {"sub-1/anat/sub-1_T1w.nii": scan(), **files}
    words = ("cohort", "{here}/data", *options)
    make = _files({f"data/{path}": content for path, content in whole.items()})
    return Bad(f"bids-{name}", make, words, file, says)


PEOPLE = "participants.tsv"
TREES = [
    bids("participant-twice", {
        PEOPLE: "participant_id\tsite\nsub-1\tA\nsub-1\tB\n"}, PEOPLE, "twice"),
    bids("participant-without-a-name", {
        PEOPLE: "participant_id\tsite\n\tA\n"}, PEOPLE, "row 2"),
    bids("participants-of-another-length", {
        PEOPLE: "participant_id\tsite\nsub-1\n"}, PEOPLE, "row 2"),
    bids("participants-not-utf-8", {
        PEOPLE: "participant_id\tsite\nsub-1\tZürich\n".encode("cp1252")}, PEOPLE, "UTF"),
    bids("participants-empty", {PEOPLE: ""}, PEOPLE, "no header"),
    bids("sidecar-not-json", {"sub-1/anat/sub-1_T1w.json": "{"}, "sub-1_T1w.json", "JSON"),
    bids("sidecar-cut-short", {
        "sub-1/anat/sub-1_T1w.json": '{"Manufacturer": "Sie'}, "sub-1_T1w.json", "JSON"),
    bids("sidecar-depth-bomb", {
        "sub-1/anat/sub-1_T1w.json": "[" * 99_999}, "sub-1_T1w.json", "too deeply"),
    bids("sidecar-of-lists", {"sub-1/anat/sub-1_T1w.json":
        '{"Manufacturer": [["S"]], "DeviceSerialNumber": 1}'}, "sub-1_T1w.nii",
        "Manufacturer of its sidecar must"),
    bids("sidecar-missing", {}, "sub-1_T1w.nii", "site is not known"),
    bids("sessions-twice", {
        "sub-1/ses-1/anat/sub-1_ses-1_T1w.nii": scan(head() + 2),
        "sub-1/sub-1_sessions.tsv": "session_id\tsite\nses-1\tA\nses-1\tA\n"},
        "sub-1_sessions.tsv", "twice"),
    bids("bad-rule", {}, "site-from", "not known", ("--site-from", "sesion:x")),
    bids("bad-pattern", {}, "site-from", "regular", ("--site-from", "session:(")),
    Bad("folder-empty", lambda folder: (folder / "data").mkdir(),
        ("cohort", "{here}/data"), "data", "no NIfTI"),
    Bad("folder-of-text", _files({"data/A/readme.txt": "x"}), ("cohort", "{here}/data"),
        "data", "no NIfTI"),
    Bad("nothing-there", lambda folder: None, ("cohort", "{here}/nowhere"), "nowhere",
        "not found"),
    Bad("name-no-system-can-have", lambda folder: None, ("cohort", "x" * 9999), "xxx",
        "not found"),
    Bad("scan-as-cohort", _beside, ("cohort", "{here}/a.nii"), "a.nii", "one scan"),
    Bad("subject-in-two-splits", _torn, ("train", "--data", "{here}/scans.csv", "-o",
        "{here}/run"), "a.nii", "splits"),
]  # fmt: skip


def pointer(name, content, says=""):
    make = _files({"medvae.yaml": content})
    return Bad(f"pointer-{name}", make, ("cohort",), "medvae.yaml", says)


POINTERS = [
    pointer("empty", "", "data:"),
    pointer("a-list", "- data", "data:"),
    pointer("not-yaml", "data: [", "YAML"),
    pointer("latin-1", "data: Zürich".encode("latin-1"), "UTF|utf"),
    pointer("misspelt", "dat: x", "'data'"),
    pointer("data-is-a-list", "data: [a, b]", "string"),
    pointer("names-another", "data: other.yaml", "another YAML"),
    pointer("names-itself", "data: medvae.yaml", "another YAML"),
    pointer("tag", "data: !!python/object/apply:os.system ['true']", "YAML"),
    pointer("key-twice", "data: a\ndata: b", "twice"),
    pointer("control-character", "data: a\x07b", "YAML"),
]

COHORTS = [*TABLES, *DATALISTS, *TREES, *POINTERS]
