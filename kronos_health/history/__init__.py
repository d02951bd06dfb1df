"""What the history says, for people: status screen, report, charts and page, all from named queries."""
