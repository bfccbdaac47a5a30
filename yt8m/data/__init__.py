"""From official TFRecord files to batches.

See `find_schema.find_schema` and `pipeline.build_dataset`.
"""
