"""One set of servers and services for most of the run; what is to be judged last comes last."""
import pytest

import rig
import slow

# What waits for minutes begins first and is asked for late; leaks looks at what all others left
# behind, and the contract at every answer anybody got.
ORDER = ("test_dark.test_uploads_are_taken_without_kafka", "test_migrations", "test_belt",
         "test_auth", "test_http", "test_kill", "test_outage", "test_dark", "test_leaks",
         "test_contract_http")

# These, and tests/isolation, have servers of their own and take about as long as all others.
CONVEYOR = ("test_conveyor", "test_reference", "test_kill")

# On servers whose every wire is secured; what all of it runs into is short, so it comes when the others are over.
SECURE = ("test_secure", "test_kafka_acl")


def pytest_addoption(parser):
    """./dev test runs the first two parts at once."""
    parser.addoption("--part", choices=("conveyor", "rest", "secure"), help="only this part of all tests")


def part_of(item):
    """The part a test is in."""
    if item.path.parent.name == "isolation" or item.module.__name__.startswith(CONVEYOR):
        return "conveyor"
    return "secure" if item.module.__name__ in SECURE else "rest"


def pytest_collection_modifyitems(config, items):
    """Stable: within a file the order is the file's."""
    if part := config.getoption("--part"):
        items[:] = [item for item in items if part_of(item) == part]

    def place(item):
        module = item.module.__name__
        for name in (f"{module}.{item.name}", module):
            if name in ORDER:
                return ORDER.index(name)
        return -1
    items.sort(key=place)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """What failed is told with the ends of its services' logs: the stack will be gone."""
    outcome = yield
    report, plant = outcome.get_result(), getattr(item, "funcargs", {}).get("plant")
    if not report.failed or plant is None:
        return
    report.sections.extend(rig.last_words(plant.stack))


@pytest.fixture(scope="session", name="samples")
def make_samples():
    """var/samples is up to date."""
    rig.make_samples()


@pytest.fixture(scope="session", name="plant")
def make_plant(samples):  # pylint: disable=unused-argument
    """The rig that most tests share: two tenants, two intakes, one ocr, one audit."""
    # bomb-cpu burns its whole allowance; no honest sample page takes a third of this one
    with rig.temporary(("alfa", "beta"), ocr_env={"ESTEIRA_OCR_CPU_S": "12"}) as plant:
        plant.start("intake", 2, ESTEIRA_HTTP_BODY_IDLE_MS=str(slow.BODY_IDLE_S * 1000))
        plant.slow = slow.Clients(plant.services["intake-2"].url, plant.keys["alfa"])
        yield plant


@pytest.fixture(scope="session", name="secure")
def make_secure(samples):  # pylint: disable=unused-argument
    """A rig with every wire secured and all services; prova is a tenant for tests."""
    with rig.temporary(("alfa",), secure=True) as plant:
        plant.stack.tenant("prova", "Prova", "--test")
        plant.keys["prova"] = plant.stack.key("prova")
        plant.start("outreach", ESTEIRA_OUTREACH_CA_FILE=plant.stack.authority.ca_file)
        yield plant
