"""Work outside transactions: a record whose work failed may move to another process, and does not wait there."""
import belt
import rig

PAGE = belt.tiny_pdf("Uma folha que muda de mãos")
JOBS = 8


def test_claim_of_a_waiting_record_kept_by_its_first_owner():
    """Found in review: leases of records that only waited for their next try were renewed for as long as the
    process lived, so after a rebalance their new owner waited until the deadline."""
    with rig.temporary(("alfa",), ("audit", "intake")) as plant:
        client = plant.client()
        jobs = [client.send(PAGE) for _ in range(JOBS)]
        plant.stack.stop_one("s3")
        plant.start("ocr")
        belt.wait_for("claims", lambda: plant.count("SELECT count(*) FROM ocr.claim") == JOBS)
        plant.start("ocr", 2)  # takes half of the partitions while the first one lives
        plant.stack.start_one("s3")
        for job in jobs:
            belt.finish(client, job, 45)
