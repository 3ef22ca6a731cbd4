"""From live state to what the faces show: when to report, ranking, observations for the record."""
