"""The boards of the chart: as their tables say, of metrics that exist, and of all of them."""
import json

import pytest

import boards

GENERATOR = boards.generator()
FILES = sorted(GENERATOR.FOLDER.glob("*.json"))


def load(path):
    """A board."""
    return json.loads(path.read_text(encoding="utf-8"))


def questions():
    """Every (board, panel, expression)."""
    for path in FILES:
        for panel in load(path)["panels"]:
            for target in panel["targets"]:
                yield path.stem, panel["title"], target["expr"]


def test_the_files_are_what_the_tables_say():
    wanted = GENERATOR.files()
    assert {path.name for path in FILES} == {path.name for path in wanted}
    for path, text in wanted.items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run helm/dashboards.py"


def test_every_service_has_a_board():
    services = {path.name for path in (boards.ROOT / "services").iterdir() if (path / "main.c").exists()} - {"ctl"}
    assert services == {service.name for service in GENERATOR.SERVICES}
    assert services <= {path.stem for path in FILES}


def test_only_metrics_that_exist():
    known = boards.described()
    for board, panel, expr in questions():
        assert not boards.misnamed(expr, known), f"{board}: {panel}: {expr}"


def test_a_wrong_name_would_be_found():
    known = boards.described()
    assert boards.misnamed("sum(esteira_no_such_total)", known) == {"esteira_no_such_total"}
    assert boards.misnamed("sum by (tenant) (esteira_brakes_open)", known) == {"tenant"}
    assert boards.misnamed('esteira_effects{stat="unknown"}', known) == {"stat"}


def test_every_metric_is_asked_for():
    asked = set().union(*(boards.metrics_of(expr) for *_, expr in questions()))
    known = set(boards.described()) - {"up"}
    for name in [name.removesuffix("_bucket") for name in known if name.endswith("_bucket")]:
        known -= {name, f"{name}_sum", f"{name}_count"}
    assert not known - asked


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_grafana_wants(path):
    board = load(path)
    assert board["uid"] == f"esteira-{path.stem}" and board["templating"]["list"][0]["name"] == "datasource"
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids) > 0
    taken = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken and place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells
        assert panel["datasource"]["uid"] == "${datasource}"
        letters = [target["refId"] for target in panel["targets"]]
        assert len(set(letters)) == len(letters) > 0
        assert panel["fieldConfig"]["defaults"]["unit"]
    titles = [panel["title"] for panel in board["panels"]]
    assert len(set(titles)) == len(titles)


def test_uids_differ():
    assert len({load(path)["uid"] for path in FILES}) == len(FILES)
