"""From live state to what the faces show: when to report, ranking, observations worth recording.
Talks to no human."""
