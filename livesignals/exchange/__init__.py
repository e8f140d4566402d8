"""Taking away what a journal holds, for other programs and people, and bringing it back as a recording.

Everything here is streamed: what is kept in memory does not grow with the number of events.
"""
