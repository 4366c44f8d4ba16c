"""The protection of the database: copies are made, judged, restored and rehearsed."""
