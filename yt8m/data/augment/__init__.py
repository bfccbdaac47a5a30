"""What training changes in its batches, so that a model does not memorise them."""
