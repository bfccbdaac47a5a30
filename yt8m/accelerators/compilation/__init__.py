"""Programs compiled for TPUs that need not be there, and the tables of what came out."""
