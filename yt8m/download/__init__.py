"""Getting the published files: which ones, in which order, and each of them whole.

`run.download` is the whole job. `published` says where the files are, `shares` chooses among them,
`plan` keeps the list with its checksums, and `transfer` gets one file.
"""
