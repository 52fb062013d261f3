"""Notices on their way: by mail, and to a program of the newsroom's. What they say is in tracker/web/admin/notice_words.py."""
