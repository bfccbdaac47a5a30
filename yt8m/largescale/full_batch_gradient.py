"""INTERFACE (body follows within the half hour; code against this).

    executor = make_executor(address)
    source = RecordSource(schema, batch_size=512)                    # or FeatureSource(...) of a FeatureStore
    full = FullBatchGradient(executor, model, source, shards, frozen=("head",), loss="CrossEntropyLoss",
                             penalty=1.0, seed=0, fraction=1.0)
    rule = IRPropPlus(loss_test=full.fraction >= 1)
    for i in range(45):
        result = full(iteration=i)                                   # at the model's current weights
        full.set_weights(rule.update(full.weights(), result.gradients, result.loss))

  model: a built Yt8mModel, registered, whose get_config() rebuilds it; its weights are read at every call.
  frozen: attribute names of the model (e.g. "head") whose variables are left out; full.variables are the rest of
    model.trainable_variables, in order. Non-trainable and frozen weights are broadcast when first used, and again
    after full.refresh_frozen(); the chosen ones every call.
  result: loss (mean over examples, with L2: what the rule wants), data_loss, regularization, gradients (list of
    float64 arrays: of `loss`, means), num_examples, num_tasks, seconds.
  shards: paths, packed into tasks by their bytes alone (pack_shards), never by the number of workers.
"""
