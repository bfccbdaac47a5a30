"""The commands: flags and a main function each, with everything else in the packages below."""
