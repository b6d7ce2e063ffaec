#!/usr/bin/env python3
"""There is one Kafka loop: rd_kafka_consumer_poll is called once in the tree, in port/kafka."""
from lintlib import grep, judge, sources

PLACES = [place for path in sources() for place in grep(path, r"\b(rd_kafka_consumer_poll\w*|rd_kafka_consume\w*_queue)\s*\(", "{}")]
judge(["libshared/port: nobody calls rd_kafka_consumer_poll"] if not PLACES else
      [f"{place}: a second loop" for place in PLACES[1:]] +
      [place for place in PLACES[:1] if not place.startswith("libshared/port/kafka")])
