"""What machines show of their accelerators, and the strategy and the warnings that follow."""

import dataclasses
import fnmatch
import functools

import pytest

from yt8m.errors import UserError
from yt8m.runs.devices.choose import Choice, choose
from yt8m.runs.devices.machine import Machine, tpu_of

# As Colab, Kaggle and GKE set them; seen in public notebooks and manifests.
COLAB_CPU = {"COLAB_TPU_1VM": "", "COLAB_RELEASE_TAG": "release"}
COLAB_V5E = {
    "COLAB_TPU_1VM": "1", "TPU_WORKER_ID": "0", "TPU_SKIP_MDS_QUERY": "1",
    "TPU_CHIPS_PER_HOST_BOUNDS": "2,2,1", "TPU_HOST_BOUNDS": "1,1,1",
    "TPU_ACCELERATOR_TYPE": "v5e-1", "TPU_WORKER_HOSTNAMES": "localhost",
}  # fmt: skip
COLAB_V2 = {**COLAB_V5E, "TPU_ACCELERATOR_TYPE": "v2-8"}
KAGGLE_V5E = {
    "KAGGLE_KERNEL_RUN_TYPE": "Interactive", "TPU_PROCESS_ADDRESSES": "local",
    "TPU_CHIPS_PER_HOST_BOUNDS": "2,4,1", "TPU_HOST_BOUNDS": "1,1,1", "TPU_WORKER_ID": "0",
    "TPU_WORKER_HOSTNAMES": "localhost", "TPU_ACCELERATOR_TYPE": "v5litepod-8",
}  # fmt: skip
GKE = {**KAGGLE_V5E, "TPU_NAME": "slice-0", "TPU_ACCELERATOR_TYPE": "v5litepod-4"}
POD = {**GKE, "TPU_WORKER_HOSTNAMES": "host-0,host-1,host-2,host-3"}
V5E_CHIPS = [("0x8086", "0x1237"), *[("0x1ae0", "0x0063")] * 8]


def machine(environment=(), files=(), **more):
    return Machine(dict(environment), functools.partial(fnmatch.filter, files), **more)


T4 = "Tesla T4"
PLAIN = machine()
COLAB_TPU = machine(COLAB_V5E, ["/dev/vfio/0"], tensorflow_tpu=True)
KAGGLE_TPU = machine(KAGGLE_V5E, ["/dev/vfio/0"], tensorflow_tpu=True, tpu_cores=8)
JAX_ONLY = machine(KAGGLE_V5E, ["/dev/vfio/0"])
NODE = machine({"TPU_NAME": "node-1"})
NO_CUDA = machine({}, ["/dev/nvidia0", "/dev/nvidiactl"])
NO_TPU_SUPPORT = (
    "a TPU is present (TPU_ACCELERATOR_TYPE=v5litepod-8), but this TensorFlow cannot use it: pip"
    " install tensorflow-tpu"
)

MACHINES = {
    "plain CPU": (PLAIN, "one", ""),
    "Colab without accelerator": (machine(COLAB_CPU), "one", ""),
    "Kaggle without accelerator": (machine({"KAGGLE_KERNEL_RUN_TYPE": "Batch"}), "one", ""),
    "a passed-through device": (machine({}, ["/dev/vfio/0", "/dev/vfio/vfio"]), "one", ""),
    "an Intel NPU": (machine({}, ["/dev/accel/accel0"]), "one", ""),
    "one GPU": (machine({}, ["/dev/nvidia0"], gpus=[T4]), "one", ""),
    "several GPUs": (machine({}, ["/dev/nvidia0"], gpus=[T4, T4]), "mirrored", ""),
    "Colab TPU v5e": (COLAB_TPU, "tpu", ""),
    "Colab TPU v2": (machine(COLAB_V2, ["/dev/accel0"], tpu_cores=8), "tpu", ""),
    "Kaggle TPU v5e-8": (KAGGLE_TPU, "tpu", ""),
    "Kaggle, look-up failed": (
        machine({**KAGGLE_V5E, "TPU_WORKER_HOSTNAMES": "WARNING: no, metadata"}, tpu_cores=8),
        "tpu",
        "",
    ),
    "no TPU, look-up failed": (
        machine({"TPU_WORKER_ID": "WARNING: could not determine TPU worker number"}),
        "one",
        "",
    ),
    "TPU VM": (machine({}, ["/dev/accel0"], tensorflow_tpu=True), "tpu", ""),
    "TPU VM, chips alone": (machine(pci=V5E_CHIPS, tensorflow_tpu=True), "tpu", ""),
    "GKE, which names its TPU": (machine(GKE, tpu_cores=4), "tpu", ""),
    "TPU_NAME=local": (machine({"TPU_NAME": "local"}, tensorflow_tpu=True), "tpu", ""),
    "a pod of four hosts": (machine(POD, tpu_cores=4), "one", "4 machines share it"),
    "TPU node": (NODE, "one", "TPU_NAME=node-1 names a TPU of another machine, which cannot be"),
    "TPU node of Colab": (machine({"COLAB_TPU_ADDR": "10.0.0.2:8470"}), "one", "COLAB_TPU_ADDR="),
    "TPU, TensorFlow without": (JAX_ONLY, "one", NO_TPU_SUPPORT),
    "chips, TensorFlow without": (machine(pci=V5E_CHIPS), "one", "(8 TPU chips on the PCI bus)"),
    "jax's setting": (machine({"PJRT_DEVICE": "TPU"}), "one", "(PJRT_DEVICE=TPU), but this"),
    "GPU, TensorFlow without": (
        NO_CUDA,
        "one",
        "a GPU is present (/dev/nvidia0), but this TensorFlow cannot use it: pip install '.[gpu]'",
    ),
    "GPU hidden": (
        dataclasses.replace(NO_CUDA, environment={"CUDA_VISIBLE_DEVICES": "-1"}),
        "one",
        "a GPU is present (/dev/nvidia0), but CUDA_VISIBLE_DEVICES=-1 hides it",
    ),
    "GPU of WSL": (machine({}, ["/dev/dxg"]), "one", "a GPU is present (/dev/dxg)"),
}


@pytest.mark.parametrize("name", MACHINES)
def test_auto_on(name):
    seen, strategy, warning = MACHINES[name]
    choice = choose("auto", seen)
    assert choice.strategy == strategy
    assert warning in "".join(choice.warnings)
    assert len(choice.warnings) == bool(warning)


ASKED = [
    ("one", machine(gpus=[T4, T4]), 0, "1 of 2 GPUs are unused: --strategy=mirrored uses all"),
    ("one", machine(gpus=[T4, T4]), 1, ""),
    ("one", KAGGLE_TPU, 0, "but it is unused: --strategy=tpu uses it"),
    ("mirrored", KAGGLE_TPU, 0, "but it is unused: --strategy=tpu uses it"),
    ("mirrored", JAX_ONLY, 0, NO_TPU_SUPPORT),
    ("mirrored", machine(gpus=[T4, T4]), 0, ""),
    ("tpu", KAGGLE_TPU, 0, ""),
    ("tpu", PLAIN, 0, ""),  # starting it will say that there is none
]


@pytest.mark.parametrize(("asked", "seen", "num_gpu", "warning"), ASKED)
def test_a_strategy_by_name_is_kept(asked, seen, num_gpu, warning):
    choice = choose(asked, seen, num_gpu=num_gpu)
    assert choice.strategy == asked
    assert warning in "".join(choice.warnings)
    assert len(choice.warnings) == bool(warning)


def test_auto_takes_as_many_gpus_as_it_may():
    assert choose("auto", machine(gpus=[T4, T4]), num_gpu=1) == Choice("one")


def test_a_cluster_in_tf_config_comes_first():
    assert choose("auto", KAGGLE_TPU, workers=2) == Choice("multi_worker")
    assert choose("auto", PLAIN, workers=1) == Choice("one")


@pytest.mark.parametrize(
    ("seen", "message"),
    [
        (NODE, "TPU_NAME=node-1 names a TPU of another machine, but this program reads"),
        (machine(POD, tpu_cores=4), "one of 4 .* that share a TPU"),
    ],
)
def test_a_tpu_that_cannot_be_used_is_refused(seen, message):
    with pytest.raises(UserError, match=message):
        choose("tpu", seen)


def test_the_kind_of_a_tpu_is_that_of_the_variable_or_else_of_the_chip():
    assert tpu_of(KAGGLE_TPU).kind == "v5litepod-8"
    assert tpu_of(machine(pci=V5E_CHIPS)).kind == "v5e"
    assert tpu_of(machine({}, ["/dev/accel0"])).kind == ""
    assert tpu_of(PLAIN) is None
