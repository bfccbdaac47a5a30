"""Reading of official TFRecord files into batches.

See `find_schema.find_schema` and `pipeline.build_dataset`.
"""
