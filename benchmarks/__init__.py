"""What is measured, and how to measure it yourself; see README.md here."""
