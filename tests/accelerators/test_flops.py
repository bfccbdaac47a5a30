"""The operations of a program are counted as by hand, with every round of a loop."""

import pytest

from yt8m.accelerators.flops import work_of
from yt8m.accelerators.lower import import_jax

pytest.importorskip("jax", reason="the extra [tpu-check] needs Python 3.12")

DOT = """
  func.func private @product(%a: tensor<4x5xf32>, %b: tensor<5x5xf32>) -> tensor<4x5xf32> {
    %0 = stablehlo.dot %a, %b : (tensor<4x5xf32>, tensor<5x5xf32>) -> tensor<4x5xf32>
    return %0 : tensor<4x5xf32>
  }
"""
ONCE = """
  func.func @main(%a: tensor<4x5xf32>, %b: tensor<5x5xf32>) -> tensor<4x5xf32> {
    %0 = call @product(%a, %b) : (tensor<4x5xf32>, tensor<5x5xf32>) -> tensor<4x5xf32>
    return %0 : tensor<4x5xf32>
  }
"""
BATCHED = """
  func.func @main(%a: tensor<3x4x5xf32>, %b: tensor<3x5x6xf32>) -> tensor<3x4x6xf32> {
    %0 = stablehlo.dot_general %a, %b, batching_dims = [0] x [0], contracting_dims = [2] x [1]
      : (tensor<3x4x5xf32>, tensor<3x5x6xf32>) -> tensor<3x4x6xf32>
    return %0 : tensor<3x4x6xf32>
  }
"""
CONVOLVED = """
  func.func @main(%a: tensor<2x9x5xf32>, %b: tensor<3x5x6xf32>) -> tensor<2x7x6xf32> {
    %0 = stablehlo.convolution(%a, %b) dim_numbers = [b, 0, f]x[0, i, o]->[b, 0, f],
      window = {stride = [1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64}
      : (tensor<2x9x5xf32>, tensor<3x5x6xf32>) -> tensor<2x7x6xf32>
    return %0 : tensor<2x7x6xf32>
  }
"""
# Seven rounds, and then as many as the first loop counted, as in a gradient.
LOOPS = """
  func.func private @less(%i: tensor<i32>) -> tensor<i1> {
    %n = stablehlo.constant dense<7> : tensor<i32>
    %0 = stablehlo.compare LT, %i, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
    return %0 : tensor<i1>
  }
  func.func @main(%a: tensor<4x5xf32>, %b: tensor<5x5xf32>) -> tensor<4x5xf32> {
    %zero = stablehlo.constant dense<0> : tensor<i32>
    %one = stablehlo.constant dense<1> : tensor<i32>
    %0:2 = stablehlo.while(%i = %zero, %x = %a) : tensor<i32>, tensor<4x5xf32>
    cond {
      %c = func.call @less(%i) : (tensor<i32>) -> tensor<i1>
      stablehlo.return %c : tensor<i1>
    } do {
      %next = stablehlo.add %i, %one : tensor<i32>
      %y = func.call @product(%x, %b) : (tensor<4x5xf32>, tensor<5x5xf32>) -> tensor<4x5xf32>
      stablehlo.return %next, %y : tensor<i32>, tensor<4x5xf32>
    }
    %1:3 = stablehlo.while(%j = %zero, %limit = %0#0, %z = %0#1)
      : tensor<i32>, tensor<i32>, tensor<4x5xf32>
    cond {
      %d = stablehlo.compare LT, %j, %limit : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %d : tensor<i1>
    } do {
      %next = stablehlo.add %j, %one : tensor<i32>
      %y = func.call @product(%z, %b) : (tensor<4x5xf32>, tensor<5x5xf32>) -> tensor<4x5xf32>
      stablehlo.return %next, %limit, %y : tensor<i32>, tensor<i32>, tensor<4x5xf32>
    }
    return %1#2 : tensor<4x5xf32>
  }
"""
PRODUCT = 2 * 4 * 5 * 5


def count(text):
    mlir = import_jax()
    from jaxlib.mlir import ir

    with mlir.make_ir_context():
        return work_of(ir.Module.parse(f"module {{\n{text}\n}}"))


@pytest.mark.parametrize(
    ("text", "flops", "loops"),
    [
        (DOT + ONCE, PRODUCT, ()),
        (BATCHED, 2 * 3 * 4 * 5 * 6, ()),
        (CONVOLVED, 2 * 2 * 7 * 6 * 5 * 3, ()),
        (DOT + LOOPS, 14 * PRODUCT, (7, 7)),
    ],
)
def test_work_is_that_of_the_formula(text, flops, loops):
    work = count(text)
    assert work.flops == flops
    assert work.loops == loops


def test_a_loop_of_unknown_length_is_refused():
    text = DOT + LOOPS.replace(
        "stablehlo.constant dense<7> : tensor<i32>", "stablehlo.add %i, %i : tensor<i32>"
    )
    with pytest.raises(ValueError, match="not known"):
        count(text)
