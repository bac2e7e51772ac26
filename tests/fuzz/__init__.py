"""Fuzzing of the way from bytes to a price, in one process: ``python -m tests.fuzz --format stl --runs 1000000``.

Nearly valid models of a format are made from our own small ones (``seeds``) by mutators that know the format
(``mutating``), and judged (``judging``): whatever the bytes, there is a model or a ``Refusal``, the same one twice, no
file left open, little memory and time taken; and a price only for a surface that is closed and wound one way by a count
of its edges that shares no code with what is judged. ``--engine atheris`` (the default) is guided by the branches that
the readers take, and keeps its corpus under ``build/fuzz``; ``hypothesis`` draws mutations without guidance.

What fails is made smaller, saved under ``build/fuzz/failures`` and listed; the last line is JSON, and the status 1.
Limits of time and memory that stop a process are tested elsewhere: here one process does it all.
"""
