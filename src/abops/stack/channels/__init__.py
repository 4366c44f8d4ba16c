"""Stand-ins for the four paging channels, which speak the real protocols and keep the real limits.

A page that was "sent" is worth nothing; a page that a server with Slack's, PagerDuty's, Telegram's
or a mail server's rules has accepted is. These servers take the place of the providers on one
machine: they refuse what the provider would refuse, fail when told to, and remember what came in
and when, so that a person or a test can see whether the page arrived.
"""
