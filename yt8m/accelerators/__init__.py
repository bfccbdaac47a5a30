"""The programs that an accelerator runs, compiled and measured without one."""
