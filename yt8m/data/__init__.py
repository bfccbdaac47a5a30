"""From official TFRecord files to batches: see `pipeline.build_dataset` and `inspect.find_schema`."""
