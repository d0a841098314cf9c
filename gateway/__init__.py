"""The receiving side: stores what the stations send once, tells them so, and turns events into alerts."""
