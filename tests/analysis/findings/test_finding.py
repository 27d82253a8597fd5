"""What every finding has."""

from bakeoff.analysis.findings import findings
from bakeoff.analysis.rows import read_rows

FIELDS = {"name", "question", "verdict", "text", "evidence", "figures", "conjecture"}
VERDICTS = {"supported", "contradicted", "not distinguishable", "not measured"}


def test_a_finding_is_plain_data_with_a_name_of_its_own(fake_study):
    found = findings(read_rows(fake_study))
    assert all(set(finding.as_json()) == FIELDS and finding.verdict in VERDICTS for finding in found)
    assert len({finding.name for finding in found}) == len(found)
