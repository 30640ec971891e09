"""How often one person may ask for what is written for good."""

from gateway.installation.quota import HOUR_S, HourlyQuota


def test_so_many_an_hour_of_each_person_and_no_more() -> None:
    quota = HourlyQuota(2)
    assert [quota.take("ines", mono) for mono in (0.0, 1.0, 2.0, HOUR_S - 1)] == [True, True, False, False]
    assert quota.take("anna", 3.0), "another's are hers"
    assert [quota.take("ines", mono) for mono in (HOUR_S, HOUR_S, HOUR_S + 1)] == [True, False, True]
