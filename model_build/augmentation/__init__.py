"""Raw recordings altered before they pass the signal path, their annotations following.

Rhythms are synthesized from the patient's own beats, timing is stretched, noise is added. What
comes out belongs to the same subject, and is a function of seed, recording and view.
"""
