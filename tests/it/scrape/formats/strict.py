"""Parses OpenMetrics from stdin with the strict parser of prometheus_client, and prints a summary."""

import json
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families

families = list(text_string_to_metric_families(sys.stdin.buffer.read().decode("utf-8")))
samples = [sample for family in families for sample in family.samples]
created = [sample for sample in samples if sample.name.endswith("_created")]
exemplars = [sample for sample in samples if sample.exemplar]
counting = ("counter", "histogram")
json.dump(
    {
        "families": len(families),
        "samples": len(samples),
        "created": len(created),
        "exemplars": [
            {
                "name": sample.name,
                "le": sample.labels["le"],
                "labels": sample.exemplar.labels,
                "value": sample.exemplar.value,
                "timestamp": float(sample.exemplar.timestamp),
            }
            for sample in exemplars
        ],
        # Counters and histograms without a creation time.
        "without_created": sorted(
            {
                family.name
                for family in families
                if family.type in counting
                and not any(s.name.endswith("_created") for s in family.samples)
            }
        ),
        "units": {family.name: family.unit for family in families if family.unit},
    },
    sys.stdout,
)
