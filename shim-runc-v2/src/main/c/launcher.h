/* What the parts of containerd-shim-runc-v2 have in common. */
#pragma once

/* Says why on standard error, and ends the process with status 1. */
__attribute__((noreturn, format(printf, 1, 2))) void fail(const char *format, ...);

/* The action "terminal". */
int terminal_main(const char *name, const char *in_path, const char *out_path);
