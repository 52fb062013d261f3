"""What a process keeps in memory, so that a load of the bar costs no database and no template.

- `bars.py` keeps every bar that was asked for, and what pages were made of. Five times a second a thread of each process
  asks the database whether anything was written (`tracker/ledger/change_detector.py`); if so it reads all bars again.
- `answers.py` keeps the bytes of the bar's answers. Each knows the bar that it was made of, and is made again by the
  first reader who comes after that bar has been replaced.
"""
