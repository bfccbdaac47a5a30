"""Runs the starter code's inference.py, whose `format_lines` joins bytes and text in Python 3.

The starter code's own Python (3.7) runs this file: `starter_inference.py CODE --flags...`.
"""

import sys

import tensorflow as tf

code = sys.argv.pop(1)
sys.path.insert(0, code)
program = code + "/inference.py"
run, tf.compat.v1.app.run = tf.compat.v1.app.run, lambda *_, **__: None
tf.app.run = tf.compat.v1.app.run

# Its flags are defined only where its name is "__main__", and then it would start at once.
names = {"__name__": "__main__", "__file__": program}
with open(program) as source:
    exec(compile(source.read(), program, "exec"), names)
format_lines = names["format_lines"]


def with_text_ids(video_ids, *arguments, **keywords):
    """Call the starter code's `format_lines` with ids as text."""
    return format_lines([video_id.decode() for video_id in video_ids], *arguments, **keywords)


names["format_lines"] = with_text_ids
run(main=names["main"])
