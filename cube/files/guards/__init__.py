"""What a file of others may not do: declared sizes, links and chunks are looked at before anything is read."""
