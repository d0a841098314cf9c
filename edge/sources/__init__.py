"""Where samples come from: a source gives Samples asynchronously, in the order read; it may end or never end.

An instrument is a file with a pure parser and its settings; `links` are how it is connected, `live` joins the two.
"""
