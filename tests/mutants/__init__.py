"""One small change each to the bundled example, and the exact set of rulings that it must change.

`reading` holds those that files, claims and logs decide; `engine` those that need the order of events.
"""
