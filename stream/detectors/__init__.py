"""What is seen in the samples. A kernel per stage follows the rows and writes findings, which are rare; a detector says
what a finding means: kind, severity, confidence and the evidence that a person can check.

The score of an event is the detector's confidence, 0..1: of events at 0.9, nine in ten should be real. The score of a
sample is how rare its change is in its own past: 0 for what is always exceeded, 1 for one in a hundred thousand. It
is computed before the sample is learnt; scoring changes nothing, learning does.
"""
