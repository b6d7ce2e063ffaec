"""What several of these modules have to hand."""
import pathlib
import shutil
import sys

import pytest

import chart
import judge

sys.path.insert(0, str(judge.ROOT / "docker/local"))
import secure  # noqa: E402  pylint: disable=wrong-import-position


@pytest.fixture(scope="module", name="pair")
def make_pair(tmp_path_factory):
    """A certificate and its key."""
    return secure.Authority(str(tmp_path_factory.mktemp("tls"))).issue("one", dns=["localhost"])


@pytest.fixture(name="copy")
def make_copy(tmp_path):
    """A chart of our own."""
    return pathlib.Path(shutil.copytree(chart.CHART, tmp_path / "esteira"))
