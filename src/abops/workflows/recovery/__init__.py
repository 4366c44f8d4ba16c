"""Disasters rehearsed: the playbook's own lines on a throw-away setting, judged and measured."""
