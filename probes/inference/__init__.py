"""From measured cells to the component at fault. Pure: no cluster, no clock."""
