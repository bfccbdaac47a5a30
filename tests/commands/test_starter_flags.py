"""The flags of the starter code's eval.py and inference.py."""

import pytest

from tests.support.commands import refused

STARTER_FLAGS = """\
--train_dir=/nowhere --batch_size=4 --num_readers=4 --top_k=5 --segment_labels --model=LstmModel
--feature_names=rgb --feature_sizes=1024 --frame_features --label_loss=CrossEntropyLoss
--iterations=30 --sample_random_frames --dbof_add_batch_norm --dbof_cluster_size=8192
--dbof_hidden_size=1024 --dbof_pooling_method=max --dbof_activation=sigmoid
--video_level_classifier_model=MoeModel --moe_num_mixtures=2 --lstm_cells=1024 --lstm_layers=2
"""
OWN_FLAGS = {
    "eval": "--eval_data_pattern=x --run_once",
    "predict": """
        --input_data_pattern=x --input_model_tgz= --untar_model_dir=x --segment_max_pred=5
        --segment_label_ids_file=x --output_file=y --output_model_tgz=
    """,
}


@pytest.mark.parametrize("command", ["eval", "predict"])
def test_every_flag_of_the_starter_codes_scripts_is_known(command):
    """The flags of docs/sources.md#command-line-flags are all given, and the only mistake reported
    is a missing folder."""
    message = refused(command, *STARTER_FLAGS.split(), *OWN_FLAGS[command].split())
    assert message.strip().startswith("error: --train_dir=/nowhere does not exist")
