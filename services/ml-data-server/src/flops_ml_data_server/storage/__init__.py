"""Fragments on disk: uploads, Parquet files, and the volume that holds them."""
