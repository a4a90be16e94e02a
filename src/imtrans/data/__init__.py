"""Pictures to learn from and to be measured on.

``photos`` are real photographs that come with the installed packages, ``dead_leaves`` are made from nothing
but a seed, ``benchmarks`` are the papers' sets, found on disk or fetched. ``pairs`` turns any of them into
training patches.
"""
