"""Published methods in the same harness: same recordings, same detected peaks, same scoring.

Each is its paper's features and classifier behind the shipped detector and conditioning, trained
on the untouched views of the training recordings. What differs from a paper stands in its module.
"""
