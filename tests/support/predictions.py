"""Predictions by the command, and the files that they leave."""


def arguments(folder, out, *more):
    """Return the flags of a prediction of the run and the records of `folder` into `out`."""
    out.mkdir(exist_ok=True)
    return [
        f"--train_dir={folder}/run",
        f"--input_data_pattern={folder}/*.tfrecord",
        f"--output_file={out}/s.csv",
        f"--output_scores={out}/scores",
        "--with_names",
        "--batch_size=16",
        *more,
    ]


def content(folder):
    """Return the bytes of every file in a folder by its path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
